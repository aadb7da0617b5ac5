//! Norms along axes, of every order.

use super::{definition::of_rows, math::root, precision::in_f32};
use crate::{
    dtype::DType,
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Sample},
        full::constant,
    },
    shape::{Axes, Meta},
};

impl<'g> Tensor<'g> {
    /// L2 norm along axes, `sqrt(sum x^2)`.
    ///
    /// # Gradient
    ///
    /// 0 at 0.
    ///
    /// # Source
    ///
    /// PyTorch's `linalg.vector_norm`.
    #[doc(alias = "linalg.norm")]
    #[track_caller]
    pub fn norm(self, axes: impl Axes) -> Tensor<'g> {
        in_f32("norm", [self], |[x]| root((x * x).sum(axes)))
    }

    /// L1 norm along axes, `sum |x|`.
    ///
    /// # Gradient
    ///
    /// The sign of each element: 0 at 0.
    ///
    /// # Source
    ///
    /// PyTorch's `linalg.vector_norm`.
    #[doc(alias = "l1_norm")]
    #[track_caller]
    pub fn norm_l1(self, axes: impl Axes) -> Tensor<'g> {
        self.of_floats("norm_l1").abs().sum(axes)
    }

    /// Maximum norm along axes, `max |x|`; NaN if any element is.
    ///
    /// # Errors
    ///
    /// [`OpError::Empty`](crate::OpError::Empty) over no elements.
    ///
    /// # Gradient
    ///
    /// The sign of the largest element; shared equally at ties.
    ///
    /// # Source
    ///
    /// PyTorch's `linalg.vector_norm`.
    #[track_caller]
    pub fn norm_max(self, axes: impl Axes) -> Tensor<'g> {
        self.of_floats("norm_max").abs().amax(axes)
    }

    /// Norm of order `p` along axes, `(sum |x|^p)^(1 / p)`; for an infinite `p` the largest
    /// magnitude, for negative infinity the smallest, and for 0 the number of elements that are not
    /// 0. Of a negative order it is 0 where an element is.
    ///
    /// # Gradient
    ///
    /// 0 for elements that are 0, if all are, or if `p` is not positive and one is; otherwise `x |x|^(p -
    /// 2) / y^(p - 1)`. As for [`norm_max`](Self::norm_max) if `p` is infinite; none if it is 0.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) for a `p` that is NaN;
    /// [`OpError::Empty`](crate::OpError::Empty) over no elements if `p` is negative or infinite.
    ///
    /// # Source
    ///
    /// PyTorch's `linalg.vector_norm`.
    #[doc(alias = "vector_norm")]
    #[track_caller]
    pub fn norm_p(self, p: f64, axes: impl Axes) -> Tensor<'g> {
        let order = [("p", p, Must::BeANumber)];
        if let Some(refused) = self.graph().refuse_invalid("norm_p", &[self], &order) {
            return refused;
        }
        if p == f64::INFINITY {
            return self.norm_max(axes);
        }
        if p == f64::NEG_INFINITY {
            return self.of_floats("norm_p").abs().amin(axes);
        }
        if p == 2.0 {
            // Its second derivative is not 0 where an element is.
            return self.norm(axes);
        }
        let axes = match axes.resolve(self.rank()) {
            Ok(axes) => axes.into_iter().map(|axis| axis as i32).collect::<Vec<_>>(),
            Err(reason) => return self.graph().refuse("norm_p", &[self], reason),
        };
        let axes = axes.as_slice();
        // Powers and roots of 0 may have no derivative, and the unselected branch must be finite.
        let power = |x: Tensor<'g>, p: f64| {
            let is_none = x.less_equal(0.0);
            is_none.select(0.0, is_none.select(1.0, x).pow(constant(x, p)))
        };
        in_f32("norm_p", [self], |[x]| {
            let sizes = x.abs();
            if p == 0.0 {
                return x.not_equal(0.0).cast(DType::F32).sum(axes);
            }
            if p > 0.0 {
                return power(power(sizes, p).sum(axes), 1.0 / p);
            }
            let has_none = sizes.amin(axes).equal(0.0);
            let sizes = sizes.equal(0.0).select(1.0, sizes);
            let sum = sizes.pow(constant(x, p)).sum(axes);
            has_none.select(0.0, sum.pow(constant(sum, 1.0 / p)))
        })
    }
}

