//! Activation functions.

use super::{definition::elementwise, precision::in_f32};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        erf_f64,
        full::constant,
    },
    shape::Meta,
};

/// Klambauer et al. 2017: with these two, activations keep mean 0 and variance 1.
const SELU: (f64, f64) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);

impl<'g> Tensor<'g> {
    /// `min(max(x, 0), 6)`.
    ///
    /// # Gradient
    ///
    /// 0 at 0 and at 6.
    ///
    /// # Source
    ///
    /// Krizhevsky 2010, "Convolutional Deep Belief Networks on CIFAR-10".
    #[track_caller]
    pub fn relu6(self) -> Tensor<'g> {
        in_f32("relu6", [self], |[x]| x.clip(0.0, 6.0))
    }

    /// `x` above 0, otherwise `slope x`.
    ///
    /// # Gradient
    ///
    /// `slope` at 0.
    ///
    /// # Source
    ///
    /// Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    #[doc(alias = "LeakyReLU")]
    #[track_caller]
    pub fn leaky_relu(self, slope: f64) -> Tensor<'g> {
        if let Some(refused) =
            self.graph().refuse_invalid("leaky_relu", &[self], &[("slope", slope, Must::BeFinite)])
        {
            return refused;
        }
        in_f32("leaky_relu", [self], |[x]| x.greater(0.0).select(x, x * constant(x, slope)))
    }

    /// `x` above 0, otherwise `slope x`, with a learned slope per channel.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..]` and `[channels]`, or any shape and `[1]`.
    ///
    /// # Source
    ///
    /// He et al. 2015.
    #[track_caller]
    pub fn prelu(self, slope: Tensor<'g>) -> Tensor<'g> {
        let mut dims = vec![1; self.rank().max(1)];
        if let Some(channels) = dims.get_mut(1) {
            *channels = slope.dim(0);
        } else {
            dims[0] = slope.dim(0);
        }
        in_f32("prelu", [self, slope], |[x, slope]| {
            let is_positive = x.greater(0.0);
            // As for `elu`: the slope's cotangent is a product with what is not selected.
            is_positive.select(x, is_positive.select(0.0, x) * slope.reshape(dims))
        })
    }

    /// `x` above 0, otherwise `alpha (e^x - 1)`.
    ///
    /// # Source
    ///
    /// Clevert et al. 2015.
    #[doc(alias = "ELU")]
    #[track_caller]
    pub fn elu(self, alpha: f64) -> Tensor<'g> {
        if let Some(refused) =
            self.graph().refuse_invalid("elu", &[self], &[("alpha", alpha, Must::BeFinite)])
        {
            return refused;
        }
        in_f32("elu", [self], |[x]| {
            let is_positive = x.greater(0.0);
            // The unselected branch must be finite, or its zero cotangent becomes NaN.
            let negative = is_positive.select(0.0, x).expm1();
            is_positive.select(x, negative * constant(x, alpha))
        })
    }

    /// [`elu`](Self::elu), scaled so that activations keep mean 0 and variance 1.
    ///
    /// # Source
    ///
    /// Klambauer et al. 2017.
    #[track_caller]
    pub fn selu(self) -> Tensor<'g> {
        in_f32("selu", [self], |[x]| {
            let (alpha, scale) = SELU;
            x.elu(alpha) * constant(x, scale)
        })
    }

    /// `x` above 0, otherwise `alpha (e^(x / alpha) - 1)`: smooth for every `alpha`.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) if `alpha` is 0 or NaN.
    ///
    /// # Source
    ///
    /// Barron 2017.
    #[track_caller]
    pub fn celu(self, alpha: f64) -> Tensor<'g> {
        let number = [("alpha", alpha, Must::BeNonzero)];
        if let Some(refused) = self.graph().refuse_invalid("celu", &[self], &number) {
            return refused;
        }
        in_f32("celu", [self], |[x]| {
            let (alpha, is_positive) = (constant(x, alpha), x.greater(0.0));
            // As for `elu`.
            let negative = is_positive.select(0.0, x) / alpha;
            is_positive.select(x, negative.expm1() * alpha)
        })
    }

    /// `x Phi(x)`, where `Phi` is the cumulative distribution function of the standard normal:
    /// `x (1 + erf(x / sqrt 2)) / 2`.
    ///
    /// # Source
    ///
    /// Hendrycks and Gimpel 2016.
    #[track_caller]
    pub fn gelu(self) -> Tensor<'g> {
        in_f32("gelu", [self], |[x]| {
            x * 0.5 * ((x * constant(x, std::f64::consts::FRAC_1_SQRT_2)).erf() + 1.0)
        })
    }

    /// Older tanh approximation of [`gelu`](Self::gelu):
    /// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`.
    ///
    /// # Source
    ///
    /// Hendrycks and Gimpel 2016.
    #[doc(alias = "approximate")]
    #[track_caller]
    pub fn gelu_tanh(self) -> Tensor<'g> {
        in_f32("gelu_tanh", [self], |[x]| {
            let inner = x + x * x * x * constant(x, GELU_CUBE);
            x * 0.5 * ((inner * constant(x, gelu_slope())).tanh() + 1.0)
        })
    }

    /// `x sigmoid(x)`, also called swish.
    ///
    /// # Source
    ///
    /// Elfwing et al. 2017.
    #[doc(alias = "swish")]
    #[track_caller]
    pub fn silu(self) -> Tensor<'g> {
        in_f32("silu", [self], |[x]| x * x.sigmoid())
    }

    /// `x tanh(ln(1 + e^x))`.
    ///
    /// # Source
    ///
    /// Misra 2019.
    #[track_caller]
    pub fn mish(self) -> Tensor<'g> {
        in_f32("mish", [self], |[x]| x * x.softplus().tanh())
    }

    /// `x / 6 + 1 / 2` from -3 to 3, 0 below and 1 above.
    ///
    /// # Gradient
    ///
    /// 0 at the ends.
    ///
    /// # Source
    ///
    /// PyTorch's `hardsigmoid`.
    #[doc(alias = "hardsigmoid")]
    #[track_caller]
    pub fn hard_sigmoid(self) -> Tensor<'g> {
        in_f32("hard_sigmoid", [self], |[x]| {
            let inner = x.greater_equal(3.0).select(1.0, x / 6.0 + 0.5);
            x.less_equal(-3.0).select(0.0, inner)
        })
    }

    /// `x (x + 3) / 6` from -3 to 3, 0 below and `x` above.
    ///
    /// # Source
    ///
    /// Howard et al. 2019.
    #[doc(alias("hardswish", "hard_silu"))]
    #[track_caller]
    pub fn hard_swish(self) -> Tensor<'g> {
        in_f32("hard_swish", [self], |[x]| {
            let (is_high, is_low) = (x.greater_equal(3.0), x.less_equal(-3.0));
            // An infinity outside would make the slope NaN: 0 times infinity.
            let inner = is_high.or(is_low).select(0.0, x);
            is_low.select(0.0, is_high.select(x, inner * (inner + 3.0) / 6.0))
        })
    }

    /// `x` clipped to -1 and 1.
    ///
    /// # Gradient
    ///
    /// 0 at the ends.
    ///
    /// # Source
    ///
    /// PyTorch's `hardtanh`.
    #[doc(alias = "hardtanh")]
    #[track_caller]
    pub fn hard_tanh(self) -> Tensor<'g> {
        in_f32("hard_tanh", [self], |[x]| x.clip(-1.0, 1.0))
    }

    /// [`hard_tanh`](Self::hard_tanh) with other bounds: `x` clipped to `low` and `high`.
    ///
    /// # Gradient
    ///
    /// 0 at the ends.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) if a bound is NaN;
    /// [`OpError::Argument`](crate::OpError::Argument) if `low` exceeds `high`.
    ///
    /// # Source
    ///
    /// PyTorch's `hardtanh` with `min_val` and `max_val`.
    #[doc(alias("hardtanh", "min_val", "max_val"))]
    #[track_caller]
    pub fn hard_tanh_with(self, low: f64, high: f64) -> Tensor<'g> {
        self.clip_to_numbers("hard_tanh", low, high)
    }

    /// `ln(1 + e^x)`; `x` itself above 20, where both are equal after rounding.
    ///
    /// # Source
    ///
    /// Dugas et al. 2000; the threshold is PyTorch's.
    #[track_caller]
    pub fn softplus(self) -> Tensor<'g> {
        self.softplus_with(1.0, 20.0)
    }

    /// `ln(1 + e^(beta x)) / beta`, a smooth ReLU whose sharpness is `beta`; `x` itself where
    /// `beta x` is above `threshold`.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) unless `beta` is finite and not 0.
    ///
    /// # Source
    ///
    /// PyTorch's `softplus`.
    #[track_caller]
    pub fn softplus_with(self, beta: f64, threshold: f64) -> Tensor<'g> {
        let limit = [("beta", beta, Must::BeNonzero), ("threshold", threshold, Must::BeANumber)];
        if let Some(refused) = self.graph().refuse_invalid("softplus", &[self], &limit) {
            return refused;
        }
        in_f32("softplus", [self], |[x]| {
            let scale = constant(x, beta);
            let inner = x * scale;
            let is_large = inner.greater(constant(x, threshold));
            // As for `elu`.
            let small = is_large.select(0.0, inner);
            is_large.select(x, small.exp().log1p() / scale)
        })
    }

    /// `x / (1 + |x|)`.
    ///
    /// # Source
    ///
    /// PyTorch's `softsign`.
    #[track_caller]
    pub fn softsign(self) -> Tensor<'g> {
        in_f32("softsign", [self], |[x]| x / (x.abs() + 1.0))
    }

    /// `x - tanh x`.
    ///
    /// # Source
    ///
    /// PyTorch's `tanhshrink`.
    #[doc(alias = "tanhshrink")]
    #[track_caller]
    pub fn tanh_shrink(self) -> Tensor<'g> {
        in_f32("tanh_shrink", [self], |[x]| x - x.tanh())
    }

    /// `x` shrunk toward 0 by `width`, and 0 within `width` of it.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) if `width` is negative or NaN.
    ///
    /// # Source
    ///
    /// PyTorch's `softshrink`.
    #[doc(alias = "softshrink")]
    #[track_caller]
    pub fn soft_shrink(self, width: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "soft_shrink",
            &[self],
            &[("width", width, Must::BeAtLeast0)],
        ) {
            return refused;
        }
        in_f32("soft_shrink", [self], |[x]| {
            let width = constant(x, width);
            let nearer = x.less(0.0).select(x + width, x - width);
            x.abs().less_equal(width).select(0.0, nearer)
        })
    }

    /// `x`, but 0 within `width` of 0.
    ///
    /// # Source
    ///
    /// PyTorch's `hardshrink`.
    #[doc(alias = "hardshrink")]
    #[track_caller]
    pub fn hard_shrink(self, width: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "hard_shrink",
            &[self],
            &[("width", width, Must::BeAtLeast0)],
        ) {
            return refused;
        }
        in_f32("hard_shrink", [self], |[x]| x.abs().less_equal(constant(x, width)).select(0.0, x))
    }

    /// `x` above `threshold`, otherwise `value`.
    ///
    /// # Gradient
    ///
    /// 0 at the threshold.
    ///
    /// # Source
    ///
    /// PyTorch's `threshold`.
    #[track_caller]
    pub fn threshold(self, threshold: f64, value: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "threshold",
            &[self],
            &[("threshold", threshold, Must::BeANumber)],
        ) {
            return refused;
        }
        in_f32("threshold", [self], |[x]| {
            x.less_equal(constant(x, threshold)).select(constant(x, value), x)
        })
    }

    /// `ln sigmoid(x)`, without overflow.
    ///
    /// # Source
    ///
    /// PyTorch's `logsigmoid`.
    #[doc(alias = "logsigmoid")]
    #[track_caller]
    pub fn log_sigmoid(self) -> Tensor<'g> {
        in_f32("log_sigmoid", [self], |[x]| -(-x).softplus())
    }

    /// The first half of an axis, times the sigmoid of the second half.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`](crate::OpError::Axis);
    /// [`OpError::Indivisible`](crate::OpError::Indivisible) for an odd extent.
    ///
    /// # Source
    ///
    /// Dauphin et al. 2016.
    #[track_caller]
    pub fn glu(self, axis: i32) -> Tensor<'g> {
        let extent = self.dim(axis);
        if !extent.is_multiple_of(2) && crate::shape::resolve_axis(axis, self.rank()).is_ok() {
            let what = "elements along the axis";
            let reason = OpError::Indivisible { what, number: extent, by: 2 };
            return self.graph().refuse("glu", &[self], reason);
        }
        in_f32("glu", [self], |[x]| {
            x.slice(axis, ..extent / 2) * x.slice(axis, extent / 2..).sigmoid()
        })
    }
}

