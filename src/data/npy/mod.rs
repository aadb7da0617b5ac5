//! NumPy arrays in `.npy` files, and several of them by name in `.npz` files.
//!
//! The arrays of an `.npz` file that have as many rows are a data set:
//!
//! ```
//! use wgrad::{Array, data::{ArrayDataset, Dataset, npy}};
//!
//! # let path = std::env::temp_dir().join(format!("wgrad-npy-{}.npz", std::process::id()));
//! // numpy.savez(path, inputs=inputs, targets=targets)
//! # let inputs = Array::from([[0.0f32, 1.0], [2.0, 3.0], [4.0, 5.0]]);
//! # npy::write_npz(&path, &[("inputs", &inputs), ("targets", &Array::from([1u32, 0, 1]))])?;
//! let data = ArrayDataset::new(npy::read_npz(&path)?)?;
//! assert_eq!(data.get(&[2])?.get("targets"), Some(&Array::from([1u32])));
//! # std::fs::remove_file(path).ok();
//! # Ok::<(), wgrad::Error>(())
//! ```
//!
//! # Element types
//!
//! | NumPy | becomes |
//! |-------|---------|
//! | `float16` | f16 |
//! | `float32`, `float64` | f32, rounded to nearest |
//! | `int8`, `int16`, `int32`, `int64` | i32 |
//! | `uint8`, `uint16`, `uint32`, `uint64` | u32 |
//! | `bool` | bool |
//!
//! Nothing wraps or overflows: a number of 64 bits that is out of range of 32 is an error. Classes
//! are u32 here and `int64` in most programs; `labels.astype("uint32")` converts them.
//!
//! # Source
//!
//! The NumPy format, versions 1.0 to 3.0 (NumPy Enhancement Proposal 1 and the documentation of
//! `numpy.lib.format`).

mod elements;
mod header;

