//! Losses of two classes, or of classes that do not exclude each other.

use super::elements::{FEW, of_elements, of_pairs, pairs, shares};
use crate::{
    array64::Array64,
    dtype::DType,
    functions::{
        precision::loss_in_f32,
        reduction::Reduction,
        targets::{paired, refuse_unequal_shapes},
    },
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

/// The smallest normal f32: devices may take less for 0.
const SMALLEST: f64 = f32::MIN_POSITIVE as f64;

impl<'g> Tensor<'g> {
    /// Binary cross-entropy of probabilities: `-target ln p - (1 - target) ln(1 - p)`; targets lie
    /// between 0 and 1.
    ///
    /// For logits, use [`binary_cross_entropy_with_logits`](Self::binary_cross_entropy_with_logits):
    /// it is exact where a probability rounds to 1.
    ///
    /// # Numerics
    ///
    /// The logarithm of 0 counts as -100. NaN where `p` is not between 0 and 1.
    ///
    /// # Gradient
    ///
    /// `(p - target) / (p (1 - p))`. At the logarithm of 0 it is 1e12 instead of infinite.
    ///
    /// # Source
    ///
    /// PyTorch's `binary_cross_entropy`, with its limits.
    #[doc(alias("bce", "BCELoss", "BinaryCrossentropy"))]
    #[track_caller]
    pub fn binary_cross_entropy(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("binary_cross_entropy", [self, target], reduction, |[p, target]| {
            -(target * p.limited_log() + (1.0 - target) * (1.0 - p).limited_log())
        })
    }

    /// The logarithm, and -100 at 0.
    #[track_caller]
    fn limited_log(self) -> Tensor<'g> {
        let is_zero = self.abs().less(SMALLEST);
        let log = is_zero.select(self.full_like(1.0), self).log();
        is_zero.select(self * 1e12 - 100.0, log)
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
    #[doc(alias("BCEWithLogitsLoss", "sigmoid_cross_entropy"))]
    #[track_caller]
    pub fn binary_cross_entropy_with_logits(
        self,
        target: Tensor<'g>,
        reduction: Reduction,
    ) -> Tensor<'g> {
        of_elements("binary_cross_entropy_with_logits", [self, target], reduction, |[x, target]| {
            target * (-x).softplus() + (1.0 - target) * x.softplus()
        })
    }

    /// [`binary_cross_entropy_with_logits`](Self::binary_cross_entropy_with_logits) with positives
    /// weighted by `weight`: `-weight target ln p - (1 - target) ln(1 - p)`.
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
        reduction: Reduction,
    ) -> Tensor<'g> {
        const NAME: &str = "weighted_binary_cross_entropy_with_logits";
        if let Some(refused) = refuse_unequal_shapes(NAME, self, target) {
            return refused;
        }
        loss_in_f32(NAME, [self, target, weight], |[x, target, weight]| {
            let costs = weight * target * (-x).softplus() + (1.0 - target) * x.softplus();
            reduction.of(costs)
        })
    }

    /// Binary cross-entropy of several classes that do not exclude each other: the mean over the last
    /// axis of [`binary_cross_entropy_with_logits`](Self::binary_cross_entropy_with_logits).
    ///
    /// # Shapes
    ///
    /// Logits and targets `[.., classes]`; costs are `[..]`.
    ///
    /// # Source
    ///
    /// PyTorch's `multilabel_soft_margin_loss`.
    #[doc(alias("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss"))]
    #[track_caller]
    pub fn multilabel_soft_margin(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        paired("multilabel_soft_margin", [self, target], |[x, target]| {
            let costs = target * (-x).softplus() + (1.0 - target) * x.softplus();
            reduction.of(costs.mean(-1))
        })
    }

    /// `max(0, 1 - x target)`, with targets of 1 and -1.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    #[doc(alias = "Hinge")]
    #[track_caller]
    pub fn hinge(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("hinge", [self, target], reduction, |[x, target]| (-(x * target) + 1.0).relu())
    }

    /// `ln(1 + exp(-x target))`, with targets of 1 and -1.
    ///
    /// # Source
    ///
    /// PyTorch's `soft_margin_loss`.
    #[doc(alias("soft_margin_loss", "SoftMarginLoss"))]
    #[track_caller]
    pub fn soft_margin(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        of_elements("soft_margin", [self, target], reduction, |[x, target]| {
            (-(x * target)).softplus()
        })
    }

    /// Hinge loss of distances: `x` where the target is 1, for similar ones, and `max(0, margin - x)`
    /// where it is -1.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    ///
    /// # Errors
    ///
    /// [`OpError::Number`](crate::OpError::Number) unless `margin` is finite.
    ///
    /// # Source
    ///
    /// PyTorch's `hinge_embedding_loss`.
    #[doc(alias("hinge_embedding_loss", "HingeEmbeddingLoss"))]
    #[track_caller]
    pub fn hinge_embedding(
        self,
        target: Tensor<'g>,
        margin: f64,
        reduction: Reduction,
    ) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "hinge_embedding",
            &[self, target],
            &[("margin", margin, Must::BeFinite)],
        ) {
            return refused;
        }
        of_elements("hinge_embedding", [self, target], reduction, |[x, target]| {
            target.greater(0.0).select(x, (constant(x, margin) - x).relu())
        })
    }
}

