//! How the costs of a loss become its result.

use crate::{graph::Tensor, ops::full::constant};

/// How a loss combines the costs of its elements or rows.
#[doc(alias = "reduction")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Every cost.
    None,
    /// Their mean: of all elements, or of all rows.
    #[doc(alias = "sum_over_batch_size")]
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum, divided by the number of examples: the extent of the first axis. The mean of
    /// elements is smaller by the number of elements of an example.
    #[doc(alias = "batchmean")]
    BatchMean,
}

impl Reduction {
    /// Reduces costs whose first axis is that of the examples; a scalar is one example.
    #[track_caller]
    pub(crate) fn of(self, costs: Tensor<'_>) -> Tensor<'_> {
        match self {
            Reduction::None => costs,
            Reduction::Mean => costs.mean(..),
            Reduction::Sum => costs.sum(..),
            Reduction::BatchMean => {
                let examples = costs.shape().dims().first().copied().unwrap_or(1);
                let sum = costs.sum(..);
                if sum.failed() { sum } else { sum / constant(sum, examples as f64) }
            }
        }
    }
}
