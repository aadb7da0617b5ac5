//! `wgrad diff`: finds the step of a model that goes wrong, and on which device.

use crate::{
    failure::Failure,
    predict,
    report::report,
    repro::{self, Repro},
};
use std::path::PathBuf;
use wgrad::{Array, Device, Selection, testing::Noise};

/// Run one training step of a saved model on two devices, step by step, and compare each part with
/// f64.
///
/// Both devices get the same operands for every part, so an error is found where it arises. The
/// images are noise. The model is not changed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad diff runs/digits/model.safetensors
  wgrad diff runs/digits/model.safetensors --devices cpu,gpu:0 --batch 64
  wgrad diff runs/digits/model.safetensors --repro wrong.safetensors
  wgrad diff runs/digits/model.safetensors --json | jq .divergence")]
pub struct Args {
    /// The model.safetensors written by `wgrad train`.
    model: PathBuf,
    /// The devices; the first one provides the operands for all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "cpu,gpu")]
    devices: Vec<Selection>,
    /// Number of images in the step.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Seed of the images and their labels.
    #[arg(long, default_value_t = 0)]
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

pub fn run(args: &Args) -> Result<(), Failure> {
    let (description, variables) = predict::load(&args.model)?;
    let devices = args.devices.iter().map(Device::select_blocking);
    let devices: Vec<Device> = devices.collect::<Result<_, _>>()?;
    let rows = args.batch as usize;
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
                Repro { description, rows, step }.save(path, &program, operands)?;
                eprintln!("step {step} is kept: wgrad verify --repro {}", path.display());
            }
            _ => eprintln!("no step is wrong: nothing is written to {}", path.display()),
        }
    }
    report(&mut std::io::stdout().lock(), &diff, &devices, args.json)
}
