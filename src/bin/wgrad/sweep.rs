//! `wgrad sweep` and `wgrad tune`: every variant of a kernel, timed against the others.

use crate::{
    console::Console,
    device::{DeviceArgs, described},
    failure::Failure,
    words::{count, shown_path},
};
use serde_json::json;
use std::{
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::PathBuf,
    time::Duration,
};
use wgrad::{
    Device,
    bench::sweep::{self, FAMILIES, Measured, Problem, Verdict},
    gpu::GpuDevice,
};

/// Time every variant of every kernel on a GPU, each proved before, shape by shape.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad sweep --families matmul,convolution --budget 60
  wgrad sweep --shapes my-shapes.txt
  wgrad sweep --json > sweep.jsonl
  wgrad sweep --list                    the shapes, as --shapes reads them")]
pub struct Args {
    #[command(flatten)]
    problems: ProblemArgs,
    /// Print one JSON object per variant, as it is measured.
    #[arg(long)]
    json: bool,
    /// Print the shapes that would be swept, and how they are written, and exit.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Find the fastest variant of every kernel on this GPU, and keep it for all programs.
///
/// Variants agree bit for bit: this changes how long a program takes, and none of its results. What is
/// found holds for these shapes, and for this adapter, driver and version, in WGRAD_CACHE_DIR.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wgrad tune
  wgrad tune --shapes my-shapes.txt --budget 300")]
pub struct TuneArgs {
    #[command(flatten)]
    problems: ProblemArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(clap::Args)]
struct ProblemArgs {
    /// Only these families of kernels: see --list of wgrad sweep.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    families: Vec<String>,
    /// A file of shapes instead of ours, one a line; `#` begins a comment.
    #[arg(long, value_name = "FILE", conflicts_with = "families")]
    shapes: Option<PathBuf>,
    /// Seconds after which no other shape is begun.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    budget: u32,
}

impl ProblemArgs {
    fn problems(&self) -> Result<Vec<Problem>, Failure> {
        let Some(file) = &self.shapes else {
            return sweep::problems(&self.families).map_err(|error| error.reason.into());
        };
        let shown = shown_path(file);
        let text = fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
        let mut problems = vec![];
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let parsed = line.parse();
                problems.push(parsed.map_err(|error| format!("{shown}:{}: {error}", number + 1))?);
            }
        }
        match problems.is_empty() {
            true => Err(format!("{shown} has no shapes").into()),
            false => Ok(problems),
        }
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(self.budget.into())
    }
}

pub fn run(args: &Args, out: &mut Console) -> Result<(), Failure> {
    let problems = args.problems.problems()?;
    if args.list {
        for (family, usage) in FAMILIES {
            writeln!(out, "# {usage}")?;
            let mut of_it = problems.iter().filter(|problem| problem.family == family);
            of_it.try_for_each(|problem| writeln!(out, "{problem}"))?;
        }
        return Ok(());
    }
    let gpu = opened(&args.device, out)?;
    if !args.json {
        writeln!(out, "{}", described(&Device::Gpu(gpu.clone())))?;
    }
    measure(&gpu, &problems, args.problems.budget(), Mode { json: args.json, tunes: false }, out)
}

pub fn tune(args: &TuneArgs, out: &mut Console) -> Result<(), Failure> {
    let problems = args.problems.problems()?;
    let gpu = opened(&args.device, out)?;
    writeln!(out, "{}", described(&Device::Gpu(gpu.clone())))?;
    measure(&gpu, &problems, args.problems.budget(), Mode { json: false, tunes: true }, out)?;
    let place = sweep::save(&gpu)?;
    match place {
        Some(file) => writeln!(out, "\nkept in {}", shown_path(&file))?,
        None => {
            return Err("there is no cache directory to keep this in: set WGRAD_CACHE_DIR".into());
        }
    }
    Ok(())
}

