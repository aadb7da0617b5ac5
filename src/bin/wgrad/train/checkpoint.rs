//! The checkpoint of a run: all variables after its last epoch, and how they were trained.

use crate::{failure::Failure, model::Description, words::shown_path};
use serde_json::{Value, json};
use std::path::Path;
use wgrad::{Error, Variables, io::safetensors};

/// Settings that a run has to share with the one that goes on, or the bits are not those of one run.
pub struct Settings<'a> {
    pub description: &'a Description,
    /// Number of training images.
    pub images: usize,
    pub batch: u32,
    pub lr: f64,
    pub seed: u64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Number of epochs.
    pub done: usize,
    pub best: Option<Best>,
}

/// How good an epoch was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    pub number: usize,
    pub test_loss: f64,
    pub test_accuracy: f64,
}

impl Best {
    /// More images are classified correctly, or as many with a smaller loss.
    pub fn is_better(&self, best: &Best) -> bool {
        let order = self.test_accuracy.total_cmp(&best.test_accuracy);
        order.then(best.test_loss.total_cmp(&self.test_loss)).is_gt()
    }
}

impl Settings<'_> {
    /// As they are in a file. Floats are text, which keeps all their digits.
    fn to_json(&self) -> Value {
        let Settings { description, images, batch, lr, seed } = self;
        json!({
            "model": description.to_json(),
            "training images": images,
            "batch size": batch,
            "learning rate": format!("{lr:?}"),
            "seed": seed,
        })
    }
}

impl Progress {
    /// Writes a checkpoint.
    pub fn save(
        &self,
        file: &Path,
        variables: &Variables,
        settings: &Settings<'_>,
    ) -> Result<(), Error> {
        safetensors::save_with_note(file, variables, "", &self.to_json(settings).to_string())
    }

    fn to_json(self, settings: &Settings<'_>) -> Value {
        let best = self.best.map(|Best { number, test_loss, test_accuracy }| {
            let [loss, accuracy] = [test_loss, test_accuracy].map(|x| format!("{x:?}"));
            json!({ "epoch": number, "test_loss": loss, "test_accuracy": accuracy })
        });
        json!({ "settings": settings.to_json(), "epoch": self.done, "best": best })
    }

    /// Reads a checkpoint into a store, if it is one of these settings.
    pub fn load(
        file: &Path,
        variables: &Variables,
        settings: &Settings<'_>,
    ) -> Result<Self, Failure> {
        let (_, note) = safetensors::read_with_note(file)?;
        let shown = shown_path(file);
        let progress = note.as_deref().and_then(|note| serde_json::from_str::<Value>(note).ok());
        let not_one = || format!("{shown} is no checkpoint of a training run");
        let note = progress.ok_or_else(not_one)?;
        for (name, expected) in settings.to_json().as_object().into_iter().flatten() {
            let is = &note["settings"][name];
            if is.is_null() {
                return Err(not_one().into());
            }
            if is != expected {
                return Err(format!("{shown} is of another {name}: {is}, not {expected}").into());
            }
        }
        let progress = Progress::of(&note).ok_or_else(not_one)?;
        safetensors::load(file, variables)?;
        Ok(progress)
    }

    fn of(note: &Value) -> Option<Self> {
        let count = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let float = |value: &Value| value.as_str()?.parse().ok();
        let best = match &note["best"] {
            Value::Null => None,
            best => Some(Best {
                number: count(&best["epoch"])?,
                test_loss: float(&best["test_loss"])?,
                test_accuracy: float(&best["test_accuracy"])?,
            }),
        };
        Some(Progress { done: count(&note["epoch"])?, best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Task;

    #[test]
    fn a_checkpoint_keeps_every_digit() {
        let description = &Description::of(Task::Digits);
        let settings = Settings { description, images: 7, batch: 32, lr: 0.1, seed: u64::MAX };
        let best = Best { number: 2, test_loss: 0.1 + 0.2, test_accuracy: 1.0 / 3.0 };
        for best in [None, Some(best)] {
            let progress = Progress { done: 3, best };
            let text = progress.to_json(&settings).to_string();
            let note: Value = serde_json::from_str(&text).expect("it was written");
            assert_eq!(Progress::of(&note), Some(progress));
            assert_eq!(note["settings"], settings.to_json());
        }
        assert_eq!(Progress::of(&json!({ "best": null })), None);
        assert_eq!(Progress::of(&json!({ "epoch": 1, "best": {} })), None);
    }
}
