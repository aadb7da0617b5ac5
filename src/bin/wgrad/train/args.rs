//! The options of `wgrad train`.

use crate::{
    device::DeviceArgs,
    model::{Defaults, Task},
    sets::DataArgs,
};
use std::path::PathBuf;

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
    /// Batch size: images per step [default: 32; 64 for fashion-mnist and mnist].
    #[arg(long, visible_alias = "batch", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: Option<u32>,
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

impl Args {
    /// The training settings of the task.
    pub fn settings(&self) -> Defaults {
        let defaults = self.task.defaults();
        Defaults {
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch: self.batch_size.unwrap_or(defaults.batch),
            lr: self.lr.unwrap_or(defaults.lr),
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("must be a positive number".to_owned()),
    }
}
