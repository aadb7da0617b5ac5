//! Losses: the cost of each element or row, and what a [`Reduction`] makes of the costs.
//!
//! Targets have the shape of the predictions, or are a single number: [`OpError::Shapes`] if not.
//! Broadcasting `[n, 1]` and `[n]` would make `[n, n]`.
//!
//! [`OpError::Shapes`]: crate::OpError::Shapes

mod binary;
mod classes;
mod distributions;
mod elements;
mod regression;
mod vectors;

pub use distributions::{GaussianNll, PoissonNll};

use crate::ops::contract::Sample;

/// Samples of every loss, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    let all = [
        regression::samples(),
        binary::samples(),
        classes::samples(),
        distributions::samples(),
        vectors::samples(),
    ];
    all.concat()
}
