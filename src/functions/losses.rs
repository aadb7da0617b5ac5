//! Losses per element or row, to be averaged or summed.
//!
//! Targets have the shape of the predictions, or are a single number: [`OpError::Shapes`] if not.
//! Broadcasting `[n, 1]` and `[n]` would make `[n, n]`.
//!
//! [`OpError::Shapes`]: crate::OpError::Shapes

use super::{
    definition::of_rows,
    precision::in_f32,
    targets::{paired, refuse_unequal_shapes},
};
use crate::{
    array64::Array64,
    dtype::DType,
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// `(x - target)^2`.
    #[doc(alias("mse_loss", "MSELoss", "MeanSquaredError"))]
    #[track_caller]
    pub fn squared_error(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("squared_error", [self, target], |[x, target]| {
            let error = x - target;
            error * error
        })
    }

    /// `|x - target|`.
    #[doc(alias("l1_loss", "L1Loss", "MeanAbsoluteError"))]
    #[track_caller]
    pub fn absolute_error(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("absolute_error", [self, target], |[x, target]| (x - target).abs())
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
    pub fn huber(self, target: Tensor<'g>, delta: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "huber",
            &[self, target],
            &[("delta", delta, Must::BePositive)],
        ) {
            return refused;
        }
        paired("huber", [self, target], |[x, target]| {
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
    pub fn smooth_l1(self, target: Tensor<'g>, beta: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "smooth_l1",
            &[self, target],
            &[("beta", beta, Must::BeAtLeast0)],
        ) {
            return refused;
        }
        paired("smooth_l1", [self, target], |[x, target]| {
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

    /// Binary cross-entropy of logits: `-target ln p - (1 - target) ln(1 - p)` with `p` their
    /// sigmoid; targets lie between 0 and 1.
    ///
    /// # Numerics
    ///
    /// Small losses keep their digits on both sides:
    /// `target softplus(-x) + (1 - target) softplus(x)` has no cancellation, nor does its gradient.
    ///
    /// # Source
    ///
    /// PyTorch's `binary_cross_entropy_with_logits`.
    #[doc(alias("binary_cross_entropy", "bce", "BCEWithLogitsLoss", "BinaryCrossentropy"))]
    #[track_caller]
    pub fn binary_cross_entropy_with_logits(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("binary_cross_entropy_with_logits", [self, target], |[x, target]| {
            target * (-x).softplus() + (1.0 - target) * x.softplus()
        })
    }

    /// [`binary_cross_entropy`](Self::binary_cross_entropy_with_logits) with positives weighted by
    /// `weight`: `-weight target ln p - (1 - target) ln(1 - p)`.
    ///
    /// # Shapes
    ///
    /// The weights are broadcast: one for all, or one for each class along the last axis.
    ///
    /// # Source
    ///
    /// PyTorch's `pos_weight`.
    #[doc(alias = "pos_weight")]
    #[track_caller]
    pub fn weighted_binary_cross_entropy_with_logits(
        self,
        target: Tensor<'g>,
        weight: Tensor<'g>,
    ) -> Tensor<'g> {
        if let Some(refused) =
            refuse_unequal_shapes("weighted_binary_cross_entropy_with_logits", self, target)
        {
            return refused;
        }
        in_f32(
            "weighted_binary_cross_entropy_with_logits",
            [self, target, weight],
            |[x, target, weight]| weight * target * (-x).softplus() + (1.0 - target) * x.softplus(),
        )
    }

    /// Divergence of log probabilities from `target`: `target (ln target - x)`; 0 where the target
    /// is 0, and NaN where it is negative.
    ///
    /// # Source
    ///
    /// Kullback and Leibler 1951.
    #[doc(alias("kl_div", "KLDivLoss"))]
    #[track_caller]
    pub fn kl_divergence(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("kl_divergence", [self, target], |[x, target]| {
            // The unselected branch must be finite, or its zero cotangent becomes NaN.
            let log = target.equal(0.0).select(1.0, target).log();
            target * (log - x)
        })
    }

    /// `e^target (target - x)`: the divergence if targets are log probabilities as well.
    ///
    /// # Source
    ///
    /// PyTorch's `kl_div` with `log_target`.
    #[doc(alias = "log_target")]
    #[track_caller]
    pub fn kl_divergence_of_logarithms(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("kl_divergence_of_logarithms", [self, target], |[x, target]| {
            target.exp() * (target - x)
        })
    }

    /// `max(0, 1 - x target)`, for targets -1 and 1.
    ///
    /// # Source
    ///
    /// Cortes and Vapnik 1995, "Support-Vector Networks".
    #[doc(alias = "hinge_loss")]
    #[track_caller]
    pub fn hinge(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("hinge", [self, target], |[x, target]| (-(x * target) + 1.0).relu())
    }

    /// The negative log probability of each row's label; NaN if it is not a class.
    ///
    /// # Errors
    ///
    /// As for [`cross_entropy`](Self::cross_entropy): labels that the host can see are checked.
    ///
    /// # Shapes
    ///
    /// Log probabilities `[.., classes]` in floats, labels `[..]` in u32; the result is `[..]`.
    ///
    /// # Source
    ///
    /// PyTorch's `nll_loss`.
    #[doc(alias("nll_loss", "NLLLoss"))]
    #[track_caller]
    pub fn negative_log_likelihood(self, labels: Tensor<'g>) -> Tensor<'g> {
        let x = self.of_floats("negative_log_likelihood");
        -x.at_labels("negative_log_likelihood", labels, None)
    }

    /// `-sum_c target[c] ln softmax(x)[c]` for each row, with class probabilities as targets.
    ///
    /// # Shapes
    ///
    /// Both `[.., classes]`; the result is `[..]`.
    ///
    /// # Source
    ///
    /// PyTorch's `cross_entropy` of probabilities.
    #[doc(alias = "CategoricalCrossentropy")]
    #[track_caller]
    pub fn soft_cross_entropy(self, target: Tensor<'g>) -> Tensor<'g> {
        paired("soft_cross_entropy", [self, target], |[x, target]| {
            -(x.log_softmax(-1) * target).sum(-1)
        })
    }

    /// Cosine similarity of vectors along an axis: `x y / (max(|x|, eps) max(|y|, eps))`,
    /// with `eps` of 1e-8.
    ///
    /// # Source
    ///
    /// PyTorch's, which clamps each of the two norms to `eps`.
    #[track_caller]
    pub fn cosine_similarity(self, other: Tensor<'g>, axis: i32) -> Tensor<'g> {
        in_f32("cosine_similarity", [self, other], |[x, other]| {
            (x * other).sum(axis) / (x.length_of_some(axis) * other.length_of_some(axis))
        })
    }

    /// The norm of vectors along an axis, at least 1e-8.
    #[track_caller]
    fn length_of_some(self, axis: i32) -> Tensor<'g> {
        let squares = (self * self).sum(axis);
        // The root has no finite derivative at 0.
        let is_none = squares.less_equal(1e-16);
        is_none.select(constant(squares, 1e-8), is_none.select(1.0, squares).sqrt())
    }

    /// Cosine embedding loss of vectors along the last axis: `1 - cos` where `target` is 1, for
    /// similar ones; `max(0, cos - margin)` where it is -1.
    ///
    /// # Shapes
    ///
    /// Vectors `[.., d]`, targets `[..]`, which is the shape of the result.
    ///
    /// # Numerics
    ///
    /// `cos` is `x y / sqrt((x x + 1e-12) (y y + 1e-12))`, as in PyTorch.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    ///
    /// # Source
    ///
    /// PyTorch's `cosine_embedding_loss`.
    #[doc(alias("cosine_embedding_loss", "CosineEmbeddingLoss"))]
    #[track_caller]
    pub fn cosine_embedding(
        self,
        other: Tensor<'g>,
        target: Tensor<'g>,
        margin: f64,
    ) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "cosine_embedding",
            &[self, other, target],
            &[("margin", margin, Must::BeFinite)],
        ) {
            return refused;
        }
        in_f32("cosine_embedding", [self, other, target], |[x, other, target]| {
            let squares = |x: Tensor<'g>| {
                let sum = (x * x).sum(-1);
                sum + constant(sum, 1e-12)
            };
            let cosine = (x * other).sum(-1) / (squares(x) * squares(other)).sqrt();
            if let Some(refused) = refuse_unequal_shapes("cosine_embedding", cosine, target) {
                return refused;
            }
            let apart = (cosine - constant(cosine, margin)).relu();
            target.greater(0.0).select(1.0 - cosine, apart)
        })
    }

    /// Triplet loss `max(0, |x - near| - |x - far| + margin)` of vectors along the last axis; 1e-6
    /// is added to each component of the differences before taking norms.
    ///
    /// # Source
    ///
    /// Balntas et al. 2016; the 1e-6 is PyTorch's.
    #[doc(alias("triplet_margin_loss", "TripletMarginLoss"))]
    #[track_caller]
    pub fn triplet_margin(self, near: Tensor<'g>, far: Tensor<'g>, margin: f64) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "triplet_margin",
            &[self, near, far],
            &[("margin", margin, Must::BePositive)],
        ) {
            return refused;
        }
        in_f32("triplet_margin", [self, near, far], |[x, near, far]| {
            let nearer = x.distance(near) - x.distance(far);
            (nearer + constant(nearer, margin)).relu()
        })
    }

    /// The norm of a difference along the last axis, which is 0 nowhere.
    #[track_caller]
    fn distance(self, other: Tensor<'g>) -> Tensor<'g> {
        let difference = self - other;
        let moved = difference + constant(difference, 1e-6);
        (moved * moved).sum(-1).sqrt()
    }
}

/// A function of pairs of elements.
fn of_pairs(
    name: &'static str,
    build: for<'g> fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    definition: fn(f64, f64) -> f64,
) -> Function {
    Function::new(
        name,
        move |x| build(x[0], x[1]),
        move |x| Array64::from_fn(x[0].meta.clone(), |c| definition(x[0].at(&c), x[1].at(&c))),
    )
}

fn length(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

/// Samples of every loss, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    let few = (Bound::Abs(4e-6), "a few operations on numbers below 4");
    let matrix = |dims: &[usize]| Meta::new(dims, DType::F32);
    let pairs = |function: Function, target: Domain| {
        Sample::new(function, [matrix(&[4, 17]), matrix(&[4, 17])])
            .operand(0, Domain::Distinct)
            .operand(1, target)
            .bound(few.0, few.1)
    };
    // Not multiples of 0.03: differences keep away from 0, 0.5 and 1.
    let off = || Domain::Values(&[0.221, -0.379, 0.011, 0.341, -0.199]);
    let shares = || Domain::Range(0.05, 0.95);
    let rows = |function: Function, count: usize| {
        Sample::new(function, vec![matrix(&[5, 7]); count]).bound(few.0, few.1)
    };
    let bce = of_pairs(
        "binary_cross_entropy_with_logits",
        |x, t| x.binary_cross_entropy_with_logits(t),
        |x, t| t * (-x).exp().ln_1p() + (1.0 - t) * x.exp().ln_1p(),
    );
    vec![
        pairs(of_pairs("squared_error", |x, t| x.squared_error(t), |x, t| (x - t).powi(2)), off()),
        pairs(of_pairs("absolute_error", |x, t| x.absolute_error(t), |x, t| (x - t).abs()), off()),
        pairs(
            of_pairs(
                "huber",
                |x, t| x.huber(t, 0.5),
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
                |x, t| x.smooth_l1(t, 0.5),
                |x, t| match (x - t).abs() {
                    d if d < 0.5 => d * d,
                    d => d - 0.25,
                },
            ),
            off(),
        ),
        pairs(bce.clone(), shares()),
        pairs(
            of_pairs("kl_divergence", |x, t| x.kl_divergence(t), |x, t| t * (t.ln() - x)),
            shares(),
        ),
        // Losses close to 0, which must keep all their digits.
        Sample::new(bce.clone(), [matrix(&[8]), matrix(&[8])])
            .operand(0, Domain::Values(&[15.0, -15.0, 40.0, -40.0, 15.0, -15.0, 0.0, 2.0]))
            .operand(1, Domain::Values(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.5, 0.25]))
            .bound(Bound::Ulp(16), "exponential, logarithm, two products and a sum")
            .without_gradient()
            .named("next to nothing"),
        Sample::new(
            Function::new(
                "weighted_binary_cross_entropy_with_logits",
                |x| x[0].weighted_binary_cross_entropy_with_logits(x[1], x[2]),
                |x| {
                    Array64::from_fn(x[0].meta.clone(), |c| {
                        let (z, t, w) = (x[0].at(&c), x[1].at(&c), x[2].at(&c[1..]));
                        w * t * (-z).exp().ln_1p() + (1.0 - t) * z.exp().ln_1p()
                    })
                },
            ),
            [matrix(&[4, 17]), matrix(&[4, 17]), matrix(&[17])],
        )
        .operand(0, Domain::Distinct)
        .operand(1, shares())
        .operand(2, Domain::Range(0.5, 3.0))
        .bound(few.0, few.1),
        pairs(
            of_pairs(
                "kl_divergence_of_logarithms",
                |x, t| x.kl_divergence_of_logarithms(t),
                |x, t| t.exp() * (t - x),
            ),
            off(),
        ),
        Sample::new(
            of_rows(
                "cosine_embedding",
                |x| x[0].cosine_embedding(x[1], x[2], -1.0),
                |x| {
                    let product: f64 = x[0].iter().zip(x[1]).map(|(x, y)| x * y).sum();
                    let cosine =
                        product / (length(x[0].iter().copied()) * length(x[1].iter().copied()));
                    if x[2][0] > 0.0 { 1.0 - cosine } else { cosine + 1.0 }
                },
            ),
            [matrix(&[5, 7]), matrix(&[5, 7]), matrix(&[5])],
        )
        .operand(2, Domain::Values(&[1.0, -1.0]))
        .bound(few.0, few.1),
        pairs(
            of_pairs("hinge", |x, t| x.hinge(t), |x, t| (1.0 - x * t).max(0.0)),
            Domain::Values(&[1.0, -1.0]),
        ),
        Sample::new(
            of_rows(
                "negative_log_likelihood",
                |x| x[0].negative_log_likelihood(x[1]),
                |x| -x[0][x[1][0] as usize],
            ),
            [matrix(&[5, 7]), Meta::new([5], DType::U32)],
        )
        .operand(1, Domain::Below(7))
        .bound(Bound::Exact, "moves elements"),
        rows(
            of_rows(
                "soft_cross_entropy",
                |x| x[0].soft_cross_entropy(x[1]),
                |x| {
                    let sum: f64 = x[0].iter().map(|x| x.exp()).sum();
                    x[0].iter().zip(x[1]).map(|(x, t)| -t * (x - sum.ln())).sum()
                },
            ),
            2,
        ),
        rows(
            of_rows(
                "cosine_similarity",
                |x| x[0].cosine_similarity(x[1], 1),
                |x| {
                    let product: f64 = x[0].iter().zip(x[1]).map(|(x, y)| x * y).sum();
                    product / (length(x[0].iter().copied()) * length(x[1].iter().copied()))
                },
            ),
            2,
        ),
        rows(
            of_rows(
                "triplet_margin",
                |x| x[0].triplet_margin(x[1], x[2], 3.0),
                |x| {
                    let to = |k: usize| length(x[0].iter().zip(x[k]).map(|(a, b)| a - b + 1e-6));
                    (to(1) - to(2) + 3.0).max(0.0)
                },
            ),
            3,
        ),
    ]
}