use crate::{
    array::Array,
    error::{Error, FileError},
    io::{kind::kind, write_atomically},
    shape::Meta,
};
use elements::Format;
use header::{Header, MAGIC, MAX_AXES};
use std::{
    fs::File,
    io::{BufReader, Cursor, ErrorKind, Read, Write},
    path::Path,
};
use zip::{ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Maximum number of elements in a file: 4 GiB. A small compressed file can claim any number.
const MAX_ELEMENTS: usize = 1 << 30;
/// Maximum length of a header. NumPy itself reads at most 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;
/// Number of bytes that are read and converted at a time, a multiple of every element's size.
const CHUNK: usize = 1 << 16;

/// Reads an array of an `.npy` file.
///
/// # Errors
///
/// [`FileError::Io`]; [`FileError::Corrupt`], with the byte, if the file is damaged, if its type is
/// not one of [these](self#element-types), or if an element does not fit into 32 bits.
#[doc(alias("numpy.load", "np.load", "load"))]
pub fn read(path: &Path) -> Result<Array, Error> {
    let file = File::open(path).map_err(|error| super::refused(path, &error))?;
    let mut stream = Stream { path, name: None, stream: BufReader::new(file), at: 0 };
    stream.array(MAX_ELEMENTS)
}

/// Reads the arrays of an `.npz` file and their names, in the order of the file.
///
/// # Errors
///
/// Same as [`read`], for any of the arrays.
#[doc(alias("numpy.load", "np.load"))]
pub fn read_npz(path: &Path) -> Result<Vec<(String, Array)>, Error> {
    let io = |error| super::refused(path, &error);
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    check_archive(path, &mut file)?;
    let failed = |error: ZipError| match error {
        ZipError::Io(error) if !is_damage(&error) => io(error),
        error => corrupt(path, format!("a damaged ZIP archive ({error})")),
    };
    let mut archive = ZipArchive::new(file).map_err(failed)?;
    let (mut arrays, mut left) = (Vec::new(), MAX_ELEMENTS);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(failed)?;
        let name = entry.name().map_err(failed)?.into_owned();
        let mut stream = Stream { path, name: Some(&name), stream: entry, at: 0 };
        let array = stream.array(left)?;
        left -= array.shape().len();
        let name = name.strip_suffix(".npy").map(str::to_owned).unwrap_or(name);
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// Checks that a file begins as a ZIP archive: else every file would be a damaged one.
fn check_archive(path: &Path, file: &mut (impl Read + std::io::Seek)) -> Result<(), Error> {
    let io = |error| super::refused(path, &error);
    let mut start = Vec::new();
    (&mut *file).take(64).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    // The last is an archive without entries.
    if [&b"PK\x03\x04"[..], b"PK\x05\x06"].iter().any(|magic| start.starts_with(magic)) {
        return Ok(());
    }
    let hint = if start.starts_with(MAGIC) { ", which `npy::read` reads" } else { "" };
    let message = format!("at byte 0: expected a ZIP archive, found {}{hint}", found(&start));
    Err(corrupt(path, message))
}

/// Writes an array as `.npy` file, atomically: as `float32`, `float16`, `int32`, `uint32` or
/// `bool`.
///
/// # Errors
///
/// [`FileError::Io`]; an existing file is then unchanged.
#[doc(alias("numpy.save", "np.save"))]
pub fn write(path: &Path, array: &Array) -> Result<(), Error> {
    write_atomically(path, &content(path, array)?)
}

/// Writes arrays by name as `.npz` file, atomically and without compression.
///
/// # Errors
///
/// [`FileError::Io`], also if two arrays have one name; an existing file is then unchanged.
#[doc(alias("numpy.savez", "np.savez", "savez"))]
pub fn write_npz(path: &Path, arrays: &[(&str, &Array)]) -> Result<(), Error> {
    let failed = |message: String| FileError::Io { path: path.to_owned(), message };
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let content = content(path, array)?;
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(content.len() as u64 > u64::from(u32::MAX));
        archive
            .start_file(format!("{name}.npy"), options)
            .map_err(ZipError::into)
            .and_then(|()| archive.write_all(&content))
            .map_err(|error: std::io::Error| failed(error.to_string()))?;
    }
    let archive = archive.finish().map_err(|error| failed(error.to_string()))?;
    write_atomically(path, archive.get_ref())
}

/// The content of an `.npy` file.
fn content(path: &Path, array: &Array) -> Result<Vec<u8>, Error> {
    let format = Format::of(array.dtype());
    let axes = array.shape().rank();
    if axes > MAX_AXES {
        let message = format!("an array of {axes} axes, and NumPy has at most {MAX_AXES}");
        return Err(FileError::Io { path: path.to_owned(), message }.into());
    }
    let mut content = header::write(array.shape().dims(), format);
    let bytes = array.words().len().saturating_mul(format.size);
    content.try_reserve_exact(bytes).map_err(|_| FileError::Io {
        path: path.to_owned(),
        message: format!("{bytes} bytes of elements do not fit in memory"),
    })?;
    array.words().iter().for_each(|&word| format.append(word, &mut content));
    Ok(content)
}

/// An array that is read, and what errors say about its place.
struct Stream<'a, R> {
    path: &'a Path,
    /// Its name in an archive.
    name: Option<&'a str>,
    stream: R,
    /// The offset of the next byte.
    at: usize,
}

