//! Test support shared with `verify`: samples, error bounds, and comparison.

#[cfg(not(target_arch = "wasm32"))]
mod check;
mod compare;
#[cfg(not(target_arch = "wasm32"))]
mod counterexample;
mod derivatives;
#[cfg(not(target_arch = "wasm32"))]
mod extents;
#[cfg(not(target_arch = "wasm32"))]
mod failure;
#[cfg(not(target_arch = "wasm32"))]
mod gpus;
mod gradients;
#[cfg(not(target_arch = "wasm32"))]
mod hostile;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod mutants;
#[cfg(not(target_arch = "wasm32"))]
mod op_check;
#[cfg(not(target_arch = "wasm32"))]
mod op_report;
#[cfg(not(target_arch = "wasm32"))]
mod races;
#[cfg(test)]
mod reordering;
#[cfg(not(target_arch = "wasm32"))]
mod shrink;
#[cfg(not(target_arch = "wasm32"))]
mod verify_op;

pub use crate::ops::contract::{
    Agreement, Bound, Domain, Function, Gradient, Noise, Sample, Subject,
};
#[cfg(test)]
pub(crate) use check::planned;
#[cfg(not(target_arch = "wasm32"))]
pub use check::{Check, Outcome};
pub use compare::{compare, evaluate};
#[cfg(not(target_arch = "wasm32"))]
pub use counterexample::Counterexample;
pub use derivatives::DERIVATIVE_BOUNDS;
#[cfg(not(target_arch = "wasm32"))]
pub use failure::Failure;
#[cfg(not(target_arch = "wasm32"))]
pub use gpus::{gpus, gpus_for_tests};
pub use gradients::{GRAD_CHECK_BOUNDS, GradCheck, grad_check, grad_check_module};
#[cfg(not(target_arch = "wasm32"))]
pub use op_check::OpCheck;
#[cfg(not(target_arch = "wasm32"))]
pub use op_report::{Checked, OpReport};
#[cfg(not(target_arch = "wasm32"))]
pub use races::{Access, DispatchReport, Hazard, Invocation, Report, races};
#[cfg(not(target_arch = "wasm32"))]
pub use verify_op::verify_op;

use crate::{functions, ops};

/// The samples of every operation, and of every function composed of operations.
pub fn samples() -> Vec<Sample> {
    [ops::samples(), functions::samples()].concat()
}
