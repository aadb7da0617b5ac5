//! Losses of vectors, and of how two things compare.

use super::elements::{FEW, off};
use crate::{
    array64::Array64,
    dtype::DType,
    functions::{
        definition::{costs_of_rows, of_rows},
        precision::{in_f32, loss_in_f32},
        reduction::Reduction,
        targets::refuse_unequal_shapes,
    },
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
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
    /// Vectors `[.., d]`, targets `[..]`, which is the shape of the costs.
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
        reduction: Reduction,
    ) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "cosine_embedding",
            &[self, other, target],
            &[("margin", margin, Must::BeFinite)],
        ) {
            return refused;
        }
        loss_in_f32("cosine_embedding", [self, other, target], |[x, other, target]| {
            let squares = |x: Tensor<'g>| {
                let sum = (x * x).sum(-1);
                sum + constant(sum, 1e-12)
            };
            let cosine = (x * other).sum(-1) / (squares(x) * squares(other)).sqrt();
            if let Some(refused) = refuse_unequal_shapes("cosine_embedding", cosine, target) {
                return refused;
            }
            let apart = (cosine - constant(cosine, margin)).relu();
            reduction.of(target.greater(0.0).select(1.0 - cosine, apart))
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
    pub fn triplet_margin(
        self,
        near: Tensor<'g>,
        far: Tensor<'g>,
        margin: f64,
        reduction: Reduction,
    ) -> Tensor<'g> {
        if let Some(refused) = self.graph().refuse_invalid(
            "triplet_margin",
            &[self, near, far],
            &[("margin", margin, Must::BePositive)],
        ) {
            return refused;
        }
        loss_in_f32("triplet_margin", [self, near, far], |[x, near, far]| {
            let nearer = x.distance(near) - x.distance(far);
            reduction.of((nearer + constant(nearer, margin)).relu())
        })
    }

    /// Ranking loss of two scores: `max(0, margin - target (x - other))`, with targets of 1 where `x`
    /// should be higher, and -1 where `other` should.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    ///
    /// # Errors
    ///
    /// [`OpError::Shapes`](crate::OpError::Shapes) unless both scores have one shape, and targets
    /// that one or are a single number; [`OpError::Number`](crate::OpError::Number) unless `margin`
    /// is finite.
    ///
    /// # Source
    ///
    /// PyTorch's `margin_ranking_loss`.
    #[doc(alias("margin_ranking_loss", "MarginRankingLoss"))]
    #[track_caller]
    pub fn margin_ranking(
        self,
        other: Tensor<'g>,
        target: Tensor<'g>,
        margin: f64,
        reduction: Reduction,
    ) -> Tensor<'g> {
        const NAME: &str = "margin_ranking";
        let operands = [self, other, target];
        let numbers = [("margin", margin, Must::BeFinite)];
        if let Some(refused) = self.graph().refuse_invalid(NAME, &operands, &numbers) {
            return refused;
        }
        let unequal = [other, target].map(|x| refuse_unequal_shapes(NAME, self, x));
        if let Some(refused) = unequal.into_iter().flatten().next() {
            return refused;
        }
        loss_in_f32(NAME, operands, |[x, other, target]| {
            let apart = (x - other) * target;
            reduction.of((constant(apart, margin) - apart).relu())
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

fn length(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

/// The samples.
pub(super) fn samples() -> Vec<Sample> {
    let matrix = |dims: &[usize]| Meta::new(dims, DType::F32);
    let rows = |function: Function, count: usize| {
        Sample::new(function, vec![matrix(&[5, 7]); count]).bound(FEW.0, FEW.1)
    };
    let ranking = Function::new(
        "margin_ranking",
        |x| x[0].margin_ranking(x[1], x[2], 0.301, Reduction::None),
        |x| {
            Array64::from_fn(Meta::new(x[0].shape().clone(), DType::F32), |c| {
                (0.301 - x[2].at(&c) * (x[0].at(&c) - x[1].at(&c))).max(0.0)
            })
        },
    );
    vec![
        Sample::new(
            costs_of_rows(
                "cosine_embedding",
                |x| x[0].cosine_embedding(x[1], x[2], -1.0, Reduction::None),
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
        .bound(FEW.0, FEW.1),
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
            costs_of_rows(
                "triplet_margin",
                |x| x[0].triplet_margin(x[1], x[2], 3.0, Reduction::None),
                |x| {
                    let to = |k: usize| length(x[0].iter().zip(x[k]).map(|(a, b)| a - b + 1e-6));
                    (to(1) - to(2) + 3.0).max(0.0)
                },
            ),
            3,
        ),
        Sample::new(ranking, [matrix(&[4, 17]), matrix(&[4, 17]), matrix(&[4, 17])])
            .operand(0, Domain::Distinct)
            .operand(1, off())
            .operand(2, Domain::Values(&[1.0, -1.0]))
            .bound(FEW.0, FEW.1),
    ]
}
