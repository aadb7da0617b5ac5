//! Files of a run: the model of the best epoch so far, that of the last one, and a checkpoint.

use crate::{failure, model::Description, words::shown_path};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wgrad::{
    Error, Variables,
    io::safetensors,
    train::{Epoch, MODEL, Step},
};

/// The files of a run. They are replaced as a whole: a run that is killed leaves what was written
/// last.
pub struct Models<'a> {
    directory: &'a Path,
    description: &'a Description,
    /// The epoch whose model is kept as the best.
    pub best: Option<Best>,
    /// The last step before the checkpoint.
    pub saved: Option<Step>,
}

/// How good an epoch was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    pub number: usize,
    pub test_loss: f64,
    pub test_accuracy: f64,
}

impl Best {
    pub fn new(epoch: &Epoch) -> Self {
        Best {
            number: epoch.number,
            test_loss: epoch.validation.as_ref().map_or(f64::NAN, |measures| measures.loss),
            test_accuracy: epoch.validated("accuracy").unwrap_or(f64::NAN),
        }
    }

    /// More images are classified correctly, or as many with a smaller loss.
    fn is_better(&self, best: &Best) -> bool {
        let order = self.test_accuracy.total_cmp(&best.test_accuracy);
        order.then(best.test_loss.total_cmp(&self.test_loss)).is_gt()
    }

    /// Floats are text, which keeps all their digits.
    fn to_json(self) -> Value {
        let [loss, accuracy] = [self.test_loss, self.test_accuracy].map(|x| format!("{x:?}"));
        json!({ "epoch": self.number, "test_loss": loss, "test_accuracy": accuracy })
    }

    fn of(value: &Value) -> Option<Self> {
        let float = |name: &str| value[name].as_str()?.parse().ok();
        let number = usize::try_from(value["epoch"].as_u64()?).ok()?;
        let (test_loss, test_accuracy) = (float("test_loss")?, float("test_accuracy")?);
        Some(Best { number, test_loss, test_accuracy })
    }
}

impl<'a> Models<'a> {
    pub fn new(directory: &'a Path, description: &'a Description) -> Self {
        Models { directory, description, best: None, saved: None }
    }

    /// All that is needed to go on.
    pub fn checkpoint(&self) -> PathBuf {
        self.directory.join("checkpoint.safetensors")
    }

    /// The model at the end.
    pub fn last_file(&self) -> PathBuf {
        self.directory.join("model.safetensors")
    }

    /// The model of the best epoch.
    pub fn best_file(&self) -> PathBuf {
        self.directory.join("best.safetensors")
    }

    /// The best epoch so far as text, for a checkpoint.
    pub fn state(&self) -> String {
        self.best.map_or(Value::Null, Best::to_json).to_string()
    }

    /// Takes up the best epoch of a checkpoint.
    pub fn restore(&mut self, state: &str) {
        self.best = serde_json::from_str(state).ok().and_then(|value| Best::of(&value));
    }

    /// Whether this is better than all that were kept.
    pub fn is_best(&self, epoch: &Best) -> bool {
        self.best.is_none_or(|best| epoch.is_better(&best))
    }

    /// Keeps the model of the best epoch.
    pub fn keep(&mut self, epoch: Best, variables: &Variables) -> Result<(), Error> {
        self.save(&self.best_file(), variables)?;
        self.best = Some(epoch);
        Ok(())
    }

    /// Writes the model at the end.
    pub fn save_last(&self, variables: &Variables) -> Result<(), Error> {
        // The directory may have been removed in the meantime; if that is not to be mended, writing
        // says why.
        let _ = std::fs::create_dir_all(self.directory);
        self.save(&self.last_file(), variables)
    }

    fn save(&self, file: &Path, variables: &Variables) -> Result<(), Error> {
        let note = self.description.to_json();
        safetensors::save_with_note(file, variables, &format!("{MODEL}/"), &note)
    }

    /// The file of the best model, for the end of a message; empty if there is none.
    pub fn left(&self) -> String {
        self.best.map_or(String::new(), |best| {
            let file = shown_path(&self.best_file());
            format!("; the model of epoch {} is in {file}", best.number)
        })
    }

    /// How to go on from the checkpoint, for the end of a message; empty if there is none.
    pub fn way_on(&self) -> String {
        self.saved.map_or(String::new(), |step| {
            format!("; the same command with --resume goes on after {}", place(&step))
        })
    }

    /// The same after an error of the device: one that is lost may be there again, and another one
    /// has memory of its own.
    pub fn way_on_after(&self, error: &Error) -> String {
        if matches!(error, Error::Device(_)) { self.way_on() } else { String::new() }
    }
}

/// Where a training stands after a step.
pub fn place(step: &Step) -> String {
    let Step { epoch, step, steps, .. } = *step;
    match steps {
        Some(steps) if steps == step => format!("epoch {epoch}"),
        Some(steps) => format!("step {step} of {steps} of epoch {epoch}"),
        None => format!("step {step} of epoch {epoch}"),
    }
}

/// Why something of a run is not in its file.
pub fn unsaved(place: &str, error: &Error) -> String {
    format!("{place} is not saved: {}", failure::line(&error.clone().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Task;

    #[test]
    fn what_is_known_of_the_best_model_keeps_every_digit() {
        let description = &Description::of(Task::Digits);
        let mut models = Models::new(Path::new("runs"), description);
        let best = Best { number: 2, test_loss: 0.1 + 0.2, test_accuracy: 1.0 / 3.0 };
        for best in [None, Some(best)] {
            models.best = best;
            let state = models.state();
            models.best = None;
            models.restore(&state);
            assert_eq!(models.best, best);
        }
        for state in ["", "{}", "[1]", "{\"epoch\": -1}"] {
            models.restore(state);
            assert_eq!(models.best, None);
        }
        assert!(models.is_best(&best));
    }
}
