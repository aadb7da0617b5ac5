//! The triangle filter: linear interpolation when enlarging, and averages whose weights decrease
//! linearly with the distance when reducing.

/// The elements of the source, and their weights, that one resized element averages.
pub(super) struct Taps {
    pub first: usize,
    pub weights: Vec<f32>,
}

/// The taps of every element along an axis resized from `from` elements, of which there is one at
/// least, to `to`.
pub(super) fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f32 / to as f32;
    // The radius of the filter in elements of the source.
    let reach = ratio.max(1.0);
    let taps = |element: usize| {
        let center = (element as f32 + 0.5) * ratio;
        let first = ((center - reach).floor().max(0.0) as usize).min(from - 1);
        let end = ((center + reach).ceil() as usize).clamp(first + 1, from);
        let weight = |k: usize| {
            let distance = ((k as f32 - (center - 0.5)) / reach).abs();
            if distance < 1.0 { 1.0 - distance } else { 0.0 }
        };
        let mut weights: Vec<f32> = (first..end).map(weight).collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Taps { first, weights }
    };
    (0..to).map(taps).collect()
}
