//! PNG, of any bit depth, interlaced or not.

use super::{
    exif,
    raw::{BYTES, RawImage, Source, corrupt, damaged, room, unread},
};
use crate::error::Error;
use png::{Decoder, DecodingError, Limits, Transformations};
use std::path::Path;

pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// Decodes the image that programs show that know nothing of animations: in most files, the first
/// of its pictures.
pub(super) fn decode(path: &Path, file: &mut dyn Source) -> Result<RawImage, Error> {
    let failed = |error| match error {
        DecodingError::IoError(error) => unread(path, "PNG", &error),
        DecodingError::LimitsExceeded => {
            corrupt(path, format!("a PNG image of which a part is larger than {BYTES} bytes"))
        }
        error => damaged(path, "PNG", &error.to_string()),
    };
    let mut decoder = Decoder::new_with_limits(file, Limits { bytes: BYTES as usize });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let (width, height) = decoder.read_header_info().map_err(failed)?.size();
    let [rows, columns] = [height as usize, width as usize];
    // Palettes become colors, and fewer than 8 bits become 8.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (color, depth) = reader.output_color_type();
    let (channels, width) = (color.samples(), depth as usize / 8);
    let mut bytes = room(path, [rows, columns], channels * width)?;
    reader.next_frame(&mut bytes).map_err(failed)?;
    // The orientation may follow the pixels.
    reader.finish().map_err(failed)?;
    let orientation = exif::orientation(reader.info().exif_metadata.as_deref());
    Ok(RawImage { rows, columns, channels, width, bytes, orientation })
}
