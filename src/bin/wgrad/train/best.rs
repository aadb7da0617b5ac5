//! Files of a run: the model of the best epoch so far, that of the last one, and a checkpoint.

use super::checkpoint::{Best, Progress, Settings};
use crate::{console::Console, failure, words::shown_path};
use std::path::{Path, PathBuf};
use wgrad::{
    Error, Variables,
    io::safetensors,
    train::{Epoch, MODEL},
};

/// The files of a run. They are replaced as a whole: a run that is killed leaves what was written
/// last.
pub struct Models<'a> {
    directory: &'a Path,
    variables: &'a Variables,
    settings: Settings<'a>,
    /// The epoch whose model is kept as the best.
    pub best: Option<Best>,
    /// Number of epochs before the checkpoint; 0 without one.
    pub done: usize,
}

impl<'a> Models<'a> {
    pub fn new(directory: &'a Path, variables: &'a Variables, settings: Settings<'a>) -> Self {
        Models { directory, variables, settings, best: None, done: 0 }
    }

    /// Takes up the checkpoint of an earlier run.
    pub fn resume(&mut self) -> Result<(), failure::Failure> {
        let Progress { done, best } =
            Progress::load(&self.checkpoint(), self.variables, &self.settings)?;
        (self.done, self.best) = (done, best);
        Ok(())
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

    /// Keeps the model if it is better than all that were kept, and a checkpoint; returns whether it is
    /// better. Training goes on if the disk takes no file, and the next epoch tries again.
    pub fn keep(&mut self, epoch: &Epoch, console: &mut Console) -> bool {
        let &Epoch { number, test_loss, test_accuracy, .. } = epoch;
        let epoch = Best { number, test_loss, test_accuracy };
        let is_best = self.best.is_none_or(|best| epoch.is_better(&best));
        let kept = if is_best { self.save(&self.best_file()) } else { Ok(()) };
        let saved = kept.and_then(|()| {
            self.best = if is_best { Some(epoch) } else { self.best };
            let progress = Progress { done: number, best: self.best };
            progress.save(&self.checkpoint(), self.variables, &self.settings)?;
            self.done = number;
            Ok(())
        });
        if let Err(error) = saved {
            let why = failure::line(&error.into());
            console.error(&format!("epoch {number} is not saved: {why}"));
        }
        is_best
    }

    /// Writes the model at the end.
    pub fn save_last(&self) -> Result<(), Error> {
        // The directory may have been removed in the meantime; if that is not to be mended, writing
        // says why.
        let _ = std::fs::create_dir_all(self.directory);
        self.save(&self.last_file())
    }

    fn save(&self, file: &Path) -> Result<(), Error> {
        let note = self.settings.description.to_json();
        safetensors::save_with_note(file, self.variables, &format!("{MODEL}/"), &note)
    }

    /// The file of the best model, for the end of a message; empty if there is none.
    pub fn left(&self) -> String {
        self.best.map_or(String::new(), |best| {
            let file = shown_path(&self.best_file());
            format!("; the model of epoch {} is in {file}", best.number)
        })
    }
    /// How to go on after an error of the device, for the end of its message: a device that is lost
    /// may be there again, and another one has memory of its own.
    pub fn way_on(&self, error: &Error) -> String {
        match (error, self.done) {
            (Error::Device(_), 1..) => {
                format!("; the same command with --resume goes on after epoch {}", self.done)
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Description, Task};
    use wgrad::DeviceError;

    #[test]
    fn a_lost_device_is_no_end() {
        let description = &Description::of(Task::Digits);
        let settings = Settings { description, images: 7, batch: 32, lr: 0.1, seed: 0 };
        let variables = Variables::new(0);
        let mut models = Models::new(Path::new("runs"), &variables, settings);
        let lost = Error::from(DeviceError::Lost { message: "a test took it".to_owned() });
        assert_eq!(models.way_on(&lost), "");
        models.done = 3;
        let way_on = "; the same command with --resume goes on after epoch 3";
        assert_eq!(models.way_on(&lost), way_on);
        // What is wrong with the code or the data stays wrong.
        let missing = variables.get("net/w").expect_err("there is none");
        assert_eq!(models.way_on(&missing), "");
    }
}
