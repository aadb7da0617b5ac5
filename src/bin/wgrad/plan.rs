//! `wgrad plan`: what a training step computes, before anything runs.

use crate::{Failure, model::Task};
use serde_json::json;
use std::io::Write;
use wgrad::{Device, optim::Adam, train::Trainer};

/// Print what one training step computes, in which order and in how much memory; a plan is the
/// same for every device.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad plan digits
  wgrad plan digits --batch 256
  wgrad plan digits --json | jq .bytes")]
pub struct Args {
    /// The data set.
    task: Task,
    /// Images a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Print one JSON object: the steps, the dispatches of a GPU, operations, and bytes of memory.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let (train, _) = args.task.data()?;
    let model = args.task.model();
    let optimizer = Adam::new(1e-3);
    let program =
        Trainer::new(&model, &optimizer).step(&Device::cpu(), &train, args.batch as usize)?;
    let plan = program.plan().ok_or("the CPU device has no plan")?;
    if !args.json {
        return Ok(writeln!(std::io::stdout(), "{plan}")?);
    }
    let object = json!({
        "task": args.task.name(),
        "batch": args.batch,
        "steps": plan.len(),
        "dispatches": program.shaders().len(),
        "flops": plan.flops(),
        "bytes": plan.peak_bytes(),
    });
    Ok(writeln!(std::io::stdout(), "{object}")?)
}