impl<R: Read> Stream<'_, R> {
    fn array(&mut self, most: usize) -> Result<Array, Error> {
        let Header { format, fortran, dims } = self.header()?;
        // An extent of 0 must not hide how large the others are: strides are products of them.
        let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim.max(1)));
        let Some(len) = len.filter(|&len| len <= most) else {
            let message = format!("expected at most {most} elements, found the shape {dims:?}");
            return Err(self.corrupt(&message));
        };
        let len = if dims.contains(&0) { 0 } else { len };
        let words = self.words(format, len, &dims, fortran)?;
        if !self.taken(1)?.is_empty() {
            self.at -= 1;
            return Err(self.corrupt("expected the end, found more"));
        }
        let words = if fortran { self.row_major(&words, &dims)? } else { words };
        Array::from_words(Meta::new(dims, format.dtype()), words)
    }

    fn header(&mut self) -> Result<Header, Error> {
        let start = self.taken(MAGIC.len())?;
        if start != MAGIC {
            self.at = 0;
            let hint = match start.starts_with(b"PK\x03\x04") {
                true => ", which `npy::read_npz` reads if it is one of numpy.savez",
                false => "",
            };
            let message = format!("expected a NumPy array, found {}{hint}", found(&start));
            return Err(self.corrupt(&message));
        }
        let len = match *self.exactly(2)? {
            [1, 0] => usize::from(u16::from_le_bytes(self.field()?)),
            [2 | 3, 0] => u32::from_le_bytes(self.field()?) as usize,
            ref version => {
                self.at -= 2;
                let message = format!("expected version 1.0, 2.0 or 3.0, found {version:?}");
                return Err(self.corrupt(&message));
            }
        };
        if len > MAX_HEADER {
            let message = format!("expected a header of at most {MAX_HEADER} bytes, found {len}");
            return Err(self.corrupt(&message));
        }
        let at = self.at;
        let text = self.exactly(len)?;
        header::parse(&text).map_err(|(byte, message)| {
            self.at = at + byte;
            self.corrupt(&message)
        })
    }

    /// Reads elements in the order of the file. Memory is allocated only as they arrive.
    fn words(
        &mut self,
        format: Format,
        len: usize,
        dims: &[usize],
        fortran: bool,
    ) -> Result<Vec<u32>, Error> {
        let mut words = Vec::new();
        while words.len() < len {
            let count = (len - words.len()).min(CHUNK / format.size);
            let at = self.at;
            let bytes = self.exactly(count * format.size)?;
            words.try_reserve(count).map_err(|_| FileError::Io {
                path: self.path.to_owned(),
                message: format!("{len} elements do not fit in memory"),
            })?;
            for (index, element) in bytes.chunks_exact(format.size).enumerate() {
                let word = format.word(element).map_err(|reason| {
                    self.at = at + index * format.size;
                    let place = indices(words.len(), dims, fortran);
                    self.corrupt(&format!("element {place:?}: {reason}"))
                })?;
                words.push(word);
            }
        }
        Ok(words)
    }

    /// The elements of a Fortran array, in which the first index changes fastest, in row-major
    /// order.
    fn row_major(&self, words: &[u32], dims: &[usize]) -> Result<Vec<u32>, Error> {
        let mut order = Vec::new();
        order.try_reserve_exact(words.len()).map_err(|_| FileError::Io {
            path: self.path.to_owned(),
            message: format!("two copies of {} elements do not fit in memory", words.len()),
        })?;
        let mut strides = Vec::new();
        dims.iter().fold(1, |stride, &dim| {
            strides.push(stride);
            stride * dim
        });
        let mut at = vec![0; dims.len()];
        for _ in words {
            let from: usize = at.iter().zip(&strides).map(|(index, stride)| index * stride).sum();
            order.extend(words.get(from));
            for (index, &dim) in at.iter_mut().zip(dims).rev() {
                *index = (*index + 1) % dim;
                if *index != 0 {
                    break;
                }
            }
        }
        Ok(order)
    }

    /// The next bytes, as an array.
    fn field<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut field = [0; N];
        field.copy_from_slice(&self.exactly(N)?);
        Ok(field)
    }

    /// The next bytes, all of them.
    fn exactly(&mut self, len: usize) -> Result<Vec<u8>, Error> {
        let end = self.at + len;
        let bytes = self.taken(len)?;
        if bytes.len() < len {
            return Err(self.corrupt(&format!("expected {end} bytes, found the end")));
        }
        Ok(bytes)
    }

    /// The next bytes, fewer at the end.
    fn taken(&mut self, len: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let result = (&mut self.stream).take(len as u64).read_to_end(&mut bytes);
        self.at += bytes.len();
        match result {
            Ok(_) => Ok(bytes),
            // Errors of the decompressor and of checksums.
            Err(error) if is_damage(&error) => {
                Err(self.corrupt(&format!("what is compressed is damaged ({error})")))
            }
            Err(error) => Err(super::refused(self.path, &error)),
        }
    }

    fn corrupt(&self, message: &str) -> Error {
        let name = self.name.map(|name| format!("{name} ")).unwrap_or_default();
        corrupt(self.path, format!("{name}at byte {}: {message}", self.at))
    }
}

/// The indices of an element, counted in the order of the file.
fn indices(mut position: usize, dims: &[usize], fortran: bool) -> Vec<usize> {
    let mut index = |&dim: &usize| {
        let index = position % dim;
        position /= dim;
        index
    };
    if fortran {
        return dims.iter().map(index).collect();
    }
    let mut indices: Vec<usize> = dims.iter().rev().map(&mut index).collect();
    indices.reverse();
    indices
}

/// A file with this beginning, in words.
fn found(start: &[u8]) -> String {
    match kind(start) {
        _ if start.is_empty() => "an empty file".to_owned(),
        Some(kind) => kind.to_owned(),
        None => format!("the bytes {:02x?}", start.get(..8).unwrap_or(start)),
    }
}

fn is_damage(error: &std::io::Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof)
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

#[cfg(test)]
mod tests;
