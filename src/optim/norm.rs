//! Norms of gradients, whatever their size.

use crate::graph::Tensor;

/// If any gradient is larger, all are scaled down before they are squared: squares of f32 overflow
/// from 2^64 on. Those that underflow do not count beside the epsilon.
const LARGE: f64 = (1u64 << 60) as f64;
/// A power of 2, so that scaling rounds nothing; it takes the largest f32 to 2^48.
const SCALE: f64 = 1.0 / (LARGE * (1u64 << 20) as f64);

/// Gradients, times a scale at which their squares are f32, and the norm of them all.
pub(super) struct Scaled<'g> {
    pub gradients: Vec<Tensor<'g>>,
    pub scale: Tensor<'g>,
    pub norm: Tensor<'g>,
}

/// `None` without elements.
pub(super) fn scaled<'g>(gradients: &[Tensor<'g>]) -> Option<Scaled<'g>> {
    let largest = largest(gradients)?;
    let scale = largest.greater(LARGE).select(SCALE, largest.full_like(1.0));
    let gradients: Vec<_> = gradients.iter().map(|&gradient| gradient * scale).collect();
    let squares = gradients.iter().map(|&x| (x * x).sum(..));
    let norm = squares.reduce(|sum, squares| sum + squares)?.sqrt();
    Some(Scaled { gradients, scale, norm })
}

/// The norm of gradients, of f32, all together.
pub(crate) fn global_norm<'g>(gradients: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    scaled(gradients).map(|Scaled { scale, norm, .. }| norm / scale)
}

/// Whether all gradients are finite; `None` without elements.
pub(crate) fn are_finite<'g>(gradients: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    // NaN is not less.
    largest(gradients).map(|largest| largest.less(f64::INFINITY))
}

/// The largest absolute value of the gradients, NaN if there is one; `None` without elements.
fn largest<'g>(gradients: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    let not_empty = |gradient: &&Tensor<'g>| !gradient.failed() && !gradient.shape().is_empty();
    let largest = gradients.iter().filter(not_empty).map(|gradient| gradient.abs().amax(..));
    largest.reduce(|largest, each| largest.maximum(each))
}
