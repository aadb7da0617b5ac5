//! Elementary functions.

use super::elementwise;
use crate::{
    dtype::DType,
    graph::Tensor,
    shape::Meta,
    testing::{Bound, Domain, Sample},
};

impl<'g> Tensor<'g> {
    /// `e^x - 1`, without loss where `x` is small.
    #[track_caller]
    pub fn expm1(self) -> Tensor<'g> {
        let x = self.of_floats("expm1");
        let is_small = x.abs().less(0.5);
        // With t = tanh(x / 2) it is 2 t / (1 - t), which subtracts nothing alike. What is not taken
        // must be finite, or its zero cotangent becomes NaN.
        let t = (is_small.select(x, x.full_like(0.0)) * 0.5).tanh();
        is_small.select(t * 2.0 / (1.0 - t), x.exp() - 1.0)
    }
}

/// Every function, from its formula.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    let expm1 = elementwise("expm1", |x| x.expm1(), f64::exp_m1);
    vec![
        Sample::new(expm1.clone(), [of(&[5, 17])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units"),
        Sample::new(expm1, [of(&[6])])
            .operand(0, Domain::Values(&[-100.0, -1e-6, 1e-20, 0.0, 80.0, 100.0]))
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units")
            .without_gradient()
            .named("ends"),
    ]
}
