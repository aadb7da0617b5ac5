//! `wgrad plan`: prints the steps of a training step without running it.

use crate::{
    console::Console,
    failure::Failure,
    model::{Description, Task},
    words::count,
};
use clap::ValueEnum;
use serde_json::json;
use std::io::Write;
use wgrad::{
    Array, Device, Precision, Program, Selection, Verification,
    bench::{SIZES, Workload, workloads},
    data::Labeled,
    gpu::Assembly,
    nn::MixedPrecision,
    optim::Adam,
    train::Trainer,
};

/// Print what one training step, or one run of a benchmark, computes, in which order and in how much
/// memory.
///
/// Nothing is run. Devices differ in few steps: a GPU has the gradients of a layer's weight and bias from
/// one, and may have products on its matrix units.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad plan digits
  wgrad plan fashion-mnist --batch-size 256
  wgrad plan transformer_train          a row of wgrad bench --list
  wgrad plan digits --shader 3          the WGSL of step 3
  wgrad plan fashion-mnist --precision mixed --device gpu
  wgrad plan matmul_1024 --precision split --device gpu
  wgrad plan digits --json | jq .bytes")]
pub struct Args {
    /// The subject: digits, fashion-mnist, mnist, images (ten classes of 64x64 pixels), or a row of
    /// `wgrad bench --list`.
    #[arg(value_name = "TASK", value_parser = subject)]
    subject: Subject,
    /// Batch size: images per step [default: 32; 64 for fashion-mnist and mnist].
    #[arg(long, visible_alias = "batch", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// Print the shaders of this step instead, exactly as a GPU gets them.
    #[arg(long, value_name = "STEP", conflicts_with = "json")]
    shader: Option<usize>,
    /// How layers compute in a task, or products in a row of wgrad bench.
    #[arg(long, value_enum, value_name = "PRECISION", default_value = "full")]
    precision: PlanPrecision,
    /// The device that the plan is for: cpu, gpu, gpu:NAME or gpu:INDEX.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Selection,
    /// Print one JSON object: the steps, the dispatches that a GPU would make of them, operations, and bytes of memory.
    #[arg(long)]
    json: bool,
}

/// How exactly the subject is calculated.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlanPrecision {
    /// In f32.
    Full,
    /// Layers in f16, with a loss that is scaled; only for a task.
    Mixed,
    /// Products and convolutions of f16 on matrix units; only for a row of wgrad bench.
    Units,
    /// Those of f32 too, each operand as two halves; only for a row of wgrad bench.
    Split,
}

/// Subject of the plan.
#[derive(Clone)]
enum Subject {
    Training(Task),
    Workload(String),
}

fn subject(text: &str) -> Result<Subject, String> {
    match Task::from_str(text, false) {
        Ok(task) => Ok(Subject::Training(task)),
        Err(_) if named(text).is_some() => Ok(Subject::Workload(text.to_owned())),
        Err(_) => {
            let tasks: Vec<_> = Task::value_variants().iter().map(|task| task.name()).collect();
            Err(format!("expected {}, or a row of wgrad bench --list", tasks.join(", ")))
        }
    }
}

/// The workload with this name.
fn named(name: &str) -> Option<Workload> {
    let all = workloads(&SIZES).into_iter();
    all.flat_map(Workload::with_smaller).find(|workload| workload.name == name)
}

pub fn run(args: &Args, console: &mut Console) -> Result<(), Failure> {
    let mut device = Device::select_blocking(&args.device)?;
    if let Device::Gpu(gpu) = &mut device {
        // A proof would run kernels.
        *gpu = gpu.clone().with_verification(Verification::Off);
    }
    let is_mixed = args.precision == PlanPrecision::Mixed;
    let precision = match args.precision {
        PlanPrecision::Full | PlanPrecision::Mixed => Precision::Full,
        PlanPrecision::Units => Precision::Units,
        PlanPrecision::Split => Precision::Split,
    };
    let (name, batch, program) = match &args.subject {
        Subject::Training(_) if precision != Precision::Full => {
            return Err("--precision: units and split are for a row of wgrad bench".into());
        }
        Subject::Workload(_) if is_mixed => {
            return Err("--precision: mixed is for a task, not for a row of wgrad bench".into());
        }
        Subject::Training(task) => {
            let batch = args.batch_size.unwrap_or(task.defaults().batch);
            (task.name(), Some(batch), training(*task, batch, &device, is_mixed)?)
        }
        Subject::Workload(_) if args.batch_size.is_some() => {
            return Err("--batch-size: the batch size of a row of wgrad bench is fixed".into());
        }
        Subject::Workload(name) => {
            let workload = named(name).ok_or("there is no such workload")?;
            (name.as_str(), None, workload.with_precision(precision).program(&device)?)
        }
    };
    if let Some(step) = args.shader {
        return print_shaders(&program, step, console);
    }
    let plan = program.plan().ok_or("the reference device has no plan")?;
    if !args.json {
        write!(console, "{plan}")?;
        if let Device::Gpu(_) = device {
            writeln!(console, "{}", count(program.shaders().len(), "dispatch", "dispatches"))?;
        }
        return Ok(());
    }
    let object = json!({
        "task": name,
        "batch_size": batch,
        "steps": plan.len(),
        "dispatches": program.shaders().len(),
        "flops": plan.flops(),
        "bytes": plan.peak_bytes(),
    });
    Ok(console.object(&object)?)
}

/// Prints the dispatches of a step. A line in front of each says what is not in its text.
fn print_shaders(program: &Program, step: usize, out: &mut Console) -> Result<(), Failure> {
    let shaders = program.shaders_of(step)?;
    if shaders.is_empty() {
        return Err(format!("step {step} has no shader: it copies").into());
    }
    for Assembly { label, shader, text, overrides, workgroups: [x, y, z], .. } in shaders {
        let overrides: Vec<_> =
            overrides.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
        let workgroups = if [x, y, z] == [1; 3] { "workgroup" } else { "workgroups" };
        writeln!(
            out,
            "// step {step}, {label}: {shader}.wgsl, {x} x {y} x {z} {workgroups}{}",
            overrides.concat()
        )?;
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// One training step.
fn training(task: Task, batch: u32, device: &Device, is_mixed: bool) -> Result<Program, Failure> {
    let description = Description::of(task);
    // Only the shape of an image matters.
    let images = Array::new(description.shape(0), &[] as &[f32])?;
    let data = Labeled::new(images, Array::new([0], &[] as &[u32])?)?;
    let (model, optimizer) = (description.model(), Adam::new(1e-3));
    let mut trainer = Trainer::classifier(&model, &optimizer);
    if is_mixed {
        trainer = trainer.mixed_precision(MixedPrecision::new());
    }
    Ok(trainer.step(device, &data, batch as usize)?)
}
