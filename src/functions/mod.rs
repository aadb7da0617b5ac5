//! Functions of tensors that are written in operations.
//!
//! They have no kernel: their derivatives, and how devices compute them, follow from what they are
//! written in. Each has a definition from its formula beside it, and samples like an operation.

mod activations;
mod attention;
mod composed;
mod ctc;
mod einsum;
mod generators;
mod indices;
mod losses;
mod mathematics;
mod positions;
mod quantised;
mod rearranging;
mod recurrent;
mod resize;
mod sampling;
mod trigonometry;
mod windows;

pub use attention::AttentionOptions;
pub use rearranging::Triangle;
pub use resize::{Beyond, Grid, Interpolation};

use crate::{
    dtype::DType,
    error::OpError,
    graph::Tensor,
    reference::Array64,
    shape::Meta,
    testing::{Function, Sample},
};

/// The samples of every function.
pub(crate) fn samples() -> Vec<Sample> {
    [
        activations::samples(),
        attention::samples(),
        composed::samples(),
        ctc::samples(),
        einsum::samples(),
        generators::samples(),
        indices::samples(),
        losses::samples(),
        mathematics::samples(),
        positions::samples(),
        quantised::samples(),
        rearranging::samples(),
        recurrent::samples(),
        resize::samples(),
        trigonometry::samples(),
        windows::samples(),
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

/// A function of each row of some matrices, or of vectors beside one.
fn of_rows(
    name: &'static str,
    build: for<'g> fn(&[Tensor<'g>]) -> Tensor<'g>,
    definition: fn(&[&[f64]]) -> f64,
) -> Function {
    Function::new(name, build, move |x| {
        let rows = x[0].shape().dims()[0];
        Array64::from_fn(Meta::new([rows], DType::F32), |c| {
            let row = |x: &&Array64| {
                let cols = x.data.len() / rows;
                x.data[c[0] * cols..(c[0] + 1) * cols].to_vec()
            };
            let operands: Vec<Vec<f64>> = x.iter().map(row).collect();
            definition(&operands.iter().map(Vec::as_slice).collect::<Vec<_>>())
        })
    })
}
