//! Clipping of gradients: by their global norm, and by value.

use super::optimizer::{Adaptor, Optimizer, Update};
use crate::{graph::Tensor, nn::Scope, numbers::Must};

/// Scales all gradients together so that their global norm is at most this value.
///
/// Gradients of f32 of any size are clipped, also those whose squares are no f32. The epsilon is the
/// one that PyTorch adds to the norm: 1e-6.
///
/// # Source
///
/// Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", arXiv:1211.5063.
#[doc(alias("clip_grad_norm_", "global_clipnorm"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm(pub f64);

/// Limits each element of the gradients to `[-limit, limit]`.
#[doc(alias("clip_grad_value_", "clipvalue"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipValue(pub f64);

impl Adaptor for ClipNorm {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let limit = [("norm", self.0, Must::BeALimit)];
        if state.graph().refuse_invalid("clip_norm", &[], &limit).is_none() {
            let gradients = updates.iter().map(|update| update.gradient).collect();
            inner.step(state, &replaced(updates, clip_norm(gradients, self.0)));
        }
    }
}

impl Adaptor for ClipValue {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        let limit = [("value", self.0, Must::BeALimit)];
        if state.graph().refuse_invalid("clip_value", &[], &limit).is_none() {
            let clipped = updates.iter().map(|update| update.gradient.clip(-self.0, self.0));
            inner.step(state, &replaced(updates, clipped.collect()));
        }
    }
}

/// The same updates with other gradients.
fn replaced<'a, 'g>(updates: &[Update<'a, 'g>], gradients: Vec<Tensor<'g>>) -> Vec<Update<'a, 'g>> {
    let pairs = updates.iter().zip(gradients);
    pairs.map(|(update, gradient)| Update { gradient, ..*update }).collect()
}

/// If any gradient is larger, all are scaled down before they are squared: squares of f32 overflow
/// from 2^64 on. Those that underflow do not count beside the epsilon.
const LARGE: f64 = (1u64 << 60) as f64;
/// A power of 2, so that scaling rounds nothing; it takes the largest f32 to 2^48.
const SCALE: f64 = 1.0 / (LARGE * (1u64 << 20) as f64);

/// Gradients, times a scale at which their squares are f32, and the norm of them all.
struct Scaled<'g> {
    gradients: Vec<Tensor<'g>>,
    scale: Tensor<'g>,
    norm: Tensor<'g>,
}

/// `None` without elements.
fn scaled<'g>(gradients: &[Tensor<'g>]) -> Option<Scaled<'g>> {
    let largest = largest(gradients)?;
    let scale = largest.greater(LARGE).select(SCALE, largest.full_like(1.0));
    let gradients: Vec<_> = gradients.iter().map(|&gradient| gradient * scale).collect();
    let squares = gradients.iter().map(|&x| (x * x).sum(..));
    let norm = squares.reduce(|sum, squares| sum + squares)?.sqrt();
    Some(Scaled { gradients, scale, norm })
}

/// The gradients, scaled so that their global norm is at most `longest`.
fn clip_norm<'g>(gradients: Vec<Tensor<'g>>, longest: f64) -> Vec<Tensor<'g>> {
    let Some(Scaled { gradients, scale, norm }) = scaled(&gradients) else { return gradients };
    // A factor for the scaled gradients: the norm of the others may exceed f32.
    let share = (longest / (norm + 1e-6 * scale)).minimum(1.0 / scale);
    gradients.into_iter().map(|gradient| gradient * share).collect()
}

/// The norm of gradients, of f32, all together.
pub(crate) fn global_norm<'g>(gradients: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    scaled(gradients).map(|Scaled { scale, norm, .. }| norm / scale)
}

/// The largest absolute value of the gradients, NaN if there is one; `None` without elements.
pub(super) fn largest<'g>(gradients: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    let not_empty = |gradient: &&Tensor<'g>| !gradient.failed() && !gradient.shape().is_empty();
    let largest = gradients.iter().filter(not_empty).map(|gradient| gradient.abs().amax(..));
    largest.reduce(|largest, each| largest.maximum(each))
}
