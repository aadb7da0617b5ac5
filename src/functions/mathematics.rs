//! Elementary functions, and statistics along axes.

use super::{constant, elementwise, of_rows};
use crate::{
    dtype::DType,
    error::OpError,
    graph::Tensor,
    shape::{Axes, Meta},
    testing::{Bound, Domain, Function, Sample},
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

    /// `x` between `low` and `high`, and they themselves beyond.
    ///
    /// # Gradient
    ///
    /// 0 at the ends.
    #[track_caller]
    pub fn clip(self, low: f64, high: f64) -> Tensor<'g> {
        let x = self.of_floats("clip");
        let (low, high) = (constant(x, low), constant(x, high));
        x.less_equal(low).select(low, x.greater_equal(high).select(high, x))
    }

    /// `ln sum e^x` along axes, without overflow.
    ///
    /// # Gradient
    ///
    /// The softmax over these axes.
    #[track_caller]
    pub fn log_sum_exp(self, axes: impl Axes) -> Tensor<'g> {
        let x = self.of_floats("log_sum_exp");
        let axes = match axes.resolve(x.rank()) {
            Ok(axes) => axes.into_iter().map(|axis| axis as i32).collect::<Vec<_>>(),
            Err(reason) => return x.graph().refuse("log_sum_exp", &[x], reason),
        };
        let max = x.max_keepdims(axes.as_slice()).detach();
        // Nothing can be subtracted from an infinity.
        let max = max.abs().equal(f64::INFINITY).select(0.0, max);
        ((x - max).exp().sum_keepdims(axes.as_slice()).log() + max).squeeze(axes.as_slice())
    }

    /// The mean squared distance from the mean along axes; the sum is divided by `correction` less
    /// than the number of elements: 0 for what is all there is, 1 (Bessel) for a sample of it.
    ///
    /// # Errors
    ///
    /// [`OpError::Empty`] unless there are more elements than `correction`.
    #[track_caller]
    pub fn variance(self, axes: impl Axes, correction: usize) -> Tensor<'g> {
        let x = self.of_floats("variance");
        let axes = match axes.resolve(x.rank()) {
            Ok(axes) => axes,
            Err(reason) => return x.graph().refuse("variance", &[x], reason),
        };
        let shape = x.shape();
        let count: usize = axes.iter().map(|&axis| shape.dims()[axis]).product();
        if count <= correction {
            return x.graph().refuse("variance", &[x], OpError::Empty);
        }
        let axes: Vec<i32> = axes.into_iter().map(|axis| axis as i32).collect();
        let off = x - x.mean_keepdims(axes.as_slice());
        (off * off).sum(axes.as_slice()) / (count - correction) as f64
    }

    /// The square root of [`variance`](Self::variance).
    ///
    /// # Errors
    ///
    /// As of it.
    ///
    /// # Gradient
    ///
    /// Infinite where all elements are alike.
    #[track_caller]
    pub fn standard_deviation(self, axes: impl Axes, correction: usize) -> Tensor<'g> {
        self.variance(axes, correction).sqrt()
    }

    /// The length of vectors along axes, `sqrt(sum x^2)`.
    ///
    /// # Gradient
    ///
    /// 0 at 0.
    #[track_caller]
    pub fn norm(self, axes: impl Axes) -> Tensor<'g> {
        let x = self.of_floats("norm");
        let squares = (x * x).sum(axes);
        let is_none = squares.less_equal(0.0);
        is_none.select(0.0, is_none.select(1.0, squares).sqrt())
    }
}

/// The sum of squared distances from the mean.
fn spread(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| (x - mean).powi(2)).sum()
}

/// Every function, from its formula.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    let expm1 = elementwise("expm1", |x| x.expm1(), f64::exp_m1);
    let clip = elementwise("clip", |x| x.clip(-0.5, 0.7), |x| x.clamp(-0.5, 0.7));
    let rows = |function: Function| {
        let bound = (Bound::Abs(2e-6), "sums of ten numbers below 2, and a root");
        Sample::new(function, [of(&[4, 9])]).bound(bound.0, bound.1)
    };
    vec![
        Sample::new(expm1.clone(), [of(&[5, 17])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units"),
        Sample::new(expm1, [of(&[6])])
            .operand(0, Domain::Values(&[-100.0, -1e-6, 1e-20, 0.0, 80.0, 100.0]))
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units")
            .without_gradient()
            .named("ends"),
        Sample::new(clip, [of(&[4, 17])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(1), "constants are rounded"),
        rows(of_rows(
            "log_sum_exp",
            |x| x[0].log_sum_exp(1),
            |x| x[0].iter().map(|x| x.exp()).sum::<f64>().ln(),
        )),
        rows(of_rows(
            "log_sum_exp",
            |x| x[0].log_sum_exp(1),
            |x| {
                let max = x[0].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                max + x[0].iter().map(|x| (x - max).exp()).sum::<f64>().ln()
            },
        ))
        .operand(0, Domain::Values(&[500.0, -500.0, 499.0]))
        .bound(Bound::Ulp(4), "as elsewhere")
        .without_gradient()
        .named("far out"),
        rows(of_rows("variance", |x| x[0].variance(1, 1), |x| spread(x[0]) / 8.0)),
        rows(of_rows("variance", |x| x[0].variance(1, 0), |x| spread(x[0]) / 9.0)),
        rows(of_rows(
            "standard_deviation",
            |x| x[0].standard_deviation(1, 1),
            |x| (spread(x[0]) / 8.0).sqrt(),
        )),
        rows(of_rows("norm", |x| x[0].norm(1), |x| x[0].iter().map(|x| x * x).sum::<f64>().sqrt())),
    ]
}
