//! Elementary functions, statistics, and cumulative products.

use super::{
    definition::{by_rows, elementwise, of_rows},
    precision::{in_f32, rounded_once},
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        normalize::deviations,
    },
    shape::{Axes, Meta, resolve_axis},
};

impl<'g> Tensor<'g> {
    #[track_caller]
    fn mean_of(self, axes: impl Axes, keepdims: bool) -> Tensor<'g> {
        let shape = self.shape();
        let axes = match axes.resolve(shape.rank()) {
            Ok(axes) => axes,
            Err(reason) => return self.graph().refuse("mean", &[self], reason),
        };
        let count: f64 = axes.iter().map(|&axis| shape.dims()[axis] as f64).product();
        let axes: Vec<_> = axes.into_iter().map(|axis| axis as i32).collect();
        in_f32("mean", [self], |[x]| {
            let axes = axes.as_slice();
            (if keepdims { x.sum_keepdims(axes) } else { x.sum(axes) }) / count
        })
    }

    /// Mean of floats along `axes`, which are dropped; 0/0 over no elements.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats.
    #[doc(alias("reduce_mean", "average"))]
    #[track_caller]
    pub fn mean(self, axes: impl Axes) -> Tensor<'g> {
        self.mean_of(axes, false)
    }

    /// Like [`Tensor::mean`], but keeps the axes with extent 1.
    #[doc(alias = "keepdim")]
    #[track_caller]
    pub fn mean_keepdims(self, axes: impl Axes) -> Tensor<'g> {
        self.mean_of(axes, true)
    }

    /// `e^x - 1`, accurate for small `x`.
    ///
    /// # Source
    ///
    /// PyTorch's `expm1`.
    #[track_caller]
    pub fn expm1(self) -> Tensor<'g> {
        in_f32("expm1", [self], |[x]| {
            let is_small = x.abs().less(0.5);
            // With t = tanh(x / 2) it is 2 t / (1 - t), which has no cancellation. The unselected
            // branch must be finite, or its zero cotangent becomes NaN.
            let t = (is_small.select(x, x.full_like(0.0)) * 0.5).tanh();
            is_small.select(t * 2.0 / (1.0 - t), x.exp() - 1.0)
        })
    }

    /// Whether each float is infinite, as booleans.
    #[doc(alias = "isinf")]
    #[track_caller]
    pub fn is_inf(self) -> Tensor<'g> {
        self.of_floats("is_inf").abs().equal(f64::INFINITY)
    }

    /// Whether each float is finite, as booleans.
    #[doc(alias = "isfinite")]
    #[track_caller]
    pub fn is_finite(self) -> Tensor<'g> {
        self.of_floats("is_finite").abs().less(f64::INFINITY)
    }

    /// `ln sum e^x` along axes, without overflow; negative infinity over no elements.
    ///
    /// # Gradient
    ///
    /// The softmax over these axes.
    ///
    /// # Source
    ///
    /// PyTorch's `logsumexp`.
    #[doc(alias("logsumexp", "reduce_logsumexp"))]
    #[track_caller]
    pub fn log_sum_exp(self, axes: impl Axes) -> Tensor<'g> {
        let axes = match axes.resolve(self.rank()) {
            Ok(axes) => axes.into_iter().map(|axis| axis as i32).collect::<Vec<_>>(),
            Err(reason) => return self.graph().refuse("log_sum_exp", &[self], reason),
        };
        in_f32("log_sum_exp", [self], |[x]| {
            if x.shape().is_empty() {
                return x.exp().sum(axes.as_slice()).log();
            }
            let max = x.amax_keepdims(axes.as_slice()).detach();
            // An infinity cannot be subtracted.
            let max = max.is_inf().select(0.0, max);
            ((x - max).exp().sum_keepdims(axes.as_slice()).log() + max).squeeze(axes.as_slice())
        })
    }

    /// Variance along axes; the sum of squares is divided by the number of elements minus
    /// `correction`: 0 for a whole population, 1 (Bessel) for a sample of it.
    ///
    /// # Numerics
    ///
    /// With no more elements than `correction` the sum is divided by 0: NaN if it is 0, as that of
    /// one element is, and infinite otherwise.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's `var`.
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance(self, axes: impl Axes, correction: usize) -> Tensor<'g> {
        self.of_variance("variance", axes, correction, |variance| variance)
    }

    /// A function of the variance.
    #[track_caller]
    fn of_variance(
        self,
        function: &'static str,
        axes: impl Axes,
        correction: usize,
        of: impl FnOnce(Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let shape = self.shape();
        let axes = match axes.resolve(shape.rank()) {
            Ok(axes) => axes,
            Err(reason) => return self.graph().refuse(function, &[self], reason),
        };
        let count: usize = axes.iter().map(|&axis| shape.dims()[axis]).product();
        let axes: Vec<i32> = axes.into_iter().map(|axis| axis as i32).collect();
        in_f32(function, [self], |[x]| {
            let [off, _] = deviations(x, &axes);
            of((off * off).sum(axes.as_slice()) / count.saturating_sub(correction) as f64)
        })
    }

    /// The square root of [`variance`](Self::variance).
    ///
    /// # Errors
    ///
    /// As for [`variance`](Self::variance).
    ///
    /// # Gradient
    ///
    /// 0 if all elements are equal.
    ///
    /// # Source
    ///
    /// PyTorch's `std`.
    #[doc(alias = "std")]
    #[track_caller]
    pub fn standard_deviation(self, axes: impl Axes, correction: usize) -> Tensor<'g> {
        self.of_variance("standard_deviation", axes, correction, root)
    }

    /// Cumulative product along an axis: `y[i] = product of self[j] over j <= i`.
    ///
    /// # Numerics
    ///
    /// Built from products of 2, 4, 8, .. neighbors: if one of those overflows, so does every
    /// result that includes it, even if another factor would compensate. Integers wrap.
    ///
    /// # Gradient
    ///
    /// Computed without division, so it is correct next to zeros.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `cumprod`.
    #[track_caller]
    pub fn cumprod(self, axis: i32) -> Tensor<'g> {
        let axis = match resolve_axis(axis, self.rank()) {
            Ok(_) if self.dtype() == DType::Bool => Err(OpError::DType(DType::Bool)),
            resolved => resolved.map_err(OpError::from),
        };
        let axis = match axis {
            Ok(axis) => axis,
            Err(reason) => return self.graph().refuse("cumprod", &[self], reason),
        };
        let extent = self.shape().dims()[axis];
        rounded_once("cumprod", &[self], |x| {
            let (mut y, mut reach) = (x[0], 1);
            while reach < extent {
                // Each element has the product of `reach` elements up to it; multiply by that of
                // those before.
                let mut pads = vec![(0, 0); y.rank()];
                pads[axis].0 = reach;
                y = y * y.slice(axis as i32, ..extent - reach).pad(&pads, 1.0);
                reach *= 2;
            }
            y
        })
    }
}

