//! Operands in f32 as two halves.
//!
//! Each row of an operand (each column, of the right one) is multiplied by a power of 2, so that its largest
//! element is a large half, rounded to f16, and what was cut off is rounded again. The result is divided by
//! both powers. Of a convolution, rows are channels of the weight, and columns read images.

use crate::{
    dtype::DType,
    graph::Tensor,
    ops::{precision::MatrixUnits, units::LARGEST},
    shape::Axes,
};

/// Units, and whether operands are split for them.
#[derive(Clone, Copy)]
pub(super) struct On {
    pub units: MatrixUnits,
    pub is_split: bool,
}

/// Exponents of the powers: the inverse of none is below the normal numbers, or infinite.
const EXPONENTS: [f64; 2] = [-113.0, 126.0];

/// The power of 2 that makes the largest magnitude along axes one of halves.
pub(super) fn scale(x: Tensor<'_>, axes: impl Axes) -> Tensor<'_> {
    let [least, most] = EXPONENTS;
    let exponent = LARGEST.log2() - x.abs().amax_keepdims(axes).log2().floor();
    exponent.maximum(least).minimum(most).exp2()
}

/// A product of operands that were multiplied by these powers, without them. By the larger one first: it
/// overflows if it must, and not on the way.
pub(super) fn unscaled<'g>(y: Tensor<'g>, of_a: Tensor<'g>, of_b: Tensor<'g>) -> Tensor<'g> {
    y / of_a.maximum(of_b) / of_a.minimum(of_b)
}

/// Two halves of which `x` is the sum, one after the other along a new first axis.
pub(super) fn halves(x: Tensor<'_>) -> Tensor<'_> {
    let high = x.cast(DType::F16);
    let low = (x - high.cast(DType::F32)).cast(DType::F16);
    x.graph.stack(&[high, low], 0)
}
