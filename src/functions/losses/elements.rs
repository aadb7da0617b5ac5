//! Losses of pairs of elements, and the samples of such.

use crate::{
    array64::Array64,
    dtype::DType,
    functions::{reduction::Reduction, targets::paired},
    graph::Tensor,
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

/// The reduction of a loss of pairs of elements, in f32.
///
/// # Errors
///
/// As [`paired`].
#[track_caller]
pub(super) fn of_elements<'g>(
    function: &'static str,
    operands: [Tensor<'g>; 2],
    reduction: Reduction,
    cost: impl FnOnce([Tensor<'g>; 2]) -> Tensor<'g>,
) -> Tensor<'g> {
    paired(function, operands, |operands| reduction.of(cost(operands)))
}

/// The function of a loss of pairs of elements, unreduced.
pub(super) fn of_pairs(
    name: &'static str,
    build: for<'g> fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    definition: fn(f64, f64) -> f64,
) -> Function {
    Function::new(
        name,
        move |x| build(x[0], x[1]),
        move |x| {
            Array64::from_fn(Meta::new(x[0].shape().clone(), DType::F32), |c| {
                definition(x[0].at(&c), x[1].at(&c))
            })
        },
    )
}

/// The bound of most samples of losses.
pub(super) const FEW: (Bound, &str) = (Bound::Abs(4e-6), "a few operations on numbers below 4");

/// A sample of a loss of pairs, with targets of this kind.
pub(super) fn pairs(function: Function, target: Domain) -> Sample {
    let matrix = || Meta::new([4, 17], DType::F32);
    Sample::new(function, [matrix(), matrix()])
        .operand(0, Domain::Distinct)
        .operand(1, target)
        .bound(FEW.0, FEW.1)
}

/// Targets that are no multiples of 0.03: differences keep away from 0, 0.5 and 1.
pub(super) fn off() -> Domain {
    Domain::Values(&[0.221, -0.379, 0.011, 0.341, -0.199])
}

/// Targets between 0 and 1.
pub(super) fn shares() -> Domain {
    Domain::Range(0.05, 0.95)
}
