//! Resizes images with a triangle filter: linear interpolation when enlarging, and averages whose
//! weights decrease linearly with the distance when reducing.

use super::decode::Image;

/// Stretches an image to these rows and columns; no extent is zero.
pub(super) fn stretch(image: Image, channels: usize, [rows, columns]: [usize; 2]) -> Vec<u8> {
    if [rows, columns] == [image.rows, image.columns] {
        return image.bytes;
    }
    let row = image.columns * channels;
    // Rows first, since whole rows can be added; the result of this pass is not rounded.
    let mut tall = vec![0.0; rows * row];
    for (taps, out) in taps(image.rows, rows).iter().zip(tall.chunks_exact_mut(row)) {
        for (bytes, weight) in image.bytes.chunks_exact(row).skip(taps.first).zip(&taps.weights) {
            out.iter_mut().zip(bytes).for_each(|(sum, &byte)| *sum += f32::from(byte) * weight);
        }
    }
    let taps = taps(image.columns, columns);
    let mut bytes = Vec::with_capacity(rows * columns * channels);
    for row in tall.chunks_exact(row) {
        for taps in &taps {
            for channel in 0..channels {
                let values = row[taps.first * channels..].iter().skip(channel).step_by(channels);
                let terms = values.zip(&taps.weights);
                let sum = terms.fold(0.0, |sum, (value, weight)| sum + value * weight);
                // The conversion saturates: rounding may exceed the range of a byte.
                bytes.push(sum.round() as u8);
            }
        }
    }
    bytes
}

/// The elements of the source, and their weights, that one resized element averages.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The taps of every element along an axis resized from `from` elements to `to`.
fn taps(from: usize, to: usize) -> Vec<Taps> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_image_crate() {
        // `resize` with `FilterType::Triangle`.
        let pixel = |k: u32| ((k % 7 * 37 + k / 7 * 91) % 256) as u8;
        let image = || Image { rows: 5, columns: 7, bytes: (0..35).map(pixel).collect() };
        let smaller = [58, 116, 162, 137, 138, 88, 117, 131, 88, 146, 109, 125];
        assert_eq!(stretch(image(), 1, [3, 4]), smaller);
        let taller = [
            32, 111, 190, 84, 154, 127, 133, 148, 90, 159, 52, 116, 80, 106, 181, 88, 135, 137,
            140, 144, 42,
        ];
        assert_eq!(stretch(image(), 1, [7, 3]), taller);
        assert_eq!(stretch(image(), 1, [5, 7]), image().bytes);
    }
}
