//! `wgrad train`: trains a network and writes it to a file.

use crate::{
    device::{DeviceArgs, proofs, told_proofs},
    failure::Failure,
    model::{Defaults, Description, Task},
    sets::{DataArgs, Sets},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
};
use wgrad::{
    Device, Variables,
    io::{safetensors, write_atomically},
    optim::Adam,
    train::{Epoch, MODEL, Report, Trainer},
};

/// Train a network, print how well it does, and save its weights.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad train digits
  wgrad train digits --device gpu --epochs 50 --out runs/long
  wgrad train fashion-mnist
  wgrad train mnist --data package/data
  wgrad train images --data photos
  wgrad train digits --device cpu --json | tail -n 1 | jq .test_accuracy")]
pub struct Args {
    /// The data set to train on.
    task: Task,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Number of epochs [default: 20; 6 for fashion-mnist, 3 for mnist].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Images per step [default: 32; 64 for fashion-mnist and mnist].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Learning rate of Adam [default: 0.001; 0.002 for digits].
    #[arg(long, allow_negative_numbers = true, value_parser = positive)]
    lr: Option<f64>,
    /// Seed of the initial weights and the order of images; the same seed gives the same result.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Directory for model.safetensors [default: runs/TASK].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stop at the first NaN or infinity and name the operation that produced it; slow.
    #[arg(long)]
    check_finite: bool,
    /// Print one JSON object per line: the epochs, then the result.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The training settings of the task.
    fn settings(&self) -> Defaults {
        let defaults = self.task.defaults();
        Defaults {
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch: self.batch.unwrap_or(defaults.batch),
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

pub fn run(args: &Args) -> Result<(), Failure> {
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(args.task.name()));
    let file = out.join("model.safetensors");
    writable(&out)?;
    let device = args.device.open()?;
    let Sets { description, train, test } = args.data.load(args.task)?;
    let model = description.model();
    let Defaults { epochs, batch, lr } = args.settings();
    let optimizer = Adam::new(lr);
    let trainer = Trainer::new(&model, &optimizer)
        .epochs(epochs as usize)
        .batch(batch as usize)
        .seed(args.seed)
        .check_finite(args.check_finite);
    let variables = Variables::new(args.seed);
    let bar = progress(u64::from(epochs));
    if !args.json {
        let (train, test) = (train.len(), test.len());
        let name = args.task.name();
        say(&format!("{name}: {train} images to train, {test} held out, on {}", device.name()))?;
    }

    let mut failure: Option<Failure> = None;
    let report = trainer.fit(&device, &variables, (&train, &test), &mut |epoch| {
        bar.inc(1);
        match bar.suspend(|| tell(epoch, args.json)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    bar.finish_and_clear();
    let report = report?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let prefix = format!("{MODEL}/");
    safetensors::save_with_note(&file, &variables, &prefix, &description.to_json())?;
    let weights = fingerprint(&variables)?;
    if args.json {
        as_json(args, &report, &description, &device, &file, &weights)
    } else {
        as_text(&report, &description, &device, &file, &weights)
    }
}

/// Checks that the directory is writable before training starts.
fn writable(directory: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let probe = directory.join(format!(".{}.probe", std::process::id()));
    write_atomically(&probe, &[])?;
    std::fs::remove_file(&probe).map_err(failed)?;
    Ok(())
}

/// On stderr, and only if that is a terminal.
fn progress(epochs: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(epochs), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} epoch {pos}/{len}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn tell(epoch: &Epoch, json: bool) -> Result<(), Failure> {
    if !epoch.train_loss.is_finite() {
        let number = epoch.number;
        return Err(format!("the loss diverged in epoch {number}: try a smaller --lr").into());
    }
    if json {
        return say(&json!({
            "epoch": epoch.number,
            "train_loss": epoch.train_loss,
            "test_loss": epoch.test_loss,
            "test_accuracy": epoch.test_accuracy,
            "seconds": epoch.seconds,
        })
        .to_string());
    }
    say(&format!(
        "epoch {:>3}  train loss {:.4}  test loss {:.4}  test accuracy {:>6.2}%",
        epoch.number,
        epoch.train_loss,
        epoch.test_loss,
        100.0 * epoch.test_accuracy
    ))
}

fn as_text(
    report: &Report,
    description: &Description,
    device: &Device,
    file: &Path,
    weights: &str,
) -> Result<(), Failure> {
    let proofs = told_proofs(device).map_or_else(String::new, |told| format!("\n{told}"));
    // For digits, the class names equal their indices.
    let named = description.classes.iter().enumerate();
    let mut named: String = named
        .map(|(number, name)| (number.to_string(), name))
        .filter(|(number, name)| number != *name)
        .map(|(number, name)| format!("\n{number:>5}  {name}"))
        .collect();
    if !named.is_empty() {
        named.push('\n');
    }
    let confusion = &report.confusion;
    say(&format!(
        "\ntest accuracy {:.2}% of {} images, {} steps in {:.2} s\n\n\
         rows are true classes, columns predicted ones, and the share that is right\n{confusion}\n{}\n\
         weights {weights}{proofs}\nsaved to {}",
        100.0 * confusion.accuracy(),
        confusion.total(),
        report.steps,
        report.seconds,
        named,
        file.display()
    ))
}

fn as_json(
    args: &Args,
    report: &Report,
    description: &Description,
    device: &Device,
    file: &Path,
    weights: &str,
) -> Result<(), Failure> {
    let Defaults { batch, lr, .. } = args.settings();
    let result = json!({
        "task": args.task.name(),
        "classes": description.classes,
        "test_accuracy": report.confusion.accuracy(),
        "train_loss": report.epochs.last().map(|epoch| epoch.train_loss),
        "test_loss": report.epochs.last().map(|epoch| epoch.test_loss),
        "seconds": report.seconds,
        "epochs": report.epochs.len(),
        "steps": report.steps,
        "batch": batch,
        "lr": lr,
        "seed": args.seed,
        "device": device.name(),
        "device_type": device.kind(),
        "proofs": proofs(device),
        "weights_sha256": weights,
        "confusion": report.confusion.rows().collect::<Vec<_>>(),
        "model": file.display().to_string(),
    });
    say(&result.to_string())
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

/// `println!` would panic on a closed pipe.
fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
