//! The weights of cubic interpolation.
//!
//! Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing".

use crate::graph::Tensor;

/// The `a` of the cubic kernel, as in PyTorch.
pub(super) const A: f64 = -0.75;

/// The weights of four elements, the second of which is `share` before a place.
#[track_caller]
pub(super) fn cubic(share: Tensor<'_>, a: f64) -> [Tensor<'_>; 4] {
    [outer(share + 1.0, a), inner(share, a), inner(1.0 - share, a), outer(2.0 - share, a)]
}

/// The weight of an element at distance at most 1.
#[track_caller]
pub(super) fn inner(t: Tensor<'_>, a: f64) -> Tensor<'_> {
    (t * (a + 2.0) - (a + 3.0)) * t * t + 1.0
}

/// The weight of an element at a larger distance.
#[track_caller]
pub(super) fn outer(t: Tensor<'_>, a: f64) -> Tensor<'_> {
    ((t * a - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a
}

/// The definition: the weight of an element at a distance.
pub(super) fn keys(d: f64, a: f64) -> f64 {
    match d.abs() {
        d if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d * d + 1.0,
        d if d < 2.0 => a * d.powi(3) - 5.0 * a * d * d + 8.0 * a * d - 4.0 * a,
        _ => 0.0,
    }
}
