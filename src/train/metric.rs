//! Metrics: parts computed on the device, combined over batches on the host.

use super::{Average, Confusion};
use crate::{
    dtype::DType,
    functions::targets::{class_axis, refuse_unequal_shapes},
    graph::Tensor,
    numbers::Must,
};
use std::{fmt, sync::Arc};

/// A number that describes how good predictions are, over any number of batches.
///
/// A device computes parts of it for each batch. The host combines them in f64, in the order of the
/// batches, and has the number at the end: the root of a mean is not the mean of roots, so batches
/// of any size give the metric of the whole set.
///
/// ```
/// use wgrad::{DType, Graph, train::Metric};
///
/// let graph = Graph::new();
/// let [y, target] = ["y", "target"].map(|name| graph.input(name, [32, 1], DType::F32));
/// // The share of predictions that are off by less than a tenth.
/// let near = (y - target).abs().less(0.1).cast(DType::F32);
/// let share = Metric::mean(near);
/// // The geometric mean of the errors, from a sum and a number that is known.
/// let logs = (y - target).abs().log().sum(..);
/// let geometric = Metric::sums([logs], [32.0], |sums| (sums[0] / sums[1]).exp());
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("torchmetrics", "keras.metrics", "metrics"))]
#[derive(Clone)]
pub struct Metric<'g> {
    pub(super) parts: Vec<Tensor<'g>>,
    pub(super) kind: Kind,
}

type Combine<T> = Arc<dyn Fn(&T) -> f64 + Send + Sync>;

/// How parts of batches are combined.
#[derive(Clone)]
pub(super) enum Kind {
    /// The parts are added, and so are numbers that are known of each batch.
    Sums { known: Vec<f64>, combine: Combine<[f64]> },
    /// The parts are labels and predictions, which are counted.
    Counts { classes: usize, combine: Combine<Confusion> },
    /// The parts are kept, one batch after another.
    Rows { known: Vec<f64>, combine: Combine<[Vec<f64>]> },
}

impl fmt::Debug for Metric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Sums { .. } => "sums",
            Kind::Counts { .. } => "counts",
            Kind::Rows { .. } => "rows",
        };
        f.debug_struct("Metric").field("parts", &self.parts).field("kind", &kind).finish()
    }
}

impl<'g> Metric<'g> {
    /// A function of sums: every part is summed over its elements and over batches, and so are
    /// numbers that are known of a batch when it is traced. `combine` gets the sums of the parts,
    /// then those of the known numbers.
    pub fn sums(
        parts: impl IntoIterator<Item = Tensor<'g>>,
        known: impl IntoIterator<Item = f64>,
        combine: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let known = known.into_iter().collect();
        let parts = parts.into_iter().map(|part| part.widened().sum(..)).collect();
        Metric { parts, kind: Kind::Sums { known, combine: Arc::new(combine) } }
    }

    /// A function of the counts of predictions by true and predicted class, u32 and of one shape.
    /// Labels and predictions that are no class are not counted: ignored labels need no mask.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`OpError::Shapes`](crate::OpError::Shapes) unless there is a label
    /// for each prediction.
    #[track_caller]
    pub fn counts(
        labels: Tensor<'g>,
        predictions: Tensor<'g>,
        classes: usize,
        combine: impl Fn(&Confusion) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let parts = match refuse_unequal_shapes("metric", predictions, labels) {
            Some(refused) => vec![refused],
            None => vec![labels.cast(DType::U32), predictions.cast(DType::U32)],
        };
        Metric { parts, kind: Kind::Counts { classes, combine: Arc::new(combine) } }
    }

