//! Decodes image files. Only pixels and orientation are needed and color profiles are ignored, so
//! this uses the decoders directly: an image library takes a minute to compile.

mod exif;
mod gif;
mod jpeg;
mod png;
mod raw;
mod webp;

pub(super) use raw::{Image, RawImage, SIDE};

use crate::{data::refused, error::Error, io::kind::kind};
use raw::{Source, corrupt, damaged};
use std::{
    fs::File,
    io::BufReader,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// A format, which is told from the first bytes of a file: its name may have any extension.
struct Format {
    name: &'static str,
    begins: fn(&[u8]) -> bool,
    decode: fn(&Path, &mut dyn Source) -> Result<RawImage, Error>,
}

const FORMATS: [Format; 4] = [
    Format { name: "PNG", begins: png::begins, decode: png::decode },
    Format { name: "JPEG", begins: jpeg::begins, decode: jpeg::decode },
    Format { name: "GIF", begins: gif::begins, decode: gif::decode },
    Format { name: "WebP", begins: webp::begins, decode: webp::decode },
];

/// Reads a file. The size is checked before memory is allocated.
pub(super) fn read(path: &Path) -> Result<RawImage, Error> {
    let file = File::open(path).map_err(|error| refused(path, &error))?;
    decode(path, &mut BufReader::new(file))
}

fn decode(path: &Path, file: &mut dyn Source) -> Result<RawImage, Error> {
    let beginning = file.fill_buf().map_err(|error| refused(path, &error))?;
    let Some(format) = FORMATS.iter().find(|format| (format.begins)(beginning)) else {
        return Err(corrupt(path, stranger(beginning)));
    };
    // The decoders are others' code, and some panic on damaged files.
    let decoded = catch_unwind(AssertUnwindSafe(|| (format.decode)(path, file)));
    decoded.unwrap_or_else(|_| Err(damaged(path, format.name, "the decoder failed")))
}

/// The error text for a file with this beginning.
fn stranger(beginning: &[u8]) -> String {
    let names = FORMATS.map(|format| format.name).join(", ");
    match kind(beginning) {
        _ if beginning.is_empty() => format!("an empty file, where an image is expected ({names})"),
        Some(kind) => format!("none of {names}: it is {kind}"),
        None => format!("none of {names}"),
    }
}

#[cfg(test)]
mod tests;
