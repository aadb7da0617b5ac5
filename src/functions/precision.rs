//! The precision of functions: they calculate in f32, and round once.

use crate::{
    dtype::DType,
    error::OpError,
    graph::{Attribution, Tensor},
};

/// Calculates `body` of `operands` in f32, also if they are of f16: their floats are widened, and
/// the result is rounded to f16 once, whatever lies between. Counts, extents and constants of a
/// function are f32 for the same reason: they may not be halves.
///
/// # Errors
///
/// Recorded in the name of `function`: [`OpError::DType`] unless the first operand has floats;
/// [`OpError::DTypes`] if floats are of two types.
#[track_caller]
pub(crate) fn in_f32<'g, const N: usize>(
    function: &'static str,
    operands: [Tensor<'g>; N],
    body: impl FnOnce([Tensor<'g>; N]) -> Tensor<'g>,
) -> Tensor<'g> {
    let [x, ..] = operands[..] else { unreachable!("a function has an operand") };
    if let Some(failed) = operands.iter().find(|operand| operand.failed()) {
        return *failed;
    }
    let dtype = x.dtype();
    if !dtype.is_float() {
        return x.graph.refuse(function, &operands, OpError::DType(dtype));
    }
    if operands.iter().map(|operand| operand.dtype()).any(|own| own.is_float() && own != dtype) {
        return x.graph.refuse(function, &operands, OpError::DTypes);
    }
    // The lines of `body` mean nothing to the user.
    let _line = Attribution::to_caller(x.graph);
    let y = body(operands.map(Tensor::widened));
    if y.dtype() == DType::F32 { y.cast(dtype) } else { y }
}