    /// A function of everything: the elements of every part are kept, one batch after another. It
    /// takes memory on the host for all of them.
    pub fn rows(
        parts: impl IntoIterator<Item = Tensor<'g>>,
        combine: impl Fn(&[Vec<f64>]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Metric::kept(parts.into_iter().collect(), vec![], combine)
    }

    fn kept(
        parts: Vec<Tensor<'g>>,
        known: Vec<f64>,
        combine: impl Fn(&[Vec<f64>]) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Metric { parts, kind: Kind::Rows { known, combine: Arc::new(combine) } }
    }

    /// The mean over all elements.
    pub fn mean(values: Tensor<'g>) -> Self {
        Metric::sums([values], [values.shape().len() as f64], |sums| sums[0] / sums[1])
    }

    /// The share of rows whose largest logit is that of the label; of equal ones the first counts.
    ///
    /// # Shapes
    ///
    /// `logits` is `[.., classes]`, `labels` `[..]` in u32.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: those of [`nn::accuracy`](crate::nn::accuracy).
    #[doc(alias = "CategoricalAccuracy")]
    #[track_caller]
    pub fn accuracy(logits: Tensor<'g>, labels: Tensor<'g>) -> Self {
        match predicted(logits, labels) {
            Ok(predicted) => Metric::mean(predicted.equal(labels).cast(DType::F32)),
            Err(refused) => Metric::mean(refused),
        }
    }

    /// The share of rows whose label is among the `k` largest logits. Logits that equal that of the
    /// label come after it.
    ///
    /// # Shapes
    ///
    /// Same as [`accuracy`](Self::accuracy).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: same as [`accuracy`](Self::accuracy);
    /// [`OpError::Number`](crate::OpError::Number) if `k` is 0.
    #[doc(alias = "TopKCategoricalAccuracy")]
    #[track_caller]
    pub fn top_k(logits: Tensor<'g>, labels: Tensor<'g>, k: usize) -> Self {
        let numbers = [("k", k as f64, Must::BePositive)];
        if let Some(refused) = logits.graph().refuse_invalid("top_k", &[logits], &numbers) {
            return Metric::mean(refused);
        }
        if let Err(refused) = predicted(logits, labels) {
            return Metric::mean(refused);
        }
        let rows = labels.shape().len();
        let (logits, labels) = (logits.reshape([rows, logits.dim(-1)]), labels.reshape([rows, 1]));
        let own = logits.gather_elements(labels, 1);
        let before = logits.greater(own).cast(DType::F32).sum(1);
        Metric::mean(before.less(k as f64).cast(DType::F32))
    }

    /// Counts of predictions by true and predicted class, which [`Measures::confusion`] returns. As
    /// a number it is the accuracy over labels that are a class.
    ///
    /// # Shapes
    ///
    /// Same as [`accuracy`](Self::accuracy).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: same as [`accuracy`](Self::accuracy).
    ///
    /// [`Measures::confusion`]: super::Measures::confusion
    #[doc(alias = "ConfusionMatrix")]
    #[track_caller]
    pub fn confusion(logits: Tensor<'g>, labels: Tensor<'g>) -> Self {
        Metric::of_classes(logits, labels, Confusion::accuracy)
    }

    /// The share of predictions of a class that are right: see [`Confusion::precision`].
    ///
    /// # Shapes
    ///
    /// Same as [`accuracy`](Self::accuracy).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: same as [`accuracy`](Self::accuracy).
    #[track_caller]
    pub fn precision(logits: Tensor<'g>, labels: Tensor<'g>, average: Average) -> Self {
        Metric::of_classes(logits, labels, move |confusion| confusion.precision(average))
    }

    /// The share of a class that is predicted to be: see [`Confusion::recall`].
    ///
    /// # Shapes
    ///
    /// Same as [`accuracy`](Self::accuracy).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: same as [`accuracy`](Self::accuracy).
    #[track_caller]
    pub fn recall(logits: Tensor<'g>, labels: Tensor<'g>, average: Average) -> Self {
        Metric::of_classes(logits, labels, move |confusion| confusion.recall(average))
    }

    /// The harmonic mean of precision and recall: see [`Confusion::f1`].
    ///
    /// # Shapes
    ///
    /// Same as [`accuracy`](Self::accuracy).
    ///
    /// # Errors
    ///
    /// Recorded by the graph: same as [`accuracy`](Self::accuracy).
    #[doc(alias("F1Score", "FBeta"))]
    #[track_caller]
    pub fn f1(logits: Tensor<'g>, labels: Tensor<'g>, average: Average) -> Self {
        Metric::of_classes(logits, labels, move |confusion| confusion.f1(average))
    }

    #[track_caller]
    fn of_classes(
        logits: Tensor<'g>,
        labels: Tensor<'g>,
        combine: impl Fn(&Confusion) -> f64 + Send + Sync + 'static,
    ) -> Self {
        let predicted = predicted(logits, labels).unwrap_or_else(|refused| refused);
        Metric::counts(labels, predicted, logits.dim(-1), combine)
    }

    /// The area under the receiver operating characteristic: the probability that a row of label 1
    /// has a higher score than one of label 0, where equal scores count half. NaN if one of the two
    /// is missing.
    ///
    /// It is exact, and keeps all scores: 16 bytes a row.
    ///
    /// # Shapes
    ///
    /// `scores` and `labels`, of any one shape; labels are 0 or 1, of any type.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`OpError::Shapes`](crate::OpError::Shapes).
    #[doc(alias("AUC", "roc_auc_score"))]
    #[track_caller]
    pub fn auc(scores: Tensor<'g>, labels: Tensor<'g>) -> Self {
        match refuse_unequal_shapes("auc", scores, labels) {
            Some(refused) => Metric::mean(refused),
            None => Metric::rows([scores.widened(), labels.cast(DType::F32)], area_under_curve),
        }
    }

    /// The mean absolute error.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`OpError::Shapes`](crate::OpError::Shapes) unless both have one shape.
    #[doc(alias = "MeanAbsoluteError")]
    #[track_caller]
    pub fn mae(y: Tensor<'g>, target: Tensor<'g>) -> Self {
        Metric::mean(errors("mae", y, target).abs())
    }

    /// The root of the mean squared error.
    ///
    /// # Errors
    ///
    /// Same as [`mae`](Self::mae).
    #[doc(alias = "RootMeanSquaredError")]
    #[track_caller]
    pub fn rmse(y: Tensor<'g>, target: Tensor<'g>) -> Self {
        let errors = errors("rmse", y, target);
        let elements = errors.shape().len() as f64;
        Metric::sums([errors * errors], [elements], |sums| (sums[0] / sums[1]).sqrt())
    }

    /// The share of the variance of the targets that is predicted: `1 - sum (y - t)^2 / sum (t -
    /// mean t)^2`, averaged over the columns. A column that does not vary counts 1 if it is
    /// predicted exactly, and 0 otherwise.
    ///
    /// # Shapes
    ///
    /// `y` and `target` are `[rows, ..]`.
    ///
    /// # Numerics
    ///
    /// Variances are taken about the mean of each batch and merged in f64, so a large mean costs no
    /// digits.
    ///
    /// # Errors
    ///
    /// Same as [`mae`](Self::mae).
    ///
    /// # Source
    ///
    /// scikit-learn's `r2_score`; merging: Chan, Golub and LeVeque 1983.
    #[doc(alias("r2_score", "R2Score"))]
    #[track_caller]
    pub fn r2(y: Tensor<'g>, target: Tensor<'g>) -> Self {
        let errors = errors("r2", y, target);
        if errors.failed() || errors.rank() == 0 {
            return Metric::mean(errors);
        }
        let rows = errors.dim(0);
        let columns = errors.shape().len() / rows.max(1);
        let [errors, target] = [errors, target.widened()].map(|x| x.reshape([rows, columns]));
        let mean = target.mean_keepdims(0);
        let off = target - mean;
        let parts = vec![(errors * errors).sum(0), (off * off).sum(0), mean];
        Metric::kept(parts, vec![rows as f64], predicted_variance)
    }

    /// The effective number of choices of a model of sequences: `exp` of the mean cost of a label.
    ///
    /// # Shapes
    ///
    /// `costs` is what each label costs, `-ln p`, as
    /// [`CrossEntropy`](crate::nn::CrossEntropy) without reduction returns.
    pub fn perplexity(costs: Tensor<'g>) -> Self {
        Metric::sums([costs], [costs.shape().len() as f64], |sums| (sums[0] / sums[1]).exp())
    }
}

/// The class of the largest logit of each row, or what was refused.
#[track_caller]
fn predicted<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Result<Tensor<'g>, Tensor<'g>> {
    class_axis("metric", [logits, labels], None)?;
    let predicted = logits.argmax(-1);
    refuse_unequal_shapes("metric", predicted, labels).map_or(Ok(predicted), Err)
}

#[track_caller]
fn errors<'g>(name: &'static str, y: Tensor<'g>, target: Tensor<'g>) -> Tensor<'g> {
    let refused = refuse_unequal_shapes(name, y, target);
    refused.unwrap_or_else(|| y.widened() - target.widened())
}

