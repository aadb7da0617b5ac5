//! The options of `wgrad train`.

use crate::{
    device::DeviceArgs,
    model::{Defaults, Task},
    sets::DataArgs,
};
use std::path::PathBuf;
use wgrad::train::AutoBatch;

/// Train a network, print how well it does, and save it.
///
/// The best model so far is on disk after every epoch, and a checkpoint, also every ten minutes of a long
/// epoch: a run that is interrupted leaves them, and goes on with --resume. Ctrl-C ends a run after its
/// step, with a checkpoint and exit code 130; a second one ends it at once. The best epoch is the one with
/// the highest test accuracy, or with the smallest test loss among equals. Training goes on if nobody reads
/// what it prints.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad train digits
  wgrad train digits --device gpu --epochs 50 --out runs/long
  wgrad train digits --device gpu --epochs 50 --out runs/long --resume
  wgrad train fashion-mnist
  wgrad train fashion-mnist --precision mixed --batch-size auto --memory 6GiB
  wgrad train mnist --data package/data
  wgrad train images --data photos
  wgrad train digits --device cpu --json | tail -n 1 | jq .test_accuracy")]
pub struct Args {
    /// The data set to train on.
    pub task: Task,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Number of epochs [default: 20; 6 for fashion-mnist, 3 for mnist].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Batch size: images per step, or `auto` for as many as the memory allows [default: 32; 64 for
    /// fashion-mnist and mnist].
    #[arg(long, visible_alias = "batch", value_name = "N", value_parser = batch_size)]
    pub batch_size: Option<BatchSize>,
    /// The memory that a training may take, as in 6GiB: `--batch-size auto` fills it, and a batch for which
    /// it is not enough runs in parts.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// How layers compute; parameters are f32 either way.
    #[arg(long, value_enum, value_name = "PRECISION", default_value = "full")]
    pub precision: LayerPrecision,
    /// Learning rate of Adam [default: 0.001; 0.002 for digits].
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = positive)]
    pub lr: Option<f64>,
    /// Seed of the initial weights and of the order of images; the same seed gives the same result.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Directory for best.safetensors, written at each best epoch, model.safetensors, written at the
    /// end, and checkpoint.safetensors, from which --resume goes on [default: runs/TASK].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on from the checkpoint in the directory, after its last step: the weights end with the bits of a
    /// run that was not interrupted. All settings but --epochs must be the same, and the kind of device.
    #[arg(long)]
    pub resume: bool,
    /// Write a checkpoint every N steps, too.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub checkpoint_steps: Option<u32>,
    /// Stop at the first NaN or infinity and name the operation that produced it; slow.
    #[arg(long)]
    pub check_finite: bool,
    /// Print one JSON object per line: the epochs, then the result. No progress is shown.
    #[arg(long)]
    pub json: bool,
}

/// The number of images per step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// As many as the memory allows.
    Auto,
    Images(u32),
}

/// How layers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LayerPrecision {
    /// In f32.
    Full,
    /// In f16, with a loss that is scaled.
    Mixed,
}

impl LayerPrecision {
    pub fn name(self) -> &'static str {
        match self {
            LayerPrecision::Full => "full",
            LayerPrecision::Mixed => "mixed",
        }
    }
}

impl Args {
    /// The training settings of the task. The batch is that of the task where it is to be chosen.
    pub fn settings(&self) -> Defaults {
        let defaults = self.task.defaults();
        let batch = match self.batch_size {
            Some(BatchSize::Images(images)) => images,
            Some(BatchSize::Auto) | None => defaults.batch,
        };
        Defaults {
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch,
            lr: self.lr.unwrap_or(defaults.lr),
        }
    }

    /// How the batch is chosen; `None` if it is what the settings say.
    pub fn auto_batch(&self) -> Option<AutoBatch> {
        let auto = match self.batch_size {
            Some(BatchSize::Auto) => Some(AutoBatch::largest()),
            _ => self.memory.map(|_| AutoBatch::in_parts()),
        };
        auto.map(|auto| self.memory.map_or(auto, |memory| auto.memory(memory)))
    }
}

fn batch_size(text: &str) -> Result<BatchSize, String> {
    match text.parse() {
        _ if text == "auto" => Ok(BatchSize::Auto),
        Ok(images) if images > 0 => Ok(BatchSize::Images(images)),
        _ => Err("must be a positive number, or auto".to_owned()),
    }
}

/// A size in bytes: `6GiB`, `512MiB`, `4GB`, or a number of bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..].to_ascii_lowercase()[..] {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1u64 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => 0,
    };
    let number = digits.trim().parse::<f64>().ok().filter(|number| *number > 0.0 && unit > 0);
    match number.map(|number| number * unit as f64) {
        Some(bytes) if bytes >= 1.0 && bytes.is_finite() => Ok(bytes as u64),
        _ => Err("must be a size, such as 6GiB or 512MiB".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("must be a positive number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, expected) in [
            ("6GiB", 6 << 30),
            ("512mib", 512 << 20),
            ("1.5 KiB", 1536),
            ("4GB", 4_000_000_000),
            ("12", 12),
            ("7b", 7),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "GiB", "0", "-1GiB", "6XiB", "NaN", "inf", "1e999", "6 6", "0.1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(batch_size("auto"), Ok(BatchSize::Auto));
        assert_eq!(batch_size("12"), Ok(BatchSize::Images(12)));
        for wrong in ["0", "-1", "", "Auto", "1.5", "99999999999"] {
            assert!(batch_size(wrong).is_err(), "{wrong}");
        }
    }
}