/// The coefficient of the cube in [`Tensor::gelu_tanh`].
const GELU_CUBE: f64 = 0.044715;

/// `sqrt(2 / pi)`.
fn gelu_slope() -> f64 {
    std::f64::consts::FRAC_2_PI.sqrt()
}

/// Samples of every activation, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    fn elu(x: f64, alpha: f64) -> f64 {
        if x > 0.0 { x } else { alpha * x.exp_m1() }
    }
    fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }
    let few = (Bound::Abs(2e-6), "a few operations on numbers below 4");
    let mut samples: Vec<Sample> = [
        elementwise("relu6", |x| x.relu6(), |x| x.clamp(0.0, 6.0)),
        elementwise("leaky_relu", |x| x.leaky_relu(0.01), |x| if x > 0.0 { x } else { 0.01 * x }),
        elementwise("elu", |x| x.elu(0.7), |x| elu(x, 0.7)),
        elementwise("selu", |x| x.selu(), |x| SELU.1 * elu(x, SELU.0)),
        elementwise("celu", |x| x.celu(0.3), |x| 0.3 * elu(x / 0.3, 1.0)),
        elementwise("gelu", |x| x.gelu(), |x| 0.5 * x * (1.0 + erf_f64(x / 2f64.sqrt()))),
        elementwise(
            "gelu_tanh",
            |x| x.gelu_tanh(),
            |x| 0.5 * x * (1.0 + (gelu_slope() * (x + GELU_CUBE * x.powi(3))).tanh()),
        ),
        elementwise("silu", |x| x.silu(), |x| x / (1.0 + (-x).exp())),
        elementwise("mish", |x| x.mish(), |x| x * softplus(x).tanh()),
        elementwise("hard_sigmoid", |x| x.hard_sigmoid(), |x| (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        elementwise("hard_swish", |x| x.hard_swish(), |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        elementwise("hard_tanh", |x| x.hard_tanh(), |x| x.clamp(-1.0, 1.0)),
        elementwise("hard_tanh_with", |x| x.hard_tanh_with(-0.55, 2.3), |x| x.clamp(-0.55, 2.3)),
        elementwise("softplus", |x| x.softplus(), softplus),
        elementwise("softplus_with", |x| x.softplus_with(2.5, 20.0), |x| softplus(2.5 * x) / 2.5),
        elementwise("softsign", |x| x.softsign(), |x| x / (1.0 + x.abs())),
        elementwise("tanh_shrink", |x| x.tanh_shrink(), |x| x - x.tanh()),
        elementwise("soft_shrink", |x| x.soft_shrink(0.5), |x| x - x.clamp(-0.5, 0.5)),
        elementwise("hard_shrink", |x| x.hard_shrink(0.5), |x| if x.abs() > 0.5 { x } else { 0.0 }),
        elementwise("threshold", |x| x.threshold(0.1, 20.0), |x| if x > 0.1 { x } else { 20.0 }),
        elementwise("log_sigmoid", |x| x.log_sigmoid(), |x| -softplus(-x)),
    ]
    .into_iter()
    .flat_map(|function| {
        let of = |dims: &[usize]| {
            Sample::new(function.clone(), [Meta::new(dims, DType::F32)]).bound(few.0, few.1)
        };
        let smooth = of(&[4, 17]).operand(0, Domain::Distinct);
        let pieces = of(&[2, 13]).operand(0, Domain::Values(PIECES)).named("every piece");
        let far = of(&[6]).operand(0, Domain::Values(FAR)).without_gradient();
        let far = far.bound(Bound::Ulp(16), "large, or next to nothing").named("far out");
        [smooth, pieces, far]
    })
    .collect();
    let prelu = Function::new(
        "prelu",
        |x| x[0].prelu(x[1]),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let v = x[0].at(&c);
                if v > 0.0 { v } else { v * x[1].data[c[1]] }
            })
        },
    );
    let glu = Function::new(
        "glu",
        |x| x[0].glu(1),
        |x| {
            let half = x[0].shape().dims()[1] / 2;
            let meta = Meta::new([x[0].shape().dims()[0], half], x[0].meta.dtype);
            Array64::from_fn(meta, |c| {
                let gate = x[0].at(&[c[0], c[1] + half]);
                x[0].at(&c) / (1.0 + (-gate).exp())
            })
        },
    );
    let matrix = |dims: &[usize]| Meta::new(dims, DType::F32);
    samples.extend([
        Sample::new(prelu, [matrix(&[2, 3, 4]), matrix(&[3])])
            .operand(0, Domain::Distinct)
            .bound(few.0, few.1),
        Sample::new(glu, [matrix(&[3, 8])]).bound(few.0, few.1),
    ]);
    samples
}

/// Points on every side of every kink, and near none.
const PIECES: &[f64] = &[-4.0, -2.5, -1.2, -0.7, -0.4, -0.1, 0.2, 0.45, 0.8, 1.5, 2.9, 4.0, 6.5];

/// Points where a naive formula overflows.
const FAR: &[f64] = &[-200.0, -100.0, -19.0, 19.0, 100.0, 200.0];
