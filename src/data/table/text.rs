//! The text of a file: UTF-8, plain or compressed by gzip.

use super::message::corrupt;
use crate::{data::refused, error::Error, io::kind::kind};
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read, Seek},
    path::Path,
};

/// Magic bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The byte order mark, which some programs write in front.
const MARK: char = '\u{feff}';
/// Maximum number of bytes of a text. A small gzip stream can claim any length.
const MAX_BYTES: u64 = 1 << 32;

/// Reads a whole file; the text has no byte order mark and no zero byte.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let io = |error| refused(path, &error);
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    (&mut file).take(GZIP.len() as u64).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    let bytes = if start == GZIP {
        content(path, MultiGzDecoder::new(BufReader::new(file)), MAX_BYTES)?
    } else {
        content(path, file, MAX_BYTES)?
    };
    decoded(bytes).map_err(|message| corrupt(path, message))
}

/// Reads a stream to its end; allocates memory only as bytes arrive.
pub(super) fn content(path: &Path, stream: impl Read, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // One more than allowed, to detect it.
    match stream.take(most + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > most => {
            Err(corrupt(path, format!("at byte {most}: expected at most {most} bytes, found more")))
        }
        Ok(_) => Ok(bytes),
        // Errors that the decompressor reports for a damaged stream.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
            ) =>
        {
            let byte = bytes.len();
            Err(corrupt(path, format!("at byte {byte} of what is compressed: {error}")))
        }
        Err(error) => Err(refused(path, &error)),
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
