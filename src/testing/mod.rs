//! Test support shared with `verify`: samples, error bounds, and comparison.

mod compare;
mod derivatives;
mod gradients;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod mutants;
#[cfg(not(target_arch = "wasm32"))]
mod races;
#[cfg(test)]
mod reordering;

pub use crate::ops::contract::{
    Agreement, Bound, Domain, Function, Gradient, Noise, Sample, Subject,
};
pub use compare::{compare, evaluate};
pub use derivatives::DERIVATIVE_BOUNDS;
pub use gradients::{GRAD_CHECK_BOUNDS, GradCheck, grad_check, grad_check_module};
#[cfg(not(target_arch = "wasm32"))]
pub use races::{Access, DispatchReport, Hazard, Invocation, Report, races};

use crate::{functions, ops};

/// The samples of every operation, and of every function composed of operations.
pub fn samples() -> Vec<Sample> {
    [ops::samples(), functions::samples()].concat()
}
