//! `wgrad plan`: what a training step computes, before anything runs.

use crate::{Failure, device::DeviceArgs, model::Task};
use std::io::Write;
use wgrad::{optim::Adam, train::Trainer};

/// Print what one training step computes, in which order and in how much memory.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad plan digits
  wgrad plan digits --device cpu --batch 256")]
pub struct Args {
    /// The data set.
    task: Task,
    #[command(flatten)]
    device: DeviceArgs,
    /// Images a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let device = args.device.open()?;
    let (train, _) = args.task.data()?;
    let model = args.task.model();
    let optimizer = Adam::new(1e-3);
    let program = Trainer::new(&model, &optimizer).step(&device, &train, args.batch as usize)?;
    let plan = program.plan().ok_or("the reference device interprets the graph: no plan")?;
    writeln!(std::io::stdout(), "{plan}")?;
    Ok(())
}
