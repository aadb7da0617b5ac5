//! Clipping of gradients by their global norm.

use crate::graph::Tensor;

/// If any gradient is larger, all are scaled down before they are squared: squares of f32 overflow
/// from 2^64 on. Those that underflow do not count beside the epsilon.
const LARGE: f64 = (1u64 << 60) as f64;
/// A power of 2, so that scaling rounds nothing; it takes the largest f32 to 2^48.
const SCALE: f64 = 1.0 / (LARGE * (1u64 << 20) as f64);

/// Scales the gradients, of f32, so that their global norm is at most `longest`.
///
/// The epsilon is the one PyTorch adds to the norm, which avoids division by 0.
pub(super) fn clip_norm<'g>(gradients: Vec<Tensor<'g>>, longest: f64) -> Vec<Tensor<'g>> {
    let not_empty = |gradient: &&Tensor<'g>| !gradient.failed() && !gradient.shape().is_empty();
    let largest = gradients.iter().filter(not_empty).map(|gradient| gradient.abs().amax(..));
    let Some(largest) = largest.reduce(|largest, each| largest.maximum(each)) else {
        return gradients;
    };
    let scale = largest.greater(LARGE).select(SCALE, largest.full_like(1.0));
    let scaled: Vec<_> = gradients.iter().map(|&gradient| gradient * scale).collect();
    let squares = scaled.iter().map(|&x| (x * x).sum(..)).reduce(|sum, squares| sum + squares);
    let Some(squares) = squares else { return gradients };
    // A factor for the scaled gradients: the norm of the others may exceed f32.
    let share = (longest / (squares.sqrt() + 1e-6 * scale)).minimum(1.0 / scale);
    scaled.into_iter().map(|gradient| gradient * share).collect()
}
