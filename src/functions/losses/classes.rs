//! Losses of classes, one of which is right, or several.
//!
//! Their axis is named: PyTorch has the classes on axis 1, Keras on the last one, and where extents
//! are equal nothing else would tell.

use super::elements::{FEW, shares};
use crate::{
    dtype::DType,
    error::OpError,
    functions::{
        definition::costs_of_rows,
        precision::loss_in_f32,
        reduction::Reduction,
        targets::{paired, refuse_unequal_shapes},
    },
    graph::Tensor,
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Cross-entropy of each row of logits against the index of its class:
    /// `y[..] = log(sum_j exp(x[.., j])) - x[.., label]`, both terms less the row's maximum.
    ///
    /// A label that is not below the number of classes is an error if it is visible to the host: a
    /// constant, or an element of an input that has only been moved, by reshaping, slicing or
    /// concatenation for instance. If only the device knows it, loss and gradient of the row are
    /// NaN.
    ///
    /// Smoothing, weights of classes and ignored labels: [`CrossEntropy`](crate::nn::CrossEntropy).
    ///
    /// # Shapes
    ///
    /// Logits with classes on `axis`, and u32 labels of the same shape without it, which is that of
    /// the costs.
    ///
    /// # Gradient
    ///
    /// `ct (softmax(x) - onehot(label))`; none w.r.t. the labels.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Axis`]; [`OpError::Target`] unless there is one label per row;
    /// [`OpError::DType`] unless floats and u32; [`OpError::Empty`] without classes;
    /// [`OpError::Index`] for a constant label, and
    /// [`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange) for an input.
    ///
    /// # Source
    ///
    /// PyTorch's `cross_entropy`.
    #[doc(alias("CrossEntropyLoss", "SparseCategoricalCrossentropy"))]
    #[track_caller]
    pub fn cross_entropy(self, labels: Tensor<'g>, axis: i32, reduction: Reduction) -> Tensor<'g> {
        let x = self.with_classes_last("cross_entropy", axis);
        loss_in_f32("cross_entropy", [x, labels], |[x, labels]| {
            reduction.of(x.cross_entropy_of_rows(labels))
        })
    }

    /// The negative log probability of each row's label; NaN if it is not a class.
    ///
    /// # Shapes
    ///
    /// Log probabilities with classes on `axis` in floats, labels of the same shape without it in
    /// u32; the latter is the shape of the costs.
    ///
    /// # Errors
    ///
    /// As for [`cross_entropy`](Self::cross_entropy): labels that the host can see are checked.
    ///
    /// # Source
    ///
    /// PyTorch's `nll_loss`.
    #[doc(alias("nll_loss", "NLLLoss"))]
    #[track_caller]
    pub fn negative_log_likelihood(
        self,
        labels: Tensor<'g>,
        axis: i32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        const NAME: &str = "negative_log_likelihood";
        let x = self.with_classes_last(NAME, axis);
        loss_in_f32(NAME, [x, labels], |[x, labels]| reduction.of(-x.at_labels(NAME, labels, None)))
    }

    /// `-sum_c target[c] ln softmax(x)[c]` for each row, with class probabilities as targets.
    ///
    /// # Shapes
    ///
    /// Both with classes on `axis`; costs have the shape without it.
    ///
    /// # Source
    ///
    /// PyTorch's `cross_entropy` of probabilities.
    #[doc(alias = "CategoricalCrossentropy")]
    #[track_caller]
    pub fn soft_cross_entropy(
        self,
        target: Tensor<'g>,
        axis: i32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        paired("soft_cross_entropy", [self, target], |[x, target]| {
            reduction.of(-(x.log_softmax(axis) * target).sum(axis))
        })
    }

    /// Margin loss of several classes: the mean over all classes of
    /// `max(0, margin - x[label] + x[c])^power`, to which the label itself adds 0.
    ///
    /// # Shapes
    ///
    /// Scores with classes on `axis`, and u32 labels of the same shape without it, which is that of
    /// the costs.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    ///
    /// # Errors
    ///
    /// As for [`cross_entropy`](Self::cross_entropy), and [`OpError::Number`] unless `margin` is
    /// finite, and `power` 1 or 2.
    ///
    /// # Source
    ///
    /// PyTorch's `multi_margin_loss`.
    #[doc(alias("multi_margin_loss", "MultiMarginLoss", "CategoricalHinge"))]
    #[track_caller]
    pub fn multi_margin(
        self,
        labels: Tensor<'g>,
        axis: i32,
        margin: f64,
        power: u32,
        reduction: Reduction,
    ) -> Tensor<'g> {
        const NAME: &str = "multi_margin";
        let numbers = [("margin", margin, Must::BeFinite)];
        if let Some(refused) = self.graph().refuse_invalid(NAME, &[self, labels], &numbers) {
            return refused;
        }
        if !matches!(power, 1 | 2) {
            let (what, must, is) = ("power", "1 or 2", f64::from(power));
            let reason = OpError::Number { what, must, is };
            return self.graph().refuse(NAME, &[self, labels], reason);
        }
        let x = self.with_classes_last(NAME, axis);
        loss_in_f32(NAME, [x, labels], |[x, labels]| {
            let own = x.at_labels(NAME, labels, None);
            if own.failed() {
                return own;
            }
            let class = x.graph().iota(x.shape(), -1, DType::U32);
            let gap = (x - own.unsqueeze(-1) + constant(x, margin)).relu();
            let gap = class.equal(labels.unsqueeze(-1)).select(0.0, gap);
            reduction.of(if power == 2 { gap * gap } else { gap }.mean(-1))
        })
    }

    /// Margin loss of several right classes: over all pairs of a right class `j` and a wrong one `i`,
    /// the sum of `max(0, 1 - x[j] + x[i])`, divided by the number of classes.
    ///
    /// # Shapes
    ///
    /// Scores and targets `[.., classes]`, targets 1 for right classes and 0 for others, where
    /// PyTorch takes a list of the right ones; costs are `[..]`.
    ///
    /// # Gradient
    ///
    /// 0 at the margin.
    ///
    /// # Source
    ///
    /// PyTorch's `multilabel_margin_loss`.
    #[doc(alias("multilabel_margin_loss", "MultiLabelMarginLoss"))]
    #[track_caller]
    pub fn multilabel_margin(self, target: Tensor<'g>, reduction: Reduction) -> Tensor<'g> {
        const NAME: &str = "multilabel_margin";
        let any_failed = self.failed() || target.failed();
        if !any_failed && (self.rank() == 0 || target.rank() == 0) {
            return self.graph().refuse(NAME, &[self, target], OpError::Rank { least: 1 });
        }
        if let Some(refused) = refuse_unequal_shapes(NAME, self, target) {
            return refused;
        }
        loss_in_f32(NAME, [self, target], |[x, target]| {
            let (right, wrong) = (target.unsqueeze(-1), 1.0 - target.unsqueeze(-2));
            let gap = (x.unsqueeze(-2) - x.unsqueeze(-1) + 1.0).relu();
            let sum = (gap * right * wrong).sum([-2, -1]);
            reduction.of(sum / constant(sum, x.dim(-1) as f64))
        })
    }
}

/// The samples.
pub(super) fn samples() -> Vec<Sample> {
    let matrix = || Meta::new([5, 7], DType::F32);
    let labeled = |function| {
        Sample::new(function, [matrix(), Meta::new([5], DType::U32)]).operand(1, Domain::Below(7))
    };
    vec![
        labeled(costs_of_rows(
            "negative_log_likelihood",
            |x| x[0].negative_log_likelihood(x[1], -1, Reduction::None),
            |x| -x[0][x[1][0] as usize],
        ))
        .bound(Bound::Exact, "moves elements"),
        Sample::new(
            costs_of_rows(
                "soft_cross_entropy",
                |x| x[0].soft_cross_entropy(x[1], -1, Reduction::None),
                |x| {
                    let sum: f64 = x[0].iter().map(|x| x.exp()).sum();
                    x[0].iter().zip(x[1]).map(|(x, t)| -t * (x - sum.ln())).sum()
                },
            ),
            [matrix(), matrix()],
        )
        .bound(FEW.0, FEW.1),
        // Scores are drawn, so that no difference is 1 but for a label and itself.
        labeled(costs_of_rows(
            "multi_margin",
            |x| x[0].multi_margin(x[1], -1, 0.75, 2, Reduction::None),
            |x| {
                let label = x[1][0] as usize;
                let others = (0..x[0].len()).filter(|&class| class != label);
                let gaps = others.map(|class| (0.75 - x[0][label] + x[0][class]).max(0.0).powi(2));
                gaps.sum::<f64>() / x[0].len() as f64
            },
        ))
        .bound(FEW.0, FEW.1),
        Sample::new(
            costs_of_rows(
                "multilabel_margin",
                |x| x[0].multilabel_margin(x[1], Reduction::None),
                |x| {
                    let classes = 0..x[0].len();
                    let pairs = classes.clone().flat_map(|j| classes.clone().map(move |i| (j, i)));
                    let gaps = pairs.map(|(j, i)| {
                        x[1][j] * (1.0 - x[1][i]) * (1.0 - x[0][j] + x[0][i]).max(0.0)
                    });
                    gaps.sum::<f64>() / x[0].len() as f64
                },
            ),
            [matrix(), matrix()],
        )
        .operand(1, shares())
        .bound(Bound::Abs(2e-5), "sums of up to 42 terms below 3"),
    ]
}
