//! WebP, lossy and lossless: the first picture of an animation.

use super::{
    exif,
    raw::{BYTES, RawImage, Source, cut_off, damaged, room, size, unread},
};
use crate::error::Error;
use image_webp::{DecodingError, WebPDecoder};
use std::{
    io::{Result as IoResult, SeekFrom},
    path::Path,
};

pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP")
}

pub(super) fn decode(path: &Path, file: &mut dyn Source) -> Result<RawImage, Error> {
    let failed = |error| match error {
        DecodingError::IoError(error) => unread(path, "WebP", &error),
        error => damaged(path, "WebP", &error.to_string()),
    };
    if !is_whole(file).map_err(|error| unread(path, "WebP", &error))? {
        return Err(cut_off(path, "WebP"));
    }
    let mut decoder = WebPDecoder::new(file).map_err(failed)?;
    decoder.set_memory_limit(BYTES as usize);
    let (width, height) = decoder.dimensions();
    let [rows, columns] = [height as usize, width as usize];
    // In between, the decoder has pixels of four bytes.
    size(path, [rows, columns], 4)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut bytes = room(path, [rows, columns], channels)?;
    decoder.read_image(&mut bytes).map_err(failed)?;
    let exif = decoder.exif_metadata().map_err(failed)?;
    let orientation = exif::orientation(exif.as_deref());
    Ok(RawImage { rows, columns, channels, width: 1, bytes, orientation })
}

/// Whether the file is as long as it says: the decoder makes up what is missing at the end.
fn is_whole(file: &mut dyn Source) -> IoResult<bool> {
    let mut header = [0; 8];
    file.read_exact(&mut header)?;
    let [_, _, _, _, size @ ..] = header;
    let end = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(end >= 8 + u64::from(u32::from_le_bytes(size)))
}
