//! Decoded images, and what decoders of all formats share: limits and errors.

use crate::{
    data::refused,
    error::{Error, FileError},
};
use std::{
    io::{self, BufRead, ErrorKind, Seek},
    path::Path,
};

/// Maximum width and height of an image in pixels.
pub(in crate::data::images) const SIDE: usize = 1 << 14;
/// Maximum size of a decoded image in bytes.
pub(super) const BYTES: u64 = 1 << 29;
/// Luminance of red, green and blue, from the primaries of Rec. 709 and the white point D65.
const LUMINANCE: [f32; 3] = [0.212_647_84, 0.715_179_2, 0.072_173_04];

/// A file, or bytes in memory.
pub(super) trait Source: BufRead + Seek {}

impl<T: BufRead + Seek> Source for T {}

/// The contents of a file.
pub(in crate::data::images) struct RawImage {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Gray or RGB, each with or without alpha.
    pub(super) channels: usize,
    /// Bytes per sample; two are big endian.
    pub(super) width: usize,
    pub(super) bytes: Vec<u8>,
    /// The Exif value, 1 to 8.
    pub(super) orientation: u8,
}

/// An image with one byte per sample, whose last axis is the channel.
#[derive(Clone)]
pub(in crate::data::images) struct Image {
    pub rows: usize,
    pub columns: usize,
    pub bytes: Vec<u8>,
}

impl RawImage {
    /// Converts to one channel, upright.
    pub fn into_gray(self) -> Image {
        self.upright(|pixel, width| match pixel.len() / width {
            1 | 2 => [narrow(&pixel[..width])],
            _ => [luminance(pixel, width)],
        })
    }

    /// Converts to red, green and blue, upright.
    pub fn into_rgb(self) -> Image {
        self.upright(|pixel, width| match pixel.len() / width {
            1 | 2 => [narrow(&pixel[..width]); 3],
            _ => [0, 1, 2].map(|channel| narrow(&pixel[channel * width..][..width])),
        })
    }

    /// Applies the orientation, and `convert` to the bytes of each pixel and their number per
    /// sample.
    fn upright<const N: usize>(self, convert: impl Fn(&[u8], usize) -> [u8; N]) -> Image {
        let pixel = self.channels * self.width;
        if self.orientation == 1 && pixel == N {
            return Image { rows: self.rows, columns: self.columns, bytes: self.bytes };
        }
        let transposed = self.orientation >= 5;
        let from_bottom = matches!(self.orientation, 3 | 4 | 6 | 7);
        let from_right = matches!(self.orientation, 2 | 3 | 7 | 8);
        let (rows, columns) =
            if transposed { (self.columns, self.rows) } else { (self.rows, self.columns) };
        let mut bytes = Vec::with_capacity(rows * columns * N);
        for row in 0..rows {
            for column in 0..columns {
                let (row, column) = if transposed { (column, row) } else { (row, column) };
                let row = if from_bottom { self.rows - 1 - row } else { row };
                let column = if from_right { self.columns - 1 - column } else { column };
                let at = (row * self.columns + column) * pixel;
                bytes.extend(convert(&self.bytes[at..at + pixel], self.width));
            }
        }
        Image { rows, columns, bytes }
    }
}

/// Rounds a sample to one byte.
fn narrow(sample: &[u8]) -> u8 {
    match sample {
        [high, low] => ((u32::from(u16::from_be_bytes([*high, *low])) + 128) / 257) as u8,
        sample => sample[0],
    }
}

fn luminance(pixel: &[u8], width: usize) -> u8 {
    let level = |sample: &[u8]| match sample {
        [high, low] => f32::from(u16::from_be_bytes([*high, *low])) * (1.0 / 65535.0),
        sample => f32::from(sample[0]) * (1.0 / 255.0),
    };
    let terms = pixel.chunks_exact(width).zip(LUMINANCE);
    (terms.fold(0.0, |sum, (sample, part)| sum + level(sample) * part) * 255.0).round() as u8
}

/// The number of bytes of an image, unless it is empty or too large.
pub(super) fn size(path: &Path, [rows, columns]: [usize; 2], pixel: usize) -> Result<usize, Error> {
    if rows.min(columns) == 0 {
        return Err(corrupt(path, format!("an image of {columns}x{rows} pixels")));
    }
    if rows.max(columns) > SIDE {
        let message = format!("{columns}x{rows} pixels exceed the limit of {SIDE} per side");
        return Err(corrupt(path, message));
    }
    // No overflow: sides are limited, and a pixel has at most 8 bytes.
    let bytes = rows as u64 * columns as u64 * pixel as u64;
    if bytes > BYTES {
        return Err(corrupt(path, format!("{bytes} bytes of pixels are more than {BYTES}")));
    }
    Ok(bytes as usize)
}

/// Allocates the bytes of an image, unless it is empty or too large.
pub(super) fn room(path: &Path, sides: [usize; 2], pixel: usize) -> Result<Vec<u8>, Error> {
    let bytes = size(path, sides, pixel)?;
    let mut room = Vec::new();
    room.try_reserve_exact(bytes)
        .map_err(|_| corrupt(path, format!("{bytes} bytes of pixels do not fit in memory")))?;
    room.resize(bytes, 0);
    Ok(room)
}

/// The error of a read in an image of this format.
pub(super) fn unread(path: &Path, format: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => cut_off(path, format),
        // Decoders report damage of their own as these.
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
            damaged(path, format, &error.to_string())
        }
        _ => refused(path, error),
    }
}

pub(super) fn cut_off(path: &Path, format: &str) -> Error {
    corrupt(path, format!("a {format} image that is cut off"))
}

pub(super) fn damaged(path: &Path, format: &str, why: &str) -> Error {
    corrupt(path, format!("a damaged {format} image ({})", why.trim()))
}

/// The error for an image that another program may read.
pub(super) fn unsupported(path: &Path, format: &str, part: &str) -> Error {
    corrupt(path, format!("a {format} image of which a part is not supported ({part})"))
}

pub(super) fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}
