//! Loss functions and metrics.

use crate::{
    dtype::DType,
    error::OpError,
    functions::{
        Reduction,
        precision::loss_in_f32,
        targets::{class_axis, counted, paired, refuse_unequal_shapes},
    },
    graph::Tensor,
    numbers::Must,
    ops::full::constant,
    shape::Shape,
};

/// The name of cross-entropy in errors.
const NAME: &str = "cross_entropy";

/// The mean over all rows of `-log(softmax(logits)[label])`.
///
/// A label that is not below the number of classes is an error if the host can see it, and makes the
/// loss NaN otherwise: see [`Tensor::cross_entropy`]. To leave rows out, see
/// [`ignoring`](CrossEntropy::ignoring).
///
/// # Shapes
///
/// `logits` is `[.., classes]` in floats, `labels` `[..]` in u32; the loss is a scalar. Of PyTorch's
/// `[n, classes, ..]`, take [`CrossEntropy::axis`].
///
/// # Errors
///
/// As for [`CrossEntropy::loss`].
#[doc(alias = "SparseCategoricalCrossentropy")]
#[track_caller]
pub fn cross_entropy<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    match class_axis(NAME, [logits, labels], None) {
        Ok(axis) => logits.cross_entropy(labels, axis, Reduction::Mean),
        Err(refused) => refused,
    }
}

/// Cross-entropy with label smoothing, class weights, ignored labels, and any axis and reduction.
///
/// With smoothing `s`, `k` classes and weights `w`, a row of logits with label `y` costs
/// `(1 - s) w[y] l[y] + s / k sum_c w[c] l[c]`, where `l` is `-ln softmax`. If the labels are class
/// probabilities `t`, it costs `sum_c w[c] ((1 - s) t[c] + s / k) l[c]`.
///
/// ```
/// use wgrad::{DType, Graph, Reduction, nn::CrossEntropy};
///
/// let graph = Graph::new();
/// let logits = graph.input("logits", [8, 21, 64, 64], DType::F32);
/// let labels = graph.input("labels", [8, 64, 64], DType::U32);
/// let loss = CrossEntropy::new().axis(1).ignoring(255).loss(logits, labels);
/// let each = CrossEntropy::new().axis(1).reduction(Reduction::None).loss(logits, labels);
/// assert_eq!((loss.rank(), each.shape().dims()), (0, &[8, 64, 64][..]));
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Numerics
///
/// With f16 logits the sum or the mean is rounded once; neither costs of rows nor their number are.
///
/// # Source
///
/// Label smoothing: Szegedy et al. 2015. The mean is defined as in PyTorch.
#[doc(alias = "CrossEntropyLoss")]
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy<'g> {
    smoothing: f64,
    weights: Option<Tensor<'g>>,
    ignored: Option<u32>,
    are_logarithms: bool,
    axis: Option<i32>,
    reduction: Reduction,
}

impl<'g> CrossEntropy<'g> {
    /// Plain cross-entropy: [`cross_entropy`].
    pub fn new() -> Self {
        CrossEntropy::default()
    }

    /// Sets the axis of the classes; the last one by default, where PyTorch's is 1.
    pub fn axis(self, axis: i32) -> Self {
        CrossEntropy { axis: Some(axis), ..self }
    }

