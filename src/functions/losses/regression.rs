//! Losses of numbers.

use super::elements::{of_elements, of_pairs, off, pairs};
use crate::{
    array64::Array64,
    dtype::DType,
    functions::reduction::Reduction,
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// `(x - target)^2`.
    #[doc(alias("mse_loss", "MSELoss", "MeanSquaredError"))]
    #[track_caller]
    pub fn squared_error(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("squared_error", [self, target], reduction, |[x, target]| {
            let error = x - target;
            error * error
        })
    }

    /// `|x - target|`.
    #[doc(alias("l1_loss", "L1Loss", "MeanAbsoluteError"))]
    #[track_caller]
    pub fn absolute_error(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("absolute_error", [self, target], reduction, |[x, target]| (x - target).abs())
    }

    /// Half the squared error up to an absolute error of `delta`, and `delta (|error| - delta / 2)`
    /// beyond.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) unless `delta` is positive.
    ///
    /// # Source
    ///
    /// Huber 1964.
    #[doc(alias("huber_loss", "HuberLoss"))]
    #[track_caller]
    pub fn huber(self, target: Tensor<'g>, delta: f64, reduction: Reduction) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "huber",
            &[self, target],
            &[("delta", delta, Must::BePositive)],
        ) {
            return refused;
        }
        of_elements("huber", [self, target], reduction, |[x, target]| {
            let error = x - target;
            let (size, delta) = (error.abs(), constant(error, delta));
            let is_far = size.greater_equal(delta);
            // An infinite error would make the slope NaN: 0 times infinity.
            let near = is_far.select(0.0, error);
            is_far.select(delta * (size - delta * 0.5), near * near * 0.5)
        })
    }

    /// [`huber`](Self::huber) divided by `beta`: the absolute error, smoothed below `beta`. With a
    /// `beta` of 0 it is [`absolute_error`](Self::absolute_error).
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) if `beta` is negative or NaN.
    ///
    /// # Source
    ///
    /// Girshick 2015, "Fast R-CNN"; `beta` as in PyTorch.
    #[doc(alias("smooth_l1_loss", "SmoothL1Loss"))]
    #[track_caller]
    pub fn smooth_l1(self, target: Tensor<'g>, beta: f64, reduction: Reduction) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "smooth_l1",
            &[self, target],
            &[("beta", beta, Must::BeAtLeast0)],
        ) {
            return refused;
        }
        of_elements("smooth_l1", [self, target], reduction, |[x, target]| {
            let error = x - target;
            if beta == 0.0 {
                return error.abs();
            }
            let (size, beta) = (error.abs(), constant(error, beta));
            let is_far = size.greater_equal(beta);
            // As for `huber`.
            let near = is_far.select(0.0, error);
            is_far.select(size - beta * 0.5, near * near * 0.5 / beta)
        })
    }
}

/// The samples, also of every reduction.
pub(super) fn samples() -> Vec<Sample> {
    let of_squares = |reduction: Reduction, divisor: fn(&Meta) -> usize| {
        Function::new(
            "squared_error",
            move |x| x[0].squared_error(x[1], reduction),
            move |x| {
                let squares = x[0].data.iter().zip(&x[1].data).map(|(x, t)| (x - t).powi(2));
                let sum: f64 = squares.sum();
                Array64 {
                    meta: Meta::new([], DType::F32),
                    data: vec![sum / divisor(&x[0].meta) as f64],
                }
            },
        )
    };
    vec![
        pairs(
            of_pairs(
                "squared_error",
                |x, t| x.squared_error(t, Reduction::None),
                |x, t| (x - t).powi(2),
            ),
            off(),
        ),
        pairs(of_squares(Reduction::Mean, |x| x.shape.len()), off()).named("mean"),
        pairs(of_squares(Reduction::Sum, |_| 1), off())
            .bound(crate::ops::contract::Bound::Abs(4e-5), "a sum of 68 squares below 4")
            .named("sum"),
        pairs(of_squares(Reduction::BatchMean, |x| x.shape.dims()[0]), off())
            .bound(crate::ops::contract::Bound::Abs(1e-5), "a sum of 17 squares below 4")
            .named("mean of a batch"),
        pairs(
            of_pairs(
                "absolute_error",
                |x, t| x.absolute_error(t, Reduction::None),
                |x, t| (x - t).abs(),
            ),
            off(),
        ),
        pairs(
            of_pairs(
                "huber",
                |x, t| x.huber(t, 0.5, Reduction::None),
                |x, t| match (x - t).abs() {
                    d if d <= 0.5 => d * d / 2.0,
                    d => 0.5 * (d - 0.25),
                },
            ),
            off(),
        ),
        pairs(
            of_pairs(
                "smooth_l1",
                |x, t| x.smooth_l1(t, 0.5, Reduction::None),
                |x, t| match (x - t).abs() {
                    d if d < 0.5 => d * d,
                    d => d - 0.25,
                },
            ),
            off(),
        ),
    ]
}
