//! GIF: the first picture of an animation.

use super::raw::{BYTES, RawImage, Source, corrupt, cut_off, damaged, room, unread};
use crate::error::Error;
use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use std::{num::NonZeroU64, path::Path};

pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(b"GIF87a") || file.starts_with(b"GIF89a")
}

pub(super) fn decode(path: &Path, file: &mut dyn Source) -> Result<RawImage, Error> {
    let failed = |error| match error {
        DecodingError::UnexpectedEof => cut_off(path, "GIF"),
        DecodingError::Io(error) => unread(path, "GIF", &error),
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => {
            corrupt(path, format!("a GIF image of which a part is larger than {BYTES} bytes"))
        }
        error => damaged(path, "GIF", &error.to_string()),
    };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(
        NonZeroU64::new(BYTES).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes),
    );
    let mut decoder = options.read_info(file).map_err(failed)?;
    let screen = [decoder.height(), decoder.width()].map(usize::from);
    let frame = decoder.next_frame_info().map_err(failed)?;
    let frame = frame.ok_or_else(|| damaged(path, "GIF", "there is no picture"))?;
    let [top, left, height, width] =
        [frame.top, frame.left, frame.height, frame.width].map(usize::from);
    // Around a picture that is smaller than the screen is what its transparent pixels are.
    let around = frame.transparent.unwrap_or(0);
    // A picture may also reach beyond the screen, which is as large then.
    let [rows, columns] = [screen[0].max(top + height), screen[1].max(left + width)];
    let mut bytes = room(path, [rows, columns], 3)?;
    let mut picture = room(path, [height, width], 1)?;
    decoder.read_into_buffer(&mut picture).map_err(failed)?;
    let palette = decoder.palette().map_err(failed)?;
    // Pillow, too, shows an index past the palette as black.
    let mut colors = [[0; 3]; 256];
    colors.as_flattened_mut().iter_mut().zip(palette).for_each(|(color, &byte)| *color = byte);
    let color = |index: u8| colors[usize::from(index)];
    bytes.as_chunks_mut().0.fill(color(around));
    let lines = bytes.chunks_exact_mut(3 * columns).skip(top);
    for (line, picture) in lines.zip(picture.chunks_exact(width)) {
        let pixels = line.as_chunks_mut().0.iter_mut().skip(left);
        pixels.zip(picture).for_each(|(pixel, &index)| *pixel = color(index));
    }
    Ok(RawImage { rows, columns, channels: 3, width: 1, bytes, orientation: 1 })
}
