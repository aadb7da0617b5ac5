//! What is minimised, and what is reported beside it.

use crate::{dtype::DType, graph::Tensor};

/// The mean over all rows of `-log(softmax(logits)[label])`.
///
/// # Shapes
///
/// `logits` is `[.., classes]` in floats, `labels` `[..]` in u32; the loss is a scalar.
#[track_caller]
pub fn cross_entropy<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    logits.cross_entropy(labels).mean(..)
}

/// The mean over all elements of `(prediction - target)^2`.
#[track_caller]
pub fn mean_squared_error<'g>(prediction: Tensor<'g>, target: Tensor<'g>) -> Tensor<'g> {
    let error = prediction - target;
    (error * error).mean(..)
}

/// The share of rows whose largest logit is that of the label, as an f32 scalar.
///
/// # Shapes
///
/// `logits` is `[.., classes]`, `labels` `[..]` in u32. Of equal logits the first counts.
#[track_caller]
pub fn accuracy<'g>(logits: Tensor<'g>, labels: Tensor<'g>) -> Tensor<'g> {
    logits.argmax(-1).equal(labels).cast(DType::F32).mean(..)
}