/// The Mann-Whitney statistic of scores and labels, over its largest value.
fn area_under_curve(rows: &[Vec<f64>]) -> f64 {
    let [scores, labels] = rows else { return f64::NAN };
    if scores.iter().any(|score| score.is_nan()) {
        return f64::NAN;
    }
    let mut pairs: Vec<(f64, bool)> =
        scores.iter().copied().zip(labels.iter().map(|&label| label > 0.5)).collect();
    pairs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let positives = pairs.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
    let negatives = pairs.len() as f64 - positives;
    let (mut below, mut wins) = (0.0, 0.0);
    // Zeros of both signs are equal scores.
    for ties in pairs.chunk_by(|(a, _), (b, _)| a == b) {
        let of_ties = ties.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
        let against = ties.len() as f64 - of_ties;
        wins += of_ties * (below + against / 2.0);
        below += against;
    }
    wins / (positives * negatives)
}

/// Squared errors, squared deviations and means by column, of each batch, and numbers of rows.
fn predicted_variance(rows: &[Vec<f64>]) -> f64 {
    let [errors, deviations, means, counts] = rows else { return f64::NAN };
    let columns = means.len() / counts.len().max(1);
    let column = |column: usize| {
        let of = |values: &[f64], batch: usize| {
            values.get(batch * columns + column).copied().unwrap_or(f64::NAN)
        };
        let (mut error, mut spread, mut mean, mut seen) = (0.0, 0.0, 0.0, 0.0);
        for (batch, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let (total, off) = (seen + count, of(means, batch) - mean);
            error += of(errors, batch);
            spread += of(deviations, batch) + off * off * seen * count / total;
            mean += off * count / total;
            seen = total;
        }
        match (error, spread) {
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            _ => 1.0 - error / spread,
        }
    };
    (0..columns).map(column).sum::<f64>() / columns as f64
}