/// The largest magnitude; NaN if any is.
fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |max, x| if x.is_nan() { f64::NAN } else { x.abs().max(max) })
}

/// The smallest magnitude; NaN if any is.
fn smallest(x: &[f64]) -> f64 {
    x.iter().fold(INF, |min, x| if x.is_nan() || min.is_nan() { NAN } else { x.abs().min(min) })
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    let rows = |function| {
        let bound = (Bound::Abs(2e-6), "sums of ten numbers below 2, and a root");
        Sample::new(function, [of(&[4, 9])]).bound(bound.0, bound.1)
    };
    let norm_max = of_rows("norm_max", |x| x[0].norm_max(1), |x| largest(x[0]));
    let norm_min = of_rows("norm_p", |x| x[0].norm_p(-INF, 1), |x| smallest(x[0]));
    let reciprocal = of_rows(
        "norm_p",
        |x| x[0].norm_p(-1.5, 1),
        |x| x[0].iter().map(|x| x.abs().powf(-1.5)).sum::<f64>().powf(-1.0 / 1.5),
    );
    vec![
        rows(of_rows("norm", |x| x[0].norm(1), |x| x[0].iter().map(|x| x * x).sum::<f64>().sqrt())),
        rows(of_rows("norm_l1", |x| x[0].norm_l1(1), |x| x[0].iter().map(|x| x.abs()).sum()))
            .operand(0, Domain::Distinct),
        rows(of_rows(
            "norm_p",
            |x| x[0].norm_p(3.0, 1),
            |x| x[0].iter().map(|x| x.abs().powi(3)).sum::<f64>().cbrt(),
        ))
        .operand(0, Domain::Distinct),
        rows(of_rows(
            "norm_p",
            |x| x[0].norm_p(0.5, 1),
            |x| x[0].iter().map(|x| x.abs().sqrt()).sum::<f64>().powi(2),
        ))
        .operand(0, Domain::Values(&[0.2, -0.5, 1.1, -0.9, 0.7]))
        .bound(Bound::Ulp(40), "powers within 4 units, and the square of their sum"),
        rows(of_rows(
            "norm_p",
            |x| x[0].norm_p(0.0, 1),
            |x| x[0].iter().filter(|&&x| x != 0.0).count() as f64,
        ))
        .operand(0, Domain::Values(&[0.0, -1.5, 0.3, -0.0, 1e-30]))
        .bound(Bound::Exact, "a count")
        .convention(0, [0.0; 36])
        .named("order 0"),
        rows(reciprocal.clone())
            .operand(0, Domain::Values(&[0.2, -0.5, 1.1, -0.9, 0.7]))
            .bound(Bound::Ulp(40), "powers within 4 units, and a root of their sum")
            .named("order -1.5"),
        Sample::new(reciprocal, [of(&[2, 3])])
            .operand(0, Domain::Values(&[2.0, 0.0, -1.0, 0.0, -0.0, 0.0]))
            .bound(Bound::Exact, "0 where an element is")
            .convention(0, [0.0; 6])
            .named("order -1.5 of zeros"),
        rows(norm_min.clone()).operand(0, Domain::Distinct).named("order -inf"),
        Sample::new(norm_min.clone(), [of(&[2, 3])])
            .operand(0, Domain::Values(&[2.0, -1.0, 1.0, 0.0, -0.0, 3.0]))
            .convention(0, [0.0, -0.5, 0.5, 0.0, 0.0, 0.0])
            .named("order -inf, ties"),
        Sample::new(norm_min, [of(&[2, 2])])
            .operand(0, Domain::Values(&[2.0, NAN, -INF, 3.0]))
            .without_gradient()
            .named("order -inf, NaN, infinity"),
        rows(norm_max.clone()).operand(0, Domain::Distinct),
        // Ties of opposite signs, only zeros, NaN, and infinity.
        Sample::new(norm_max.clone(), [of(&[2, 3])])
            .operand(0, Domain::Values(&[2.0, -2.0, 1.0, 0.0, -0.0, 0.0]))
            .convention(0, [0.5, -0.5, 0.0, 0.0, 0.0, 0.0])
            .named("ties"),
        Sample::new(norm_max, [of(&[2, 2])])
            .operand(0, Domain::Values(&[2.0, NAN, -INF, 3.0]))
            .without_gradient()
            .named("NaN, infinity"),
    ]
}