    /// Sets what becomes of the costs of the rows; their mean by default.
    pub fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropy { reduction, ..self }
    }

    /// Takes log probabilities instead of logits: PyTorch's `nll_loss`.
    #[doc(alias("nll_loss", "NLLLoss"))]
    pub fn of_logarithms(self) -> Self {
        CrossEntropy { are_logarithms: true, ..self }
    }

    /// Sets the share of a row's cost that is spread over all classes, in `[0, 1]`.
    #[doc(alias = "label_smoothing")]
    pub fn smoothing(self, smoothing: f64) -> Self {
        CrossEntropy { smoothing, ..self }
    }

    /// Sets the weight of each class, `[classes]`.
    #[doc(alias = "class_weight")]
    pub fn weights(self, weights: Tensor<'g>) -> Self {
        CrossEntropy { weights: Some(weights), ..self }
    }

    /// Sets a label whose rows cost nothing and are not counted; it need not be a class. Their
    /// derivatives are 0, whatever their logits, even NaN. Other labels that are not a class are an
    /// error if the host can see them, and make the loss NaN otherwise.
    #[doc(alias = "ignore_index")]
    pub fn ignoring(self, label: u32) -> Self {
        CrossEntropy { ignored: Some(label), ..self }
    }

    /// The loss of labels.
    ///
    /// The mean is that over the rows that are not ignored, weighted by the weights of their labels;
    /// NaN if there are none.
    ///
    /// # Shapes
    ///
    /// `logits` has the classes on [`axis`](Self::axis), and `labels` in u32 has the same shape
    /// without it; the loss is a scalar, or has the shape of the labels unreduced.
    ///
    /// # Errors
    ///
    /// Those of [`Tensor::cross_entropy`]; [`AxisError::Ambiguous`](crate::AxisError::Ambiguous) if
    /// no axis is given, and labels would fit classes on axis 1 as well as on the last one.
    #[track_caller]
    pub fn loss(&self, logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
        self.in_f32([logits, labels], |loss, [logits, labels]| {
            let costs = loss.rows(logits, labels);
            if loss.reduction != Reduction::Mean {
                return loss.reduction.of(costs);
            }
            let counts = match loss.weights {
                Some(weights) => {
                    let classes = loss.ignored.map_or(labels, |label| counted(labels, label));
                    weights.index_select(classes, 0)
                }
                None => costs.full_like(1.0),
            };
            let counts =
                loss.ignored.map_or(counts, |ignored| labels.equal(ignored).select(0.0, counts));
            costs.sum(..) / counts.sum(..)
        })
    }

    /// The cost of each row, calculated with what it is given.
    #[track_caller]
    fn rows(&self, logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
        let is_ignored = self.ignored.map(|ignored| labels.equal(ignored));
        // Before the logarithm: its derivative of 0 would meet what an ignored row holds.
        let logits = is_ignored.map_or(logits, |is_ignored| {
            is_ignored.unsqueeze(-1).select(logits.full_like(0.0), logits)
        });
        let costs = self.costs(logits);
        let cost = self.smoothed(costs, costs.at_labels(NAME, labels, self.ignored));
        is_ignored.map_or(cost, |is_ignored| is_ignored.select(0.0, cost))
    }

    /// The loss of class probabilities. No rows are ignored; the mean is unweighted over all rows.
    ///
    /// # Shapes
    ///
    /// Both have the classes on [`axis`](Self::axis); the loss is a scalar, or has their shape
    /// without that axis unreduced.
    ///
    /// # Errors
    ///
    /// [`OpError::Shapes`] unless the shapes are equal;
    /// [`AxisError::Ambiguous`](crate::AxisError::Ambiguous) if no axis is given and there are more
    /// than two.
    #[doc(alias = "CategoricalCrossentropy")]
    #[track_caller]
    pub fn loss_of_probabilities(
        &self,
        logits: Tensor<'g>,
        probabilities: Tensor<'g>,
    ) -> Tensor<'g> {
        if let Some(refused) = refuse_unequal_shapes(NAME, logits, probabilities) {
            return refused;
        }
        let probabilities = match self.axis {
            Some(axis) if probabilities.rank() > 0 => probabilities.with_classes_last(NAME, axis),
            _ => probabilities,
        };
        self.in_f32([logits, probabilities], |loss, [logits, probabilities]| {
            let costs = loss.costs(logits);
            loss.reduction.of(loss.smoothed(costs, (costs * probabilities).sum(-1)))
        })
    }

    /// Calculates `body` in f32: of this loss, whose weights are widened as well, and operands, with
    /// the classes of the logits on their last axis.
    #[track_caller]
    fn in_f32(
        &self,
        [logits, labels]: [Tensor<'g>; 2],
        body: impl FnOnce(Self, [Tensor<'g>; 2]) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let smoothing = [("smoothing", self.smoothing, Must::BeFraction)];
        if let Some(refused) = logits.graph().refuse_invalid(NAME, &[logits, labels], &smoothing) {
            return refused;
        }
        let logits = match class_axis(NAME, [logits, labels], self.axis) {
            Ok(axis) => logits.with_classes_last(NAME, axis),
            Err(refused) => return refused,
        };
        let classes = Shape::from([logits.dim(-1)]);
        if let Some(weights) = self.weights
            && !weights.failed()
            && weights.shape() != classes
        {
            return logits.graph().refuse(NAME, &[weights], OpError::Target(classes));
        }
        // Any tensor is a placeholder for weights.
        let operands = [logits, labels, self.weights.unwrap_or(logits)];
        loss_in_f32(NAME, operands, |[logits, labels, weights]| {
            body(
                CrossEntropy { weights: self.weights.and(Some(weights)), ..*self },
                [logits, labels],
            )
        })
    }

    /// The cost `own` of each row, a share of which is spread over the costs of all classes.
    #[track_caller]
    fn smoothed(&self, costs: Tensor<'g>, own: Tensor<'g>) -> Tensor<'g> {
        if self.smoothing == 0.0 {
            own
        } else {
            own + (costs.mean(-1) - own) * constant(own, self.smoothing)
        }
    }

    /// The cost of each class as the label, `[.., classes]`.
    #[track_caller]
    fn costs(&self, logits: Tensor<'g>) -> Tensor<'g> {
        let costs = if self.are_logarithms { -logits } else { -logits.log_softmax(-1) };
        self.weights.map_or(costs, |weights| costs * weights)
    }
}

/// The mean over all elements of `(prediction - target)^2`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Shapes`] unless the shapes are equal, or the target is a single
/// number.
#[doc(alias("mse_loss", "MSELoss"))]
#[track_caller]
pub fn mean_squared_error<'g>(prediction: Tensor<'g>, target: Tensor<'g>) -> Tensor<'g> {
    paired("mean_squared_error", [prediction, target], |[prediction, target]| {
        prediction.squared_error(target, Reduction::Mean)
    })
}

/// The fraction of rows whose largest logit is that of the label, as an f32 scalar.
///
/// # Shapes
///
/// `logits` is `[.., classes]`, `labels` `[..]` in u32. Among equal logits the first one wins. With
/// classes on another axis: `logits.argmax(axis).equal(labels)`, and its mean.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Shapes`] unless there is one label per row;
/// [`AxisError::Ambiguous`](crate::AxisError::Ambiguous) if there also is for classes on axis 1.
#[doc(alias = "SparseCategoricalAccuracy")]
#[track_caller]
pub fn accuracy<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    if let Err(refused) = class_axis("accuracy", [logits, labels], None) {
        return refused;
    }
    let predicted = logits.argmax(-1);
    match refuse_unequal_shapes("accuracy", predicted, labels) {
        Some(refused) => refused,
        None => predicted.equal(labels).cast(DType::F32).mean(..),
    }
}
