//! The text of a file: UTF-8, plain or compressed by gzip.

use super::message::corrupt;
use crate::{data::gzip, error::Error, io::kind::kind};
use std::{io::Read, path::Path};

/// The byte order mark, which some programs write in front.
const MARK: char = '\u{feff}';
/// Maximum number of bytes of a text. A small gzip stream can claim any length.
const MAX_BYTES: u64 = 1 << 32;

/// Reads a whole file; the text has no byte order mark and no zero byte.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let bytes = content(path, gzip::open(path)?, MAX_BYTES)?;
    decoded(bytes).map_err(|message| corrupt(path, message))
}

/// Reads a stream to its end.
pub(super) fn content(path: &Path, mut stream: impl Read, most: u64) -> Result<Vec<u8>, Error> {
    // One more than allowed, to detect it.
    let bytes = gzip::taken(path, &mut stream, 0, most + 1)?;
    match bytes.len() as u64 > most {
        true => {
            Err(corrupt(path, format!("at byte {most}: expected at most {most} bytes, found more")))
        }
        false => Ok(bytes),
    }
}

/// The text that these bytes are, or what is wrong with them.
fn decoded(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(byte) = bytes.iter().position(|&byte| byte == 0) {
        return Err(no_text(&bytes, byte));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        no_text(error.as_bytes(), byte)
    })?;
    // Text as well, and what a wrong address or a clone without LFS leaves.
    let is_other = ["<", "version https://"].iter().any(|start| text.starts_with(start));
    if is_other && let Some(kind) = kind(text.as_bytes()) {
        return Err(format!("at byte 0: expected a table, found {kind}"));
    }
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// Describes bytes that are no text in UTF-8, the first wrong one of which is `byte`.
fn no_text(bytes: &[u8], byte: usize) -> String {
    let found = match (bytes, kind(bytes)) {
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], _) => "UTF-16: save it as UTF-8".to_owned(),
        (_, None | Some("a text")) => {
            format!("the byte {:#04x}", bytes.get(byte).copied().unwrap_or_default())
        }
        (_, Some(kind)) => kind.to_owned(),
    };
    format!("at byte {byte}: expected text in UTF-8, found {found}")
}
