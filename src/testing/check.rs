//! Questions to a sample, and their answers.

use super::{DERIVATIVE_BOUNDS, Failure, GRAD_CHECK_BOUNDS};
use crate::{
    device::Device,
    dtype::DType,
    error::{CompileError, Error, SimulationError},
    gpu::{
        self, Assembly, Verdict,
        simulate::{self, DispatchReport},
    },
    graph::{Graph, NodeId},
    ops::{
        contract::{Sample, Subject},
        precision::MatrixUnits,
    },
    rewrite::{self, Target},
    schedule::{self, plan::Plan},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What is asked of a sample.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Check {
    /// Whether a device computes the result (order 0), or the derivatives of order 1 or 2, that f64
    /// gives: [`Sample::check`] and [`Sample::check_derivatives`]. A GPU [with
    /// guards](crate::gpu::GpuDevice::with_guards) computes the result for a consumer:
    /// [`Sample::check_with_consumer`].
    Values {
        /// The device.
        device: Device,
        /// 0, 1 or 2.
        order: usize,
    },
    /// Whether the derivative of order 1 or 2 is that of central differences, in f64:
    /// [`Sample::grad_check`].
    Slopes {
        /// 1 or 2.
        order: usize,
    },
    /// Whether the host finds no race, and no index past an end, in the shaders of the sample:
    /// [`races`](super::races).
    Races,
    /// Whether every kernel of the sample is proved on a GPU, as it is before a program may use it.
    Proof {
        /// The GPU. Other devices have no driver, and so nothing to prove.
        device: Device,
        /// Whether a kernel may be wrong on NaN, infinities and other special values.
        finite_only: bool,
    },
}

/// The answer for one sample.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Passed; the largest error as a share of what is allowed, and 0 for a proof.
    Passed(f64),
    /// There is nothing to check: the sample has no derivative, or the device nothing to prove.
    Inapplicable,
    /// The check, or its device, is not for an element type of the sample; or the host cannot follow
    /// a part of its shaders.
    Unsupported,
    /// Failed.
    Failed(Failure),
}

impl Check {
    /// Checks a sample. What its closures do is caught: a panic is a failure.
    pub fn run(&self, sample: &Sample) -> Outcome {
        let outcome = caught(|| match self {
            Check::Values { device, order } => values(sample, device, *order),
            Check::Slopes { order } => slope(sample, *order),
            Check::Races => hazards(sample),
            Check::Proof { device, finite_only } => proof(sample, device, *finite_only),
        });
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Error::Compile(CompileError::Unsupported { .. }))) => Outcome::Unsupported,
            Ok(Err(error)) => Outcome::Failed(Failure::Error(error)),
            Err(message) => Outcome::Failed(Failure::Panicked(message)),
        }
    }

    /// The error that is allowed, and why.
    pub(super) fn bound(&self, sample: &Sample) -> Option<String> {
        match self {
            Check::Values { order: 0, .. } if sample.reason.is_empty() => {
                Some(format!("{:?}", sample.bound))
            }
            Check::Values { order: 0, .. } => {
                Some(format!("{:?}: {}", sample.bound, sample.reason))
            }
            Check::Values { order, .. } => {
                let bound = DERIVATIVE_BOUNDS[order.clamp(&1, &2) - 1];
                Some(format!("{bound:e} of the largest element"))
            }
            Check::Slopes { .. } | Check::Races | Check::Proof { .. } => None,
        }
    }
}

impl std::fmt::Display for Check {
    /// `first derivative on llvmpipe`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let derivative = |order| if order == 1 { "first derivative" } else { "second derivative" };
        let (what, device) = match self {
            Check::Values { device, order: 0 } => ("result", device),
            Check::Values { device, order } => (derivative(*order), device),
            Check::Slopes { order } => {
                return write!(f, "{}, compared with differences", derivative(*order));
            }
            Check::Races => return f.write_str("races"),
            Check::Proof { device, .. } => ("proof", device),
        };
        write!(f, "{what} on {}", device.name())?;
        if is_guarded(device) { f.write_str(", between guard bands") } else { Ok(()) }
    }
}

fn values(sample: &Sample, device: &Device, order: usize) -> Result<Outcome, Error> {
    let agreement = match order {
        0 if is_guarded(device) => Some(sample.check_with_consumer(device)?),
        0 => Some(sample.check(device)?),
        _ => sample.check_derivatives(device, order)?,
    };
    Ok(match agreement {
        None => Outcome::Inapplicable,
        Some(agreement) if agreement.holds() => Outcome::Passed(agreement.share),
        Some(agreement) => Outcome::Failed(Failure::Wrong(agreement)),
    })
}

