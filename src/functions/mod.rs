//! Functions of tensors that are written in operations.
//!
//! They have no kernel: their derivatives, and how devices compute them, follow from what they are
//! written in. Each has a definition from its formula beside it, and samples like an operation.

mod activations;
mod attention;
mod losses;
mod mathematics;
mod rearranging;

pub use rearranging::Triangle;

use crate::{
    error::OpError,
    graph::Tensor,
    testing::{Function, Sample},
};

/// The samples of every function.
pub(crate) fn samples() -> Vec<Sample> {
    [
        activations::samples(),
        attention::samples(),
        losses::samples(),
        mathematics::samples(),
        rearranging::samples(),
    ]
    .concat()
}

/// A number beside `x`, as a sum of two where a float of 32 bits does not hold it: so the reference
/// has it to 48 bits; devices fold it into one.
#[track_caller]
pub(crate) fn constant(x: Tensor<'_>, number: f64) -> Tensor<'_> {
    let high = f64::from(number as f32);
    match high == number || !high.is_finite() {
        true => x.full_like(number),
        false => x.full_like(high) + (number - high),
    }
}

impl<'g> Tensor<'g> {
    /// This tensor, if it is one of floats; else an error in the name of `function`.
    #[track_caller]
    fn of_floats(self, function: &'static str) -> Tensor<'g> {
        match self.failed() || self.dtype().is_float() {
            true => self,
            false => self.graph().refuse(function, &[self], OpError::DType(self.dtype())),
        }
    }
}

/// A function of each element.
fn elementwise(
    name: &'static str,
    build: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    definition: fn(f64) -> f64,
) -> Function {
    Function::new(name, move |x| build(x[0]), move |x| x[0].map(x[0].meta.dtype, definition))
}
