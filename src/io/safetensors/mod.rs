//! Variables in safetensors files.
//!
//! # Source
//!
//! <https://huggingface.co/docs/safetensors>: a JSON header, then the elements in little endian.
//! The same variables produce the same bytes: entries are ordered by type and name.

mod fault;

use super::write::{failed, write_atomically};
use crate::{
    array::Array,
    dtype::DType,
    error::{DeviceError, Error, FileError, LoadReport},
    memory,
    shape::Meta,
    variables::Variables,
};
use fault::fault;
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{
    fmt::{Debug, Display},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The metadata key of the note in a file.
const NOTE: &str = "wgrad";

/// Names and values ordered by name, and the note if there is one.
pub type Noted = (Vec<(String, Array)>, Option<String>);

/// Writes all variables whose path starts with `prefix`, as a consistent snapshot between runs.
///
/// # Errors
///
/// [`FileError::Io`], in which case an existing file is unchanged; otherwise those of
/// [`Variables::to_arrays_below`].
#[doc(alias("save_file", "torch.save"))]
pub fn save(path: &Path, variables: &Variables, prefix: &str) -> Result<(), Error> {
    write(path, &variables.to_arrays_below(prefix)?, None)
}

/// Same as [`save`], with a text in the header that [`read_with_note`] returns.
///
/// # Errors
///
/// Same as [`save`].
pub fn save_with_note(
    path: &Path,
    variables: &Variables,
    prefix: &str,
    note: &str,
) -> Result<(), Error> {
    write(path, &variables.to_arrays_below(prefix)?, Some(note))
}

/// Writes values under these names.
pub(super) fn write(
    path: &Path,
    arrays: &[(String, Array)],
    note: Option<&str>,
) -> Result<(), Error> {
    // A single entry: the order of several would be arbitrary. The type of the map depends on the
    // features of the library.
    let metadata = note.map(|note| [(NOTE.to_owned(), note.to_owned())].into_iter().collect());
    let bytes = arrays.iter().map(|(_, array)| encode(array)).collect::<Result<Vec<_>, _>>()?;
    memory::reserve(bytes.iter().map(Vec::len).sum())?;
    let views = arrays.iter().zip(&bytes).map(|((name, array), bytes)| {
        let dims = array.shape().dims().to_vec();
        Ok((name.as_str(), TensorView::new(file_type(array.dtype()), dims, bytes)?))
    });
    let content = views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, metadata))
        .map_err(|error| corrupt(path, error.to_string()))?;
    write_atomically(path, &content)
}

/// Sets variables to the values of a file and creates those that are missing, with no run in
/// between; either all of them or, on error, none. [Settings](crate::Graph::setting) are what the
/// code says, not what the file says.
///
/// # Errors
///
/// Those of [`read`]; [`FileError::Mismatch`] with all tensors whose variables have other shapes or
/// types.
#[doc(alias("load_file", "torch.load"))]
pub fn load(path: &Path, variables: &Variables) -> Result<(), Error> {
    set(path, variables, read(path)?)
}

/// Sets variables to the values that were read from this file, as [`load`] does.
pub(crate) fn set(
    path: &Path,
    variables: &Variables,
    values: Vec<(String, Array)>,
) -> Result<(), Error> {
    let values = values.into_iter().collect();
    let mut store = variables.lock();
    let mismatched = store.misfits(&values);
    if mismatched.is_empty() {
        store.load(values);
        return Ok(());
    }
    let report = Box::new(LoadReport { mismatched, ..LoadReport::default() });
    Err(FileError::Mismatch { path: path.to_owned(), report }.into())
}

/// Reads the names and values of a file, ordered by name.
///
/// # Errors
///
/// [`FileError::Io`]; [`FileError::Corrupt`] if the file is damaged, has an unsupported element
/// type, or 64-bit integers that do not fit in 32 bits; bfloat16 and f64 become f32.
pub fn read(path: &Path) -> Result<Vec<(String, Array)>, Error> {
    read_with_note(path).map(|(arrays, _)| arrays)
}

/// Reads the names and values of a file like [`read`], and the note of [`save_with_note`].
///
/// # Errors
///
/// Same as [`read`].
pub fn read_with_note(path: &Path) -> Result<Noted, Error> {
    let content = content(path)?;
    let faulty = |found: &dyn Display| corrupt(path, fault(&content, found));
    if !offsets_are_sane(&content) {
        return Err(faulty(&"its header has offsets past any file"));
    }
    let file = SafeTensors::deserialize(&content).map_err(|error| faulty(&error))?;
    let mut arrays = file
        .iter()
        .map(|(name, view)| match decode(&view) {
            Ok(array) => Ok((name.to_owned(), array)),
            Err(message) => Err(corrupt(path, format!("tensor {name}{message}"))),
        })
        .collect::<Result<Vec<_>, Error>>()?;
    arrays.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (_, header) = SafeTensors::read_metadata(&content).map_err(|error| faulty(&error))?;
    let note = header.metadata().as_ref().and_then(|metadata| metadata.get(NOTE)).cloned();
    Ok((arrays, note))
}

