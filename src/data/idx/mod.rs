//! IDX files: the format of MNIST and data sets modeled on it.
//!
//! # Source
//!
//! Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*: two zero
//! bytes, the element type (8 for bytes), the number of axes, each extent as a 32-bit big-endian
//! integer, then the elements.

use super::{
    Labeled,
    gzip::{self, taken},
};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    shape::Meta,
};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Maximum number of elements in a file: 4 GiB as f32. A small gzip stream can claim any length.
const MAX_BYTES: u64 = 1 << 30;

/// Loads the training set and the test set of a directory, with images as read by [`images`].
///
/// The four files have their published names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// and the same with `t10k`; `.idx` instead of `-idx` and an additional `.gz` are also accepted.
///
/// # Errors
///
/// [`FileError::Io`] if a file is missing; [`FileError::Corrupt`] if one is damaged or contains a
/// label that is not below `classes`, if the numbers of labels and images differ, or if the images
/// of the two sets differ in size.
#[doc(alias("MNIST", "FashionMNIST"))]
pub fn load(directory: &Path, classes: u32) -> Result<(Labeled, Labeled), Error> {
    let (train, test) = (part(directory, "train", classes)?, part(directory, "t10k", classes)?);
    let size = |set: &Labeled| set.inputs().shape().dims().get(1..).map(<[usize]>::to_vec);
    if size(&train) != size(&test) {
        let message = format!(
            "at byte 8: expected images as large as those to train on, found {} and {}",
            test.inputs().shape(),
            train.inputs().shape()
        );
        return Err(corrupt(&find(directory, "t10k", "images-idx3")?, message));
    }
    Ok((train, test))
}

/// Loads images and labels of one of the two sets.
fn part(directory: &Path, set: &str, classes: u32) -> Result<Labeled, Error> {
    let paths = (find(directory, set, "images-idx3")?, find(directory, set, "labels-idx1")?);
    let (images, labels) = (images(&paths.0)?, labels(&paths.1)?);
    let (count, expected) =
        (labels.shape().len(), images.shape().dims().first().copied().unwrap_or_default());
    if count != expected {
        // The count is the first extent, after the four bytes of the magic number.
        let message = format!("at byte 4: expected {expected} labels, one an image; found {count}");
        return Err(corrupt(&paths.1, message));
    }
    let wrong = labels.words().iter().position(|&label| label >= classes);
    if let Some(index) = wrong {
        let (byte, label) = (8 + index, labels.words()[index]);
        let message = format!("at byte {byte}: expected a label below {classes}, found {label}");
        return Err(corrupt(&paths.1, message));
    }
    Labeled::new(images, labels)
}

/// Finds the file with this content under any of its names.
fn find(directory: &Path, set: &str, content: &str) -> Result<PathBuf, Error> {
    let dash = format!("{set}-{content}-ubyte");
    let dot = dash.replace("-idx", ".idx");
    let names = [format!("{dash}.gz"), dash, format!("{dot}.gz"), dot];
    let found = names.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let message = format!("there is none of {}", names.join(", "));
        FileError::Io { path: directory.to_owned(), message }.into()
    })
}

/// Reads grayscale images as `[n, 1, rows, columns]` in f32, scaled from bytes to `[0, 1]`.
///
/// # Errors
///
/// [`FileError`].
pub fn images(path: &Path) -> Result<Array, Error> {
    let ([count, rows, columns], bytes) = read(path)?;
    if bytes.is_empty() {
        return Err(corrupt(path, format!("at byte 4: {count} images of {rows}x{columns} pixels")));
    }
    let meta = Meta::new([count, 1, rows, columns], DType::F32);
    Array::from_words(meta, words(path, &bytes, |byte| (f32::from(byte) / 255.0).to_bits())?)
}

/// Reads labels as `[n]` in u32.
///
/// # Errors
///
/// [`FileError`].
pub fn labels(path: &Path) -> Result<Array, Error> {
    let ([count], bytes) = read(path)?;
    Array::from_words(Meta::new([count], DType::U32), words(path, &bytes, u32::from)?)
}

/// Converts each element to a word; reports a failed allocation as an error.
fn words(path: &Path, bytes: &[u8], word: impl Fn(u8) -> u32) -> Result<Vec<u32>, Error> {
    let mut words = Vec::new();
    words.try_reserve_exact(bytes.len()).map_err(|_| {
        let message = format!("{} elements do not fit in memory", bytes.len());
        FileError::Io { path: path.to_owned(), message }
    })?;
    words.extend(bytes.iter().map(|&byte| word(byte)));
    Ok(words)
}

/// Reads extents and elements of a file, plain or compressed.
fn read<const AXES: usize>(path: &Path) -> Result<([usize; AXES], Vec<u8>), Error> {
    parse(path, gzip::open(path)?)
}

/// Reads as much as the header announces, checks that nothing follows, and allocates memory only as
/// elements arrive.
fn parse<const AXES: usize>(
    path: &Path,
    mut stream: impl Read,
) -> Result<([usize; AXES], Vec<u8>), Error> {
    let mut at = 0;
    let mut field = || -> Result<[u8; 4], Error> {
        let bytes = taken(path, &mut stream, at, 4)?;
        let field = bytes.as_slice().try_into();
        let field = field.map_err(|_| ends(path, at + bytes.len() as u64, at + 4))?;
        at += 4;
        Ok(field)
    };
    let magic = field()?;
    let expected = [0, 0, 8, AXES as u8];
    if magic != expected {
        let message = format!(
            "at byte 0: expected the magic number {expected:02x?} of bytes with {AXES} axes, \
             found {magic:02x?}"
        );
        return Err(corrupt(path, message));
    }
    let mut extents = [0; AXES];
    let mut len = 1u64;
    for (axis, extent) in extents.iter_mut().enumerate() {
        let number = u32::from_be_bytes(field()?);
        // An extent of 0 must not hide how large the others are: strides are products of them.
        len = len.saturating_mul(u64::from(number.max(1)));
        if len > MAX_BYTES {
            let byte = 4 + 4 * axis;
            let message = format!(
                "at byte {byte}: expected at most {MAX_BYTES} elements, found an extent of {number} \
                 that makes them {len}"
            );
            return Err(corrupt(path, message));
        }
        *extent = number as usize;
    }
    let header = 4 + 4 * AXES as u64;
    let len = if extents.contains(&0) { 0 } else { len };
    // One more than expected, to detect trailing data.
    let elements = taken(path, &mut stream, header, len + 1)?;
    let found = elements.len() as u64;
    if found < len {
        return Err(ends(path, header + found, header + len));
    }
    if found > len {
        let end = header + len;
        return Err(corrupt(path, format!("at byte {end}: expected the end, found more")));
    }
    Ok((extents, elements))
}

fn ends(path: &Path, found: u64, expected: u64) -> Error {
    corrupt(path, format!("at byte {found}: expected {expected} bytes, found the end"))
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

#[cfg(test)]
mod tests;
