//! The models that a run leaves: that of the best epoch so far, and that of the last one.

use crate::{console::Console, failure, model::Description, words::shown_path};
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
    note: String,
    /// The epoch whose model is kept as the best.
    pub best: Option<Epoch>,
}

impl<'a> Models<'a> {
    pub fn new(directory: &'a Path, variables: &'a Variables, description: &Description) -> Self {
        Models { directory, variables, note: description.to_json(), best: None }
    }

    /// The model at the end.
    pub fn last_file(&self) -> PathBuf {
        self.directory.join("model.safetensors")
    }

    /// The model of the best epoch.
    pub fn best_file(&self) -> PathBuf {
        self.directory.join("best.safetensors")
    }

    /// Keeps the model if it is better than all that were kept; returns whether it is. Training goes
    /// on if the disk takes no file, and the next epoch tries again.
    pub fn keep(&mut self, epoch: &Epoch, console: &mut Console) -> bool {
        let is_best = self.best.as_ref().is_none_or(|best| is_better(epoch, best));
        if is_best {
            match self.save(&self.best_file()) {
                Ok(()) => self.best = Some(*epoch),
                Err(error) => {
                    let why = failure::line(&error.into());
                    console.error(&format!("epoch {} is not saved: {why}", epoch.number));
                }
            }
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
        safetensors::save_with_note(file, self.variables, &format!("{MODEL}/"), &self.note)
    }

    /// The file of the best model, for the end of a message; empty if there is none.
    pub fn left(&self) -> String {
        self.best.map_or(String::new(), |best| {
            let file = shown_path(&self.best_file());
            format!("; the model of epoch {} is in {file}", best.number)
        })
    }
}

/// More images are classified correctly, or as many with a smaller loss.
fn is_better(epoch: &Epoch, best: &Epoch) -> bool {
    let order = epoch.test_accuracy.total_cmp(&best.test_accuracy);
    order.then(best.test_loss.total_cmp(&epoch.test_loss)).is_gt()
}
