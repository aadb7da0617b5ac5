//! Resizes images of bytes.

use super::decode::Image;
use crate::data::taps::{Taps, taps};

/// Stretches an image of one channel or three to these rows and columns; no extent is zero.
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
    if channels == 1 { narrowed::<1>(&tall, row, &taps) } else { narrowed::<3>(&tall, row, &taps) }
}

/// Resizes rows of so many values, with `N` channels, along the columns.
fn narrowed<const N: usize>(tall: &[f32], row: usize, taps: &[Taps]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tall.len() / row * taps.len() * N);
    for row in tall.chunks_exact(row) {
        let pixels: &[[f32; N]] = row.as_chunks().0;
        for taps in taps {
            let mut sums = [0.0f32; N];
            for (pixel, weight) in pixels.iter().skip(taps.first).zip(&taps.weights) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value * weight);
            }
            // The conversion saturates: rounding may exceed the range of a byte.
            bytes.extend(sums.map(|sum| sum.round() as u8));
        }
    }
    bytes
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
