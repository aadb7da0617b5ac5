//! `wgrad plan`: what a training step computes, before anything runs.

use crate::{
    Failure,
    model::{Description, Task},
};
use serde_json::json;
use std::io::Write;
use wgrad::{Array, Device, data::Dataset, optim::Adam, train::Trainer};

/// Print what one training step computes, in which order and in how much memory; a plan is the
/// same for every device.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad plan digits
  wgrad plan fashion-mnist --batch 256
  wgrad plan digits --json | jq .bytes")]
pub struct Args {
    /// What would be trained on; images stand for ten classes of 64x64 pixels.
    task: Task,
    /// Images a step [default: 32; 64 for fashion-mnist and mnist].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Print one JSON object: the steps, the dispatches of a GPU, operations, and bytes of memory.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let description = Description::of(args.task);
    // Only the shape of an image counts.
    let images = Array::new(description.shape(0), &[] as &[f32])?;
    let data = Dataset::new(images, Array::new([0], &[] as &[u32])?)?;
    let model = description.model();
    let batch = args.batch.unwrap_or(args.task.defaults().batch);
    let optimizer = Adam::new(1e-3);
    let program = Trainer::new(&model, &optimizer).step(&Device::cpu(), &data, batch as usize)?;
    let plan = program.plan().ok_or("the CPU device has no plan")?;
    if !args.json {
        return Ok(writeln!(std::io::stdout(), "{plan}")?);
    }
    let object = json!({
        "task": args.task.name(),
        "batch": batch,
        "steps": plan.len(),
        "dispatches": program.shaders().len(),
        "flops": plan.flops(),
        "bytes": plan.peak_bytes(),
    });
    Ok(writeln!(std::io::stdout(), "{object}")?)
}
