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
    let x = operands[0];
    if operands.iter().all(|operand| !operand.failed()) && !x.dtype().is_float() {
        return x.graph.refuse(function, &operands, OpError::DType(x.dtype()));
    }
    rounded_once(function, &operands, |wide| body(std::array::from_fn(|k| wide[k])))
}

/// Calculates the loss `body` of `operands` in f32, and leaves it so: also if they are of f16, or some
/// of them. A sum of costs is no half, and a loss is scaled before it is differentiated.
///
/// # Errors
///
/// Recorded in the name of `function`: [`OpError::DType`] unless the first operand has floats.
#[track_caller]
pub(crate) fn loss_in_f32<'g, const N: usize>(
    function: &'static str,
    operands: [Tensor<'g>; N],
    body: impl FnOnce([Tensor<'g>; N]) -> Tensor<'g>,
) -> Tensor<'g> {
    if let Some(failed) = operands.iter().find(|operand| operand.failed()) {
        return *failed;
    }
    let x = operands[0];
    if !x.dtype().is_float() {
        return x.graph.refuse(function, &operands, OpError::DType(x.dtype()));
    }
    // The lines of `body` mean nothing to the user.
    let _line = Attribution::to_caller(x.graph);
    body(operands.map(Tensor::widened))
}

/// [`in_f32`] of any number of operands, the first of which may be integers: they stay as they are.
///
/// # Errors
///
/// Recorded in the name of `function`: [`OpError::DTypes`] if floats are of two types.
#[track_caller]
pub(crate) fn rounded_once<'g>(
    function: &'static str,
    operands: &[Tensor<'g>],
    body: impl FnOnce(&[Tensor<'g>]) -> Tensor<'g>,
) -> Tensor<'g> {
    if let Some(failed) = operands.iter().find(|operand| operand.failed()) {
        return *failed;
    }
    let [x, ..] = *operands else { unreachable!("a function has an operand") };
    let mut floats = operands.iter().map(|operand| operand.dtype()).filter(|own| own.is_float());
    let first = floats.next();
    if floats.any(|own| Some(own) != first) {
        return x.graph.refuse(function, operands, OpError::DTypes);
    }
    // The lines of `body` mean nothing to the user.
    let _line = Attribution::to_caller(x.graph);
    let y = body(&operands.iter().map(|x| x.widened()).collect::<Vec<_>>());
    if x.dtype() == DType::F16 { y.cast(DType::F16) } else { y }
}
