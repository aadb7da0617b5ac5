//! `wgrad diff`: finds the step of a model that goes wrong, and on which device.

use crate::{
    console::Console,
    failure::Failure,
    place::writable,
    predict,
    report::report,
    repro::{self, Repro},
    words::shown_path,
};
use std::path::PathBuf;
use wgrad::{Array, Device, Selection, testing::Noise};

/// Run one training step of a saved model on two devices, one step of its plan after the other, and
/// compare every result with f64.
///
/// Both devices get the same operands for every step of the plan, so an error is found where it
/// arises. The images are noise. The model is not changed. The last line is the verdict, and the
/// exit code is 1 if a result is wrong.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad diff runs/digits/model.safetensors
  wgrad diff runs/digits/model.safetensors --devices cpu,gpu:0 --batch-size 64
  wgrad diff runs/digits/model.safetensors --repro wrong.safetensors
  wgrad diff runs/digits/model.safetensors --json | jq .verdict")]
pub struct Args {
    /// A model written by `wgrad train`.
    model: PathBuf,
    /// The devices to compare; the first one provides the operands of all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "cpu,gpu")]
    devices: Vec<Selection>,
    /// Batch size: number of images in the step.
    #[arg(long, visible_alias = "batch", value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Seed of the images and their labels.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the first wrong step and its operands to this file, for `wgrad verify --repro`.
    #[arg(long, value_name = "FILE")]
    repro: Option<PathBuf>,
    /// With --repro, write this step, right or wrong, as numbered by `wgrad plan`.
    #[arg(long, value_name = "N", requires = "repro")]
    step: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    if let Some(path) = &args.repro {
        writable(path)?;
    }
    let (description, variables) = predict::load(&args.model)?;
    let devices = args.devices.iter().map(Device::select_blocking);
    let devices: Vec<Device> = devices.collect::<Result<_, _>>()?;
    let rows = args.batch_size as usize;
    let mut noise = Noise::new(args.seed);
    let shape = description.shape(rows);
    let pixels: usize = shape.iter().product();
    let pixels: Vec<f32> = (0..pixels).map(|_| noise.unit() as f32).collect();
    let classes = description.classes.len() as f64;
    let labels: Vec<u32> = (0..rows).map(|_| (classes * noise.unit()) as u32).collect();
    let (images, labels) = (Array::new(shape, &pixels)?, Array::new([rows], &labels)?);
    let program = repro::program(&description, rows)?;
    let inputs = [("inputs", &images), ("targets", &labels)];
    let diff = program.diff(&variables, &inputs, &devices)?;
    if let Some(path) = &args.repro {
        let wrong = diff.divergence.as_ref().map(|divergence| divergence.step);
        match (args.step.or(wrong), devices.first()) {
            (Some(step), Some(device)) => {
                let operands = program.operands(&variables, &inputs, device, step)?;
                let wrote = Repro { description, rows, step }.save(path, &program, operands)?;
                console.note(&wrote);
                let path = shown_path(path);
                console.note(&format!("run it again with: wgrad verify --repro {path}"));
            }
            _ => {
                let path = shown_path(path);
                console.note(&format!("no step is wrong: nothing was written to {path}"));
            }
        }
    }
    report(console, &diff, &devices, args.json)
}
