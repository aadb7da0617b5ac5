//! JPEG: gray, YCbCr, RGB, CMYK and YCCK, sequential and progressive, of any sampling.

use super::{
    exif,
    raw::{RawImage, Source, damaged, size, unread, unsupported},
};
use crate::error::Error;
use jpeg_decoder::{ColorTransform, Decoder, Error as JpegError, PixelFormat};
use std::{
    io::{Result as IoResult, SeekFrom},
    path::Path,
};

/// The start-of-image marker and the first byte of the next one.
pub(super) fn begins(file: &[u8]) -> bool {
    file.starts_with(&[0xFF, 0xD8, 0xFF])
}

pub(super) fn decode(path: &Path, file: &mut dyn Source) -> Result<RawImage, Error> {
    let failed = |error| match error {
        JpegError::Io(error) => unread(path, "JPEG", &error),
        JpegError::Unsupported(part) => unsupported(path, "JPEG", &format!("{part:?}")),
        JpegError::Format(why) => damaged(path, "JPEG", &why),
        error => damaged(path, "JPEG", &error.to_string()),
    };
    // A file that ends before the answer is for the decoder to refuse.
    let stores_rgb = stores_rgb(file).unwrap_or(false);
    file.rewind().map_err(|error| unread(path, "JPEG", &error))?;
    let mut decoder = Decoder::new(file);
    decoder.read_info().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| damaged(path, "JPEG", "there are no headers"))?;
    let [rows, columns] = [info.height, info.width].map(usize::from);
    let channels = match info.pixel_format {
        PixelFormat::L8 => 1,
        PixelFormat::RGB24 | PixelFormat::CMYK32 => 3,
        PixelFormat::L16 => return Err(unsupported(path, "JPEG", "more than 8 bits per sample")),
    };
    size(path, [rows, columns], info.pixel_format.pixel_bytes())?;
    if stores_rgb && info.pixel_format == PixelFormat::RGB24 {
        decoder.set_color_transform(ColorTransform::RGB);
    }
    let mut bytes = decoder.decode().map_err(failed)?;
    if info.pixel_format == PixelFormat::CMYK32 {
        bytes = bytes.chunks_exact(4).flat_map(rgb).collect();
    }
    let orientation = exif::orientation(decoder.exif_data());
    Ok(RawImage { rows, columns, channels, width: 1, bytes, orientation })
}

/// Converts cyan, magenta, yellow and black, as if each ink let through what it does not cover.
fn rgb(inks: &[u8]) -> [u8; 3] {
    let light = |ink: usize| 255 - u32::from(inks[ink]);
    [0, 1, 2].map(|ink| ((light(ink) * light(3) + 127) / 255) as u8)
}

/// Whether a marker of Adobe says that three channels are red, green and blue, and none of JFIF
/// that they are not, which has precedence. The decoder guesses from the channels' numbers before.
fn stores_rgb(file: &mut dyn Source) -> IoResult<bool> {
    file.seek(SeekFrom::Start(2))?;
    loop {
        let mut segment = [0; 4];
        file.read_exact(&mut segment)?;
        let [0xFF, marker, high, low] = segment else { return Ok(false) };
        let mut rest = i64::from(u16::from_be_bytes([high, low])) - 2;
        match marker {
            // JFIF, and the start of the image data or of a frame.
            0xE0 | 0xDA | 0xC0..=0xC3 | 0xC5..=0xC7 => return Ok(false),
            0xEE if rest >= 12 => {
                let mut adobe = [0; 12];
                file.read_exact(&mut adobe)?;
                if adobe.starts_with(b"Adobe") {
                    return Ok(adobe[11] == 0);
                }
                rest -= 12;
            }
            _ => {}
        }
        file.seek_relative(rest)?;
    }
}