fn is_guarded(device: &Device) -> bool {
    matches!(device, Device::Gpu(gpu) if gpu.is_guarded)
}

fn slope(sample: &Sample, order: usize) -> Result<Outcome, Error> {
    let allowed = GRAD_CHECK_BOUNDS[order.clamp(1, 2) - 1];
    Ok(match sample.grad_check_of(order)? {
        Some(check) if check.error() < allowed => Outcome::Passed(check.error() / allowed),
        Some(check) => Outcome::Failed(Failure::Slope { check, allowed }),
        // The constants of their derivatives are rounded to 11 bits.
        None if sample.operands.iter().any(|(meta, _)| meta.dtype == DType::F16) => {
            Outcome::Unsupported
        }
        None => Outcome::Inapplicable,
    })
}

impl Sample {
    /// Every dispatch of the sample, as a GPU executes it that has all the units its products want; with
    /// `variants`, in every variant of its kernels. No adapter is needed.
    ///
    /// # Errors
    ///
    /// An error of the graph.
    pub fn shaders(&self, variants: bool) -> Result<Vec<Assembly>, Error> {
        let plan = planned(self, &MatrixUnits::ALL)?;
        Ok(match variants {
            true => gpu::assemble_variants(&plan),
            false => gpu::assemble_plan(&plan).into_iter().map(|(_, assembly)| assembly).collect(),
        })
    }
}

/// The plan of a sample on a device with these matrix units, with every result that its kernel has.
pub(crate) fn planned(sample: &Sample, available: &[MatrixUnits]) -> Result<Plan, Error> {
    let graph = Graph::new();
    let (operands, y) = sample.build(&graph);
    let sibling = match &sample.subject {
        Subject::Op(op) => op.sibling().map(|op| graph.push(op, &operands)),
        _ => None,
    };
    graph.check()?;
    let ids: Vec<NodeId> = [y].into_iter().chain(sibling).map(|tensor| tensor.id).collect();
    let (rewritten, ids) = rewrite::run(&graph, &ids, false, Target::with_units(available))?;
    Ok(schedule::plan(&rewritten, &ids, 2))
}

fn hazards(sample: &Sample) -> Result<Outcome, Error> {
    let reports = match simulate::check_plan(&planned(sample, &MatrixUnits::ALL)?) {
        Err(SimulationError::Unsupported { .. }) => return Ok(Outcome::Unsupported),
        reports => reports?,
    };
    let wrong = |report: &&DispatchReport| {
        !report.report.hazards.is_empty() || report.report.unfinished.is_some()
    };
    Ok(match reports.iter().find(wrong) {
        Some(report) => Outcome::Failed(Failure::Hazard(report.to_string())),
        None if reports.is_empty() => Outcome::Inapplicable,
        None => Outcome::Passed(0.0),
    })
}

fn proof(sample: &Sample, device: &Device, finite_only: bool) -> Result<Outcome, Error> {
    let Device::Gpu(gpu) = device else { return Ok(Outcome::Inapplicable) };
    let verdicts = gpu.verdicts_on(planned(sample, &gpu.matrix_units())?.into())?;
    let is_empty = verdicts.is_empty();
    let refused = verdicts.into_iter().find_map(|verdict| match verdict {
        Verdict::Proved => None,
        Verdict::Finite(_) if finite_only => None,
        Verdict::Finite(what) => Some(format!("its kernel is right only on finite values: {what}")),
        Verdict::Undefined => Some("its kernel has no definition to be proved by".to_owned()),
    });
    Ok(match refused {
        Some(why) => Outcome::Failed(Failure::Unproved(why)),
        None if is_empty => Outcome::Inapplicable,
        None => Outcome::Passed(0.0),
    })
}

/// Whether a graph takes the sample, and its definition these operands.
pub(super) fn is_valid(sample: &Sample) -> bool {
    let built = caught(|| {
        let graph = Graph::new();
        sample.build(&graph);
        graph.check().is_ok()
    });
    built == Ok(true)
}

/// The largest number of elements of an operand or of the result; `None` if it cannot be built.
pub(super) fn elements(sample: &Sample) -> Option<usize> {
    let built = caught(|| {
        let graph = Graph::new();
        let (inputs, y) = sample.build(&graph);
        graph.check().ok()?;
        inputs.iter().chain([&y]).map(|tensor| tensor.meta().shape.len()).max()
    });
    built.ok().flatten()
}

/// What a closure returns, or the message with which it panicked.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // Locks of devices are taken in spite of a panic, and a sample is not changed by being run.
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "with a value that is no text".to_owned())
}
