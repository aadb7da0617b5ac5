//! Brings images of any shape to one size.

use super::{decode::Image, resize::stretch};

/// How an image whose aspect ratio is another one is brought to a size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fit {
    /// Stretches it: all is there, but out of proportion.
    #[default]
    Stretch,
    /// Cuts off what is too much at both sides, or at top and bottom.
    #[doc(alias("crop_to_aspect_ratio", "CenterCrop"))]
    Crop,
    /// Leaves bars of zeros at both sides, or at top and bottom.
    #[doc(alias("pad_to_aspect_ratio", "letterbox"))]
    Pad,
}

impl Fit {
    /// Brings an image to these rows and columns; no extent is zero.
    pub(super) fn apply(self, image: Image, channels: usize, size: [usize; 2]) -> Vec<u8> {
        let is = [image.rows, image.columns];
        match self {
            Fit::Stretch => stretch(image, channels, size),
            Fit::Crop => stretch(crop(image, channels, inside(is, size)), channels, size),
            Fit::Pad => {
                let inner = inside(size, is);
                pad(&stretch(image, channels, inner), channels, inner, size)
            }
        }
    }
}

/// The largest rows and columns in an extent that have the aspect ratio of `shape`, rounded down.
fn inside([rows, columns]: [usize; 2], shape: [usize; 2]) -> [usize; 2] {
    // Sides have 14 bits, so products have no more than 28.
    let fitting = |other: usize, part: usize, whole: usize| (other * part / whole).max(1);
    [rows.min(fitting(columns, shape[0], shape[1])), columns.min(fitting(rows, shape[1], shape[0]))]
}

/// The center of an image.
fn crop(image: Image, channels: usize, [rows, columns]: [usize; 2]) -> Image {
    let [top, left] = [(image.rows - rows) / 2, (image.columns - columns) / 2];
    let lines = image.bytes.chunks_exact(image.columns * channels).skip(top).take(rows);
    let part = left * channels..(left + columns) * channels;
    Image { rows, columns, bytes: lines.flat_map(|line| &line[part.clone()]).copied().collect() }
}

/// Zeros with an image in their center.
fn pad(image: &[u8], channels: usize, is: [usize; 2], [rows, columns]: [usize; 2]) -> Vec<u8> {
    let [top, left] = [(rows - is[0]) / 2, (columns - is[1]) / 2];
    let mut bytes = vec![0; rows * columns * channels];
    let lines = bytes.chunks_exact_mut(columns * channels).skip(top);
    for (line, part) in lines.zip(image.chunks_exact(is[1] * channels)) {
        line[left * channels..][..part.len()].copy_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(fit: Fit, [rows, columns]: [usize; 2], size: [usize; 2]) -> Vec<u8> {
        let bytes = (0..rows * columns).map(|k| k as u8 + 1).collect();
        fit.apply(Image { rows, columns, bytes }, 1, size)
    }

    #[test]
    fn the_center_is_cut_out() {
        // NumPy's `np.arange(1, 16).reshape(3, 5)[:, 1:4]`, and the like.
        assert_eq!(fitted(Fit::Crop, [3, 5], [3, 3]), [2, 3, 4, 7, 8, 9, 12, 13, 14]);
        assert_eq!(fitted(Fit::Crop, [5, 3], [3, 3]), [4, 5, 6, 7, 8, 9, 10, 11, 12]);
        // An odd pixel more is cut off at the right, as Keras does.
        assert_eq!(fitted(Fit::Crop, [2, 5], [2, 2]), [2, 3, 7, 8]);
        assert_eq!(fitted(Fit::Crop, [2, 2], [2, 2]), [1, 2, 3, 4]);
        assert_eq!(fitted(Fit::Crop, [1, 9], [9, 1]), [5; 9]);
    }

    #[test]
    fn bars_are_of_zeros() {
        assert_eq!(fitted(Fit::Pad, [1, 3], [3, 3]), [0, 0, 0, 1, 2, 3, 0, 0, 0]);
        assert_eq!(fitted(Fit::Pad, [3, 1], [3, 3]), [0, 1, 0, 0, 2, 0, 0, 3, 0]);
        // An odd bar is wider at the right.
        assert_eq!(fitted(Fit::Pad, [2, 1], [2, 4]), [0, 1, 0, 0, 0, 2, 0, 0]);
        assert_eq!(fitted(Fit::Pad, [2, 2], [2, 2]), [1, 2, 3, 4]);
        // Something of an image is left, however narrow it is.
        assert_eq!(fitted(Fit::Pad, [1, 200], [3, 3])[..3], [0; 3]);
        assert!(fitted(Fit::Pad, [1, 200], [3, 3])[3..6].iter().all(|&level| level > 0));
    }

    #[test]
    fn proportions_stay() {
        for (is, size, expected) in [
            ([375, 500], [224, 224], [375, 375]),
            ([500, 375], [224, 224], [375, 375]),
            ([375, 500], [100, 200], [250, 500]),
            ([16384, 16384], [1, 16384], [1, 16384]),
            ([1, 16384], [16384, 1], [1, 1]),
        ] {
            assert_eq!(inside(is, size), expected, "{is:?} {size:?}");
        }
    }
}