fn opened(device: &DeviceArgs, out: &mut Console) -> Result<GpuDevice, Failure> {
    match device.open(out)? {
        Device::Gpu(gpu) => Ok(gpu),
        other => Err(format!("{} has no variants of kernels: choose a GPU", other.name()).into()),
    }
}

#[derive(Clone, Copy)]
struct Mode {
    json: bool,
    tunes: bool,
}

fn measure(
    gpu: &GpuDevice,
    problems: &[Problem],
    budget: Duration,
    Mode { json, tunes }: Mode,
    out: &mut Console,
) -> Result<(), Failure> {
    out.begin(json);
    let (mut failed, mut wrong, mut competitors) = (Ok(()), 0, Vec::<Measured>::new());
    let mut tell = |measured: &Measured| {
        wrong += usize::from(matches!(measured.verdict, Verdict::Wrong(_)));
        failed = if json {
            out.object(&object(measured))
        } else {
            competitors.push(measured.clone());
            let (variant, variants) = measured.variant;
            match variant + 1 == variants {
                true => table(&std::mem::take(&mut competitors), out),
                false => Ok(()),
            }
        };
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let begun = sweep::sweep(gpu, problems, budget, tunes, &mut tell)?;
    failed?;
    if begun < problems.len() {
        let left = count(problems.len() - begun, "shape is", "shapes are");
        out.note(&format!("note: {left} left out, the time is up (--budget)"));
    }
    match wrong {
        0 => Ok(()),
        _ => Err(format!("{} wrong", count(wrong, "variant is", "variants are")).into()),
    }
}

/// The variants of a kernel, the fastest first.
fn table(competitors: &[Measured], out: &mut Console) -> io::Result<()> {
    let Some(first) = competitors.first() else { return Ok(()) };
    writeln!(out, "\n{}: {}", first.problem, first.step)?;
    let mut sorted: Vec<&Measured> = competitors.iter().collect();
    let time = |measured: &Measured| match measured.times.is_empty() {
        true => f64::INFINITY,
        false => measured.times.median(),
    };
    sorted.sort_by(|a, b| time(a).total_cmp(&time(b)));
    let best = time(sorted[0]);
    for measured in sorted {
        let Measured { shader, workgroups, operations, bytes, .. } = measured;
        let seconds = time(measured);
        let result = match &measured.verdict {
            Verdict::Wrong(what) => format!("WRONG: {what}"),
            verdict => {
                let note = match verdict {
                    Verdict::Checked(Some(_)) => ", with runtime checks: it differs without",
                    Verdict::Finite(_) => ", right on finite values only",
                    _ => "",
                };
                format!(
                    "{:>10.1} us {:>10.1} GFLOP/s {:>8.1} GB/s {:>6.2}x{note}",
                    seconds * 1e6,
                    operations / seconds / 1e9,
                    bytes / seconds / 1e9,
                    seconds / best,
                )
            }
        };
        writeln!(out, "  {shader:<44} {workgroups:>7} workgroups {result}")?;
    }
    Ok(())
}

fn object(measured: &Measured) -> serde_json::Value {
    let Measured { problem, step, variant, shader, workgroups, operations, bytes, .. } = measured;
    let (verdict, what) = match &measured.verdict {
        Verdict::Checked(what) => ("checked", what.as_deref()),
        Verdict::Finite(what) => ("finite", Some(what.as_str())),
        Verdict::Wrong(what) => ("wrong", Some(what.as_str())),
        _ => ("trusted", None),
    };
    let times = &measured.times;
    let seconds = |seconds: f64| (!times.is_empty()).then_some(seconds);
    json!({
        "problem": problem,
        "step": step,
        "variant": variant.0,
        "variants": variant.1,
        "shader": shader,
        "workgroups": workgroups,
        "operations": operations,
        "bytes": bytes,
        "verdict": verdict,
        "what": what,
        "runs": times.len(),
        "min": seconds(times.min()),
        "median": seconds(times.median()),
    })
}
