//! Dropout.

use super::{Mode, Module, Scope};
use crate::{
    functions::{drops_all, precision::in_f32},
    graph::Tensor,
    numbers::Must,
};
use std::panic::Location;

/// Inverted dropout: in training, every element becomes 0 with probability `p` and is divided by
/// `1 - p` otherwise, which preserves its mean; in evaluation, the identity. A `p` of 1 leaves
/// nothing but zeros.
///
/// # Numerics
///
/// Dropped elements are 0, and have a derivative of 0, even if they are NaN or infinite.
///
/// # Errors
///
/// [`OpError::Number`](crate::OpError::Number), recorded by the graph, if `p` is not in `[0, 1]`.
///
/// # Source
///
/// Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    p: f64,
    line: &'static Location<'static>,
}

impl Dropout {
    /// Creates dropout with this probability.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        Dropout { p, line: Location::caller() }
    }

    /// Whether it is the identity; false for an invalid probability, an error that should not wait
    /// for the first training step.
    pub(super) fn passes(&self, mode: Mode) -> bool {
        self.p == 0.0 || mode == Mode::Eval && (0.0..=1.0).contains(&self.p)
    }
}

impl Module for Dropout {
    fn name(&self) -> &str {
        "dropout"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        if self.passes(cx.mode()) {
            return x;
        }
        let p = [("p", self.p, Must::BeFraction)];
        if let Some(refused) = cx.graph().refuse_invalid("dropout", &[x], &p) {
            return refused;
        }
        if drops_all(self.p) {
            return x.of_floats("dropout").all_replaced(0.0);
        }
        let draw = cx.uniform(x.shape());
        let keep = draw.greater_equal(draw.full_like(self.p));
        in_f32("dropout", [x], |[x]| keep.select(x * (1.0 / (1.0 - self.p)), x.full_like(0.0)))
    }
}