/// Reads the bytes of a file; allocates only up to its length, and reports a failed allocation as
/// an error.
fn content(path: &Path) -> Result<Vec<u8>, Error> {
    let io = |error| failed(path, &error);
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let mut content = Vec::new();
    let reserved = usize::try_from(len).ok().map(|len| content.try_reserve_exact(len));
    if !matches!(reserved, Some(Ok(()))) {
        let message = format!("{len} bytes do not fit in memory");
        return Err(FileError::Io { path: PathBuf::from(path), message }.into());
    }
    file.take(len).read_to_end(&mut content).map_err(io)?;
    Ok(content)
}

/// Whether no number in the header has more than 18 digits: the parser adds offsets without
/// overflow checks.
fn offsets_are_sane(content: &[u8]) -> bool {
    let Some((len, rest)) = content.split_first_chunk() else { return true };
    let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
    let header = rest.get(..len).unwrap_or(rest);
    let (mut digits, mut quoted, mut escaped) = (0, false, false);
    header.iter().all(|&byte| {
        digits = if byte.is_ascii_digit() && !quoted { digits + 1 } else { 0 };
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && quoted && !escaped;
        digits <= 18
    })
}

fn file_type(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::Bool => Dtype::BOOL,
    }
}

fn encode(array: &Array) -> Result<Vec<u8>, DeviceError> {
    let words = array.words().iter();
    let width = match array.dtype() {
        DType::Bool => 1,
        DType::F16 => 2,
        _ => 4,
    };
    let mut bytes = memory::room(width * words.len())?;
    match array.dtype() {
        DType::F32 | DType::I32 | DType::U32 => {
            bytes.extend(words.flat_map(|word| word.to_le_bytes()));
        }
        DType::F16 => bytes.extend(
            words.flat_map(|&word| f16::from_f32(f32::from_bits(word)).to_bits().to_le_bytes()),
        ),
        DType::Bool => bytes.extend(words.map(|&word| u8::from(word != 0))),
    }
    Ok(bytes)
}

/// Decodes a tensor, or returns what is wrong with it, to be read after its name.
fn decode(view: &TensorView<'_>) -> Result<Array, String> {
    let bytes = view.data();
    let (dtype, words) = match view.dtype() {
        Dtype::F32 => (DType::F32, elements(bytes, u32::from_le_bytes)?),
        Dtype::I32 => (DType::I32, elements(bytes, u32::from_le_bytes)?),
        Dtype::U32 => (DType::U32, elements(bytes, u32::from_le_bytes)?),
        Dtype::F16 => (DType::F16, elements(bytes, |b| f16::from_le_bytes(b).to_f32().to_bits())?),
        Dtype::BF16 => (DType::F32, elements(bytes, |b| u32::from(u16::from_le_bytes(b)) << 16)?),
        Dtype::BOOL => {
            if let Some(index) = bytes.iter().position(|&byte| byte > 1) {
                return Err(format!(": element {index} is {}, and no truth value", bytes[index]));
            }
            (DType::Bool, elements(bytes, |[byte]| u32::from(byte))?)
        }
        Dtype::I64 => {
            let fits = |x| i32::try_from(x).map(|x| x as u32).ok();
            (DType::I32, narrow(bytes, i64::from_le_bytes, fits, DType::I32)?)
        }
        Dtype::F64 => {
            let fits = |x: f64| {
                let is_lost = x.is_finite() && !(x as f32).is_finite();
                (!is_lost).then_some((x as f32).to_bits())
            };
            (DType::F32, narrow(bytes, f64::from_le_bytes, fits, DType::F32)?)
        }
        other => {
            let known = "F64, F32, F16, BF16, I64, I32, U32 or BOOL";
            return Err(format!(" is of type {other:?}, which is not supported: expected {known}"));
        }
    };
    let meta = Meta::new(view.shape(), dtype);
    // Extents of 0 count as 1: strides are products of the others.
    let len = view
        .shape()
        .iter()
        .try_fold(1i32, |len, &dim| len.checked_mul(i32::try_from(dim.max(1)).ok()?));
    if len.is_none() {
        return Err(format!(", {}, has more than {} elements", meta.shape, i32::MAX));
    }
    Array::from_words(meta, words).map_err(|error| format!(": {error}"))
}

/// Converts every `N` bytes to an element.
fn elements<const N: usize, T>(
    bytes: &[u8],
    element: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, String> {
    let elements = bytes.as_chunks().0.iter().map(|&chunk| element(chunk));
    memory::collected(elements).map_err(|error| format!(": {error}"))
}

/// Converts every `N` bytes to an element of half the width, if all fit.
fn narrow<const N: usize, T: Copy + Debug>(
    bytes: &[u8],
    decode: impl Fn([u8; N]) -> T,
    fits: impl Fn(T) -> Option<u32>,
    dtype: DType,
) -> Result<Vec<u32>, String> {
    let wide = elements(bytes, decode)?;
    if let Some(index) = wide.iter().position(|&x| fits(x).is_none()) {
        return Err(format!(": element {index} is {:?}, which does not fit {dtype}", wide[index]));
    }
    let words = wide.iter().map(|&x| fits(x).unwrap_or_default());
    memory::collected(words).map_err(|error| format!(": {error}"))
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

#[cfg(test)]
mod tests;
