//! The final report of a training run, human-readable and as JSON.

use super::{args::Args, best::Models};
use crate::{
    device::{proofs, told_proofs},
    failure::Failure,
    model::{Defaults, Description},
    words::{count, shown, shown_path},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use wgrad::{
    Device, Variables,
    train::{Confusion, Epoch, MODEL, Report},
};

/// All that is known at the end.
pub struct Outcome<'a> {
    pub args: &'a Args,
    pub report: &'a Report,
    pub description: &'a Description,
    pub device: &'a Device,
    pub variables: &'a Variables,
    pub models: &'a Models<'a>,
}

impl Outcome<'_> {
    pub fn text(&self) -> Result<String, Failure> {
        let Outcome { report, description, device, models, .. } = self;
        let none = Confusion::new(description.classes.len());
        let confusion = report.confusion().unwrap_or(&none);
        let mut text = format!(
            "\ntest accuracy {:.2}% on {}, {} in {:.2} s\n\n\
             confusion matrix: rows are true classes, columns predicted ones; the last column is the recall\n\
             {confusion}\n",
            100.0 * confusion.accuracy(),
            count(confusion.total(), "image", "images"),
            count(report.steps, "step", "steps"),
            report.seconds,
        );
        // For digits, the class names equal their indices.
        let named = description.classes.iter().enumerate();
        for (number, name) in named.filter(|(number, name)| number.to_string() != **name) {
            let _ = write!(text, "\n{number:>5}  {}", shown(name));
        }
        if !text.ends_with("%\n") {
            text.push('\n');
        }
        let _ = write!(text, "\nSHA-256 of the weights {}\n", fingerprint(self.variables)?);
        if let Some(choice) = report.auto_batch {
            let _ = writeln!(text, "{choice}");
        }
        if report.skipped > 0 {
            let steps = count(report.skipped, "step", "steps");
            let _ = writeln!(text, "{steps} skipped: a gradient was not finite");
        }
        if let Some(told) = told_proofs(device) {
            let _ = writeln!(text, "{told}");
        }
        if let Some(best) = &models.best {
            let _ = writeln!(
                text,
                "best epoch, {}, with {:.2}%: {}",
                best.number,
                100.0 * best.test_accuracy,
                shown_path(&models.best_file())
            );
        }
        let number = report.last.map_or(0, |step| step.epoch);
        let _ = write!(text, "last epoch, {number}: {}", shown_path(&models.last_file()));
        Ok(text)
    }

    pub fn object(&self) -> Result<Value, Failure> {
        let Outcome { args, report, description, device, models, .. } = self;
        let Defaults { batch, lr, .. } = args.settings();
        let chosen = report.auto_batch;
        Ok(json!({
            "task": args.task.name(),
            "classes": description.classes,
            "test_accuracy": report.confusion().map(Confusion::accuracy),
            "train_loss": report.epochs.last().map(Epoch::loss),
            "test_loss": report.validation.as_ref().map(|measures| measures.loss),
            "seconds": report.seconds,
            "epochs": report.last.map(|step| step.epoch),
            "steps": report.steps,
            "batch_size": chosen.map_or(batch as usize, |choice| choice.batch),
            "parts": chosen.map_or(1, |choice| choice.parts),
            "precision": args.precision.name(),
            "skipped_steps": report.skipped,
            "lr": lr,
            "seed": args.seed,
            "device": device.name(),
            "device_type": device.kind(),
            "proofs": proofs(device),
            "weights_sha256": fingerprint(self.variables)?,
            "confusion_matrix": report.confusion().map(|matrix| matrix.rows().collect::<Vec<_>>()),
            "model": models.last_file().display().to_string(),
            "best_epoch": models.best.map(|best| best.number),
            "best_model": models.best.map(|_| models.best_file().display().to_string()),
        }))
    }
}

/// SHA-256 over the parameters ordered by path: the path, a zero byte, the words in little endian.
fn fingerprint(variables: &Variables) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    for (path, array) in variables.to_arrays_below(&format!("{MODEL}/"))? {
        hash.update(path.as_bytes());
        hash.update([0]);
        array.words().iter().for_each(|word| hash.update(word.to_le_bytes()));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
