//! Memory layout of elements on a GPU: the same words as on the host, except f16, which takes two
//! bytes per element.
//!
//! Buffers are copied and bound in whole words, so an odd number of f16 elements is followed by two
//! bytes of padding.

use crate::{dtype::DType, schedule::plan::Region};
use half::{f16, slice::HalfFloatSliceExt};
use std::borrow::Cow;

/// Alignment of bindings in bytes.
pub(crate) const ALIGNMENT: u64 = 256;

/// Size of an element in bytes.
pub(crate) fn width(dtype: DType) -> u64 {
    if dtype == DType::F16 { 2 } else { 4 }
}

/// Size of `len` elements in bytes, at least 4: nothing of size 0 can be bound.
pub(crate) fn bytes_of(len: usize, dtype: DType) -> u64 {
    (width(dtype) * len as u64).next_multiple_of(4).max(4)
}

/// Byte offset of a region in its storage.
pub(crate) fn first_of(region: Region) -> u64 {
    width(region.dtype) * region.offset as u64
}

/// Encodes words for the device; f16 rounds each word to nearest, ties to even.
pub(crate) fn encode(words: &[u32], dtype: DType) -> Cow<'_, [u8]> {
    if dtype != DType::F16 {
        return Cow::Borrowed(bytemuck::cast_slice(words));
    }
    let mut halves = vec![f16::ZERO; words.len().next_multiple_of(2)];
    halves[..words.len()].convert_from_f32_slice(bytemuck::cast_slice(words));
    Cow::Owned(halves.iter().flat_map(|half| half.to_bits().to_ne_bytes()).collect())
}

/// Decodes the first `len` elements, or as many as there are.
pub(crate) fn decode(bytes: &[u8], dtype: DType, len: usize) -> Vec<u32> {
    let bytes = bytes.get(..len * width(dtype) as usize).unwrap_or(bytes);
    if dtype != DType::F16 {
        return bytemuck::pod_collect_to_vec(bytes);
    }
    let halves: Vec<f16> =
        bytes.as_chunks().0.iter().map(|&half| f16::from_bits(u16::from_ne_bytes(half))).collect();
    let mut floats = vec![0.0f32; halves.len()];
    halves.convert_to_f32_slice(&mut floats);
    bytemuck::cast_vec(floats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for dtype in DType::ALL {
            for len in [0, 1, 2, 5, 1025] {
                let words: Vec<u32> = (0..len).map(|k| dtype.to_word((k % 7) as f64)).collect();
                let bytes = encode(&words, dtype);
                assert_eq!(bytes.len().max(4) as u64, bytes_of(len, dtype));
                assert_eq!(decode(&bytes, dtype, len), words, "{len} of {dtype}");
            }
        }
    }

    /// Corner cases of the conversion on the host, from the definition of binary16.
    #[test]
    fn halves_are_rounded_to_nearest_even() {
        let at = |x: f32| u16::from_ne_bytes([0, 1].map(|k| encode(&[x.to_bits()], DType::F16)[k]));
        let cases: [(f32, u16); 13] = [
            (1.0, 0x3c00),
            (1.0 + 1.0 / 2048.0, 0x3c00), // a tie, down
            (1.0 + 3.0 / 2048.0, 0x3c02), // a tie, up
            (65504.0, 0x7bff),
            (65519.996, 0x7bff),
            (65520.0, 0x7c00), // a tie, to what would be even: infinity
            (-1e30, 0xfc00),
            (f32::NEG_INFINITY, 0xfc00),
            (-0.0, 0x8000),
            (5.960_464_5e-8, 0x0001), // 2^-24, the smallest subnormal
            (2.980_232_2e-8, 0x0000), // half of it: a tie
            (8.940_697e-8, 0x0002),   // 1.5 times it: a tie
            (6.101_131_4e-5, 0x0400), // the tie below the smallest normal
        ];
        for (x, half) in cases {
            assert_eq!(at(x), half, "{x:e}");
        }
        assert_eq!(at(f32::NAN) & 0x7c00, 0x7c00);
        assert_ne!(at(f32::NAN) & 0x03ff, 0);
    }
}
