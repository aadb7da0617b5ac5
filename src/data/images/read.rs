//! One image file.

use super::{
    Fit,
    decode::{self, SIDE},
};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    memory,
    shape::Meta,
};
use std::path::Path;

/// Reads an image as `[channels, rows, columns]` in f32, scaled to `[0, 1]`: grayscale for one
/// channel, else red, green and blue. An image of another aspect ratio is stretched.
///
/// The format is told from the contents, not from the name.
///
/// - An image of another size is resized by linear interpolation or by averaging pixels.
/// - The orientation that a camera noted is applied.
/// - Transparency is dropped, and the colors below it stay as they are stored, as with
///   `Image.convert("RGB")` of Pillow: what would show through is for the program to know.
/// - 16 bits are scaled to 8, and fewer are scaled up.
/// - Palettes become colors, and CMYK becomes RGB. Color profiles are ignored.
/// - Of an animation, this is the first picture.
///
/// # Errors
///
/// [`FileError::Io`] if it cannot be read, or an extent is zero; [`FileError::Corrupt`] if it is
/// cut off or damaged, of another format, or larger than 16,384 pixels per side or 512 MiB.
pub fn read(path: &Path, shape: [usize; 3]) -> Result<Array, Error> {
    read_fitted(path, shape, Fit::Stretch)
}

/// Reads an image like [`read`], and brings it to its size another way: that of the [`ImageFolder`](super::ImageFolder) from
/// which a model has learned.
///
/// # Errors
///
/// Same as [`read`].
pub fn read_fitted(path: &Path, shape: [usize; 3], fit: Fit) -> Result<Array, Error> {
    is_possible(path, shape)?;
    let mut words = memory::zeroed(shape.iter().product())?;
    decode_into(path, shape, fit, &mut words)?;
    Array::from_words(Meta::new(shape, DType::F32), words)
}

/// Reads an image as the bits of its elements.
pub(super) fn decode_into(
    path: &Path,
    [channels, rows, columns]: [usize; 3],
    fit: Fit,
    words: &mut [u32],
) -> Result<(), Error> {
    let image = decode::read(path)?;
    let image = if channels == 1 { image.into_gray() } else { image.into_rgb() };
    let pixels = fit.apply(image, channels, [rows, columns]);
    // Channels are the last axis of an image, and the first one here.
    let plane = |channel| pixels.iter().skip(channel).step_by(channels);
    let scaled = (0..channels).flat_map(plane).map(|&byte| f32::from(byte) / 255.0);
    words.iter_mut().zip(scaled).for_each(|(word, level)| *word = level.to_bits());
    Ok(())
}

/// Refuses shapes that no image can have.
pub(super) fn is_possible(path: &Path, [channels, rows, columns]: [usize; 3]) -> Result<(), Error> {
    let possible = |extent| (1..=SIDE).contains(&extent);
    if possible(rows) && possible(columns) && matches!(channels, 1 | 3) {
        return Ok(());
    }
    let message = format!("cannot become {channels} channels of {rows}x{columns} pixels");
    Err(wrong(path, message))
}

pub(super) fn wrong(path: &Path, message: String) -> Error {
    FileError::Io { path: path.to_owned(), message }.into()
}