/// The samples.
pub(super) fn samples() -> Vec<Sample> {
    let matrix = |dims: &[usize]| Meta::new(dims, DType::F32);
    let signs = || Domain::Values(&[1.0, -1.0]);
    let logits = of_pairs(
        "binary_cross_entropy_with_logits",
        |x, t| x.binary_cross_entropy_with_logits(t, Reduction::None),
        |x, t| t * (-x).exp().ln_1p() + (1.0 - t) * x.exp().ln_1p(),
    );
    let probabilities = of_pairs(
        "binary_cross_entropy",
        |p, t| p.binary_cross_entropy(t, Reduction::None),
        |p, t| -(t * p.ln().max(-100.0) + (1.0 - t) * (1.0 - p).ln().max(-100.0)),
    );
    vec![
        pairs(logits.clone(), shares()),
        // Losses close to 0, which must keep all their digits.
        Sample::new(logits, [matrix(&[8]), matrix(&[8])])
            .operand(0, Domain::Values(&[15.0, -15.0, 40.0, -40.0, 15.0, -15.0, 0.0, 2.0]))
            .operand(1, Domain::Values(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.5, 0.25]))
            .bound(Bound::Ulp(16), "exponential, logarithm, two products and a sum")
            .without_gradient()
            .named("next to nothing"),
        pairs(probabilities.clone(), shares())
            .operand(0, Domain::Range(0.1, 0.9))
            .bound(Bound::Abs(8e-6), "two logarithms of numbers above 0.1"),
        Sample::new(probabilities, [matrix(&[8]), matrix(&[8])])
            .operand(0, Domain::Values(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.25]))
            .operand(1, Domain::Values(&[1.0, 0.0, 0.0, 1.0, 0.25, 0.5, 0.0, 1.0]))
            .bound(Bound::Ulp(4), "a logarithm, a product and a sum")
            .without_gradient()
            .named("certain"),
        Sample::new(
            Function::new(
                "weighted_binary_cross_entropy_with_logits",
                |x| x[0].weighted_binary_cross_entropy_with_logits(x[1], x[2], Reduction::None),
                |x| {
                    Array64::from_fn(Meta::new(x[0].shape().clone(), DType::F32), |c| {
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
        .bound(FEW.0, FEW.1),
        Sample::new(
            crate::functions::definition::costs_of_rows(
                "multilabel_soft_margin",
                |x| x[0].multilabel_soft_margin(x[1], Reduction::None),
                |x| {
                    let costs = x[0].iter().zip(x[1]).map(|(x, t)| {
                        -t * (1.0 / (1.0 + (-x).exp())).ln()
                            - (1.0 - t) * (1.0 / (1.0 + x.exp())).ln()
                    });
                    costs.sum::<f64>() / x[0].len() as f64
                },
            ),
            [matrix(&[5, 7]), matrix(&[5, 7])],
        )
        .operand(1, shares())
        .bound(FEW.0, FEW.1),
        pairs(
            of_pairs("hinge", |x, t| x.hinge(t, Reduction::None), |x, t| (1.0 - x * t).max(0.0)),
            signs(),
        ),
        pairs(
            of_pairs(
                "soft_margin",
                |x, t| x.soft_margin(t, Reduction::None),
                |x, t| (-x * t).exp().ln_1p(),
            ),
            signs(),
        ),
        pairs(
            of_pairs(
                "hinge_embedding",
                |x, t| x.hinge_embedding(t, 0.501, Reduction::None),
                |x, t| if t > 0.0 { x } else { (0.501 - x).max(0.0) },
            ),
            signs(),
        ),
    ]
}
