//! Files that may be compressed by gzip.

use super::refused;
use crate::error::{Error, FileError};
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read, Seek},
    path::Path,
};

/// Magic bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file, to be decompressed while it is read if it begins as a gzip stream does.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let io = |error| refused(path, &error);
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    (&mut file).take(GZIP.len() as u64).read_to_end(&mut start).map_err(io)?;
    file.rewind().map_err(io)?;
    Ok(match start == GZIP {
        true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        false => Box::new(file),
    })
}

/// Reads the next bytes of a stream, fewer at its end, and allocates memory only as they arrive. `at` is
/// their offset.
pub(super) fn taken(
    path: &Path,
    stream: &mut impl Read,
    at: u64,
    len: u64,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match stream.take(len).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        // Errors that the decompressor reports for a damaged stream.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
            ) =>
        {
            let byte = at + bytes.len() as u64;
            let message = format!("at byte {byte} of what is compressed: {error}");
            Err(FileError::Corrupt { path: path.to_owned(), message }.into())
        }
        Err(error) => Err(refused(path, &error)),
    }
}
