//! Every variant of every kernel of some problems: whether it is right on a GPU, and how long it takes.
//!
//! A [`Problem`] is a little program. Each of its steps that is more than a map runs alone, outside of
//! any plan, on operands that stay on the device, in one variant after the other: competitors are
//! neighbors in time. A variant is proved before it is timed, as for a program; one that is wrong is
//! reported and not timed.

mod problem;

pub use problem::{BadProblem, FAMILIES, Problem, problems};

use super::Times;
use crate::{
    error::{CompileError, Error},
    gpu::{Entry, GpuDevice, ModuleKind, assemble_steps},
    graph::Graph,
    ops::cost::Cost,
    rewrite::{self, Target},
    schedule::{
        self,
        plan::{Step, StepKind},
    },
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Runs before the first one that counts.
const WARM_UP: usize = 3;
/// Runs of a variant, unless they take long.
const RUNS: usize = 30;
/// Time after which no other run of a variant begins.
const LONG: Duration = Duration::from_millis(200);

/// The result of a variant of a kernel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// The problem.
    pub problem: String,
    /// The step of its program: its operations, such as `convolution_weight_grad`.
    pub step: String,
    /// Number of the variant, in order of preference, and how many there are.
    pub variant: (usize, usize),
    /// Its shader, with the values of its overrides.
    pub shader: String,
    /// Number of workgroups of its first dispatch.
    pub workgroups: u32,
    /// Operations, and bytes that must be moved.
    pub operations: f64,
    /// Bytes that have to be read or written once.
    pub bytes: f64,
    /// The verdict of its proof.
    pub verdict: Verdict,
    /// Times of its runs in seconds, by the clock of the device if it has one; none of one that is wrong.
    pub times: Times,
}

/// The verdict of a variant's proof.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Right, and the same without runtime checks: timed without.
    Trusted,
    /// Right; timed with runtime checks, for this reason if they were tried without.
    Checked(Option<String>),
    /// Right on finite values only.
    Finite(String),
    /// Wrong, or not compiled.
    Wrong(String),
}

/// Measures every variant of the kernels of these problems, until `budget` is used up; tells each as it
/// is known. Returns how many problems were begun.
///
/// With `tunes`, programs that are compiled from now on for this device take the fastest variant of each
/// kernel at these shapes, also in other processes.
///
/// # Errors
///
/// Any that the device reports, and that of a problem that is none, such as one whose window is larger
/// than its image.
pub fn sweep(
    gpu: &GpuDevice,
    problems: &[Problem],
    budget: Duration,
    tunes: bool,
    tell: &mut dyn FnMut(&Measured) -> ControlFlow<()>,
) -> Result<usize, Error> {
    let begin = Instant::now();
    for (index, problem) in problems.iter().enumerate() {
        if begin.elapsed() >= budget {
            return Ok(index);
        }
        for step in steps(problem, gpu)? {
            let mut fastest: Option<(usize, f64)> = None;
            let fits = |variant: &usize| gpu.fits(&gpu.assembled(&step, 0, *variant));
            for variant in (0..step.variants()).filter(fits) {
                let measured = measure(gpu, problem, &step, variant)?;
                let time = measured.times.median();
                if !measured.times.is_empty() && fastest.is_none_or(|(_, best)| time < best) {
                    fastest = Some((variant, time));
                }
                if tell(&measured).is_break() {
                    return Ok(index + 1);
                }
            }
            if let (true, Some((best, _)), StepKind::Kernel { kernel, .. }) =
                (tunes && step.variants() > 1, fastest, &step.kind)
            {
                gpu.tune(&kernel.shaders, best, &format!("{problem}: {}", step.label));
            }
        }
    }
    Ok(problems.len())
}

/// Writes what was tuned on a device to its cache directory; returns the file, `None` if there is no
/// such directory.
///
/// # Errors
///
/// An error of the file system.
pub fn save(gpu: &GpuDevice) -> std::io::Result<Option<std::path::PathBuf>> {
    gpu.save_tuning()
}

/// The steps of a problem on a device that are more than maps and copies, each once.
fn steps(problem: &Problem, gpu: &GpuDevice) -> Result<Vec<Step>, Error> {
    let graph = Graph::new();
    let outputs: Vec<_> = problem.build(&graph).iter().map(|y| y.id()).collect();
    graph.check()?;
    let units = gpu.matrix_units();
    let target = Target::with_units(&units);
    let (rewritten, outputs) = rewrite::run(&graph, &outputs, false, target)?;
    let planned = assemble_steps(&schedule::plan(&rewritten, &outputs, 2));
    let steps = planned.into_iter().map(|(step, _)| step);
    Ok(steps
        .filter(|step| matches!(step.kind, StepKind::Kernel { .. } | StepKind::Reduce { .. }))
        .collect())
}

fn measure(
    gpu: &GpuDevice,
    problem: &Problem,
    step: &Step,
    variant: usize,
) -> Result<Measured, Error> {
    let (verdict, assemblies) = match gpu.judge_variant(step, variant) {
        Ok(judged) => {
            let is_trusted = judged.assemblies.iter().all(|a| a.module == ModuleKind::Trusted);
            let verdict = match judged.verdict {
                Entry::Failed(what) => Verdict::Wrong(what),
                Entry::Finite(what) => Verdict::Finite(what),
                Entry::Proved if is_trusted => Verdict::Trusted,
                Entry::Proved => Verdict::Checked(judged.distrust),
            };
            (verdict, judged.assemblies)
        }
        // A variant that this device does not take says nothing of the next.
        Err(error @ Error::Compile(CompileError::Shader { .. })) => {
            (Verdict::Wrong(error.to_string()), gpu.assembled(step, 0, variant))
        }
        Err(error) => return Err(error),
    };
    let mut times = Times::default();
    if !matches!(verdict, Verdict::Wrong(_)) {
        let module =
            if verdict == Verdict::Trusted { ModuleKind::Trusted } else { ModuleKind::Checked };
        let alone = gpu.alone(step, variant, module)?;
        for _ in 0..WARM_UP {
            alone.run()?;
        }
        let begin = Instant::now();
        while times.is_empty() || (times.len() < RUNS && begin.elapsed() < LONG) {
            let time = alone.run()?;
            times.push(time.device.unwrap_or(time.wall));
        }
    }
    let Cost { flops, bytes, .. } = step.cost;
    let first = assemblies.first();
    let shader = first.map_or_else(String::new, |assembly| {
        let overrides = assembly.overrides.iter().map(|(name, value)| format!(" {name} {value}"));
        assembly.shader.to_owned() + &overrides.collect::<String>()
    });
    Ok(Measured {
        problem: problem.to_string(),
        step: step.label.clone(),
        variant: (variant, step.variants()),
        shader,
        workgroups: first.map_or(0, |assembly| assembly.workgroups.iter().product()),
        operations: flops,
        bytes,
        verdict,
        times,
    })
}