/// The square root, whose derivative at 0 is 0.
#[track_caller]
pub(super) fn root(x: Tensor<'_>) -> Tensor<'_> {
    let is_none = x.less_equal(0.0);
    // The unselected branch must be finite.
    is_none.select(0.0, is_none.select(1.0, x).sqrt())
}

/// A boolean function of each element.
fn truth(
    name: &'static str,
    build: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    holds: fn(f64) -> bool,
) -> Function {
    let definition = move |x: &[&Array64]| x[0].map(DType::Bool, |x| f64::from(u8::from(holds(x))));
    Function::new(name, move |x| build(x[0]), definition)
}

/// The sum of squared deviations from the mean.
fn spread(x: &[f64]) -> f64 {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    x.iter().map(|x| (x - mean).powi(2)).sum()
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const ENDS: &[f64] = &[NAN, -INF, INF, 0.0, -NAN, 3.4e38, -1e-30];

/// Samples along each axis, with zeros, with rows of one element and none, and of integers.
fn running_products() -> Vec<Sample> {
    let of = |dims: &[usize], axis: usize, dtype| {
        let function = Function::new(
            "cumprod",
            move |x| x[0].cumprod(axis as i32),
            move |x| {
                Array64::from_fn(x[0].meta.clone(), |mut c| {
                    (0..=c[axis])
                        .rev()
                        .map(|k| {
                            c[axis] = k;
                            x[0].at(&c)
                        })
                        .product()
                })
            },
        );
        let bound = (Bound::Ulp(dims[axis] as u32), "a rounding a factor");
        let sample = Sample::new(function.with(format!("[{axis}]")), [Meta::new(dims, dtype)]);
        sample.bound(bound.0, bound.1)
    };
    let floats = |dims, axis| of(dims, axis, DType::F32).operand(0, Domain::Range(0.8, 1.3));
    vec![
        floats(&[3, 7], 1),
        floats(&[8, 2, 3], 0).named("first axis"),
        floats(&[2, 70], 1).named("long"),
        floats(&[3, 1], 1).named("rows of one"),
        floats(&[3, 0], 1).named("empty rows"),
        floats(&[2, 9], 1)
            .operand(0, Domain::Values(&[2.0, -0.5, 0.0, 3.0, 1.5, 0.0, -1.0]))
            .named("zeros"),
        of(&[2, 6], 1, DType::I32).operand(0, Domain::Values(&[3.0, -2.0, 7.0, 1.0, 5.0])),
        of(&[2, 6], 1, DType::U32).operand(0, Domain::Below(9)),
    ]
}

/// Samples of every function, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize]| Meta::new(dims, DType::F32);
    let expm1 = elementwise("expm1", |x| x.expm1(), f64::exp_m1);
    let is_inf = truth("is_inf", |x| x.is_inf(), f64::is_infinite);
    let is_finite = truth("is_finite", |x| x.is_finite(), f64::is_finite);
    let mean = Function::new(
        "mean",
        |x| x[0].mean(1),
        |x| {
            let sums = by_rows(x[0], 1, |row| vec![row.iter().sum::<f64>() / row.len() as f64]);
            Array64 { meta: Meta::new([4], x[0].meta.dtype), ..sums }
        },
    );
    let rows = |function: Function| {
        let bound = (Bound::Abs(2e-6), "sums of ten numbers below 2, and a root");
        Sample::new(function, [of(&[4, 9])]).bound(bound.0, bound.1)
    };
    vec![
        Sample::new(mean, [of(&[4, 9])]).bound(Bound::Terms(12.0), "a sum, and a quotient"),
        Sample::new(expm1.clone(), [of(&[5, 17])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units"),
        Sample::new(expm1, [of(&[6])])
            .operand(0, Domain::Values(&[-100.0, -1e-6, 1e-20, 0.0, 80.0, 100.0]))
            .bound(Bound::Ulp(12), "a quotient of functions within 4 units")
            .without_gradient()
            .named("ends"),
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
        // Apart by a few units in the last place, 2^-10.
        rows(of_rows("variance", |x| x[0].variance(1, 1), |x| spread(x[0]) / 8.0))
            .operand(0, Domain::Values(&[1e4, 1e4 + 7.0 / 1024.0, 1e4 - 3.0 / 1024.0]))
            .bound(Bound::Ulp(16), "differences from the first are exact, then as elsewhere")
            .without_gradient()
            .named("far from 0"),
        rows(of_rows("variance", |x| x[0].variance(1, 0), |x| spread(x[0]) / 9.0)),
        rows(of_rows(
            "standard_deviation",
            |x| x[0].standard_deviation(1, 1),
            |x| (spread(x[0]) / 8.0).sqrt(),
        )),
        Sample::new(
            of_rows("standard_deviation", |x| x[0].standard_deviation(1, 1), |_| 0.0),
            [of(&[2, 3])],
        )
        .operand(0, Domain::Values(&[0.5]))
        .convention(0, [0.0; 6])
        .named("alike"),
        Sample::new(is_inf, [of(&[7])]).operand(0, Domain::Values(ENDS)).without_gradient(),
        Sample::new(is_finite, [of(&[7])]).operand(0, Domain::Values(ENDS)).without_gradient(),
    ]
    .into_iter()
    .chain(running_products())
    .collect()
}
