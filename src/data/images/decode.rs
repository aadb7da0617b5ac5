//! Decodes PNG and JPEG files. Only pixels and orientation are needed and color profiles are
//! ignored, so this uses the decoders directly: an image library takes a minute to compile.

use crate::{
    data::refused,
    error::{Error, FileError},
    io::kind::kind,
};
use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Maximum width and height of an image in pixels.
pub(super) const SIDE: usize = 1 << 14;
/// Maximum size of a decoded image in bytes.
const BYTES: u64 = 1 << 29;
/// Luminance of red, green and blue, from the primaries of Rec. 709 and the white point D65.
const LUMINANCE: [f32; 3] = [0.212_647_84, 0.715_179_2, 0.072_173_04];
/// The signature of PNG files.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The start of JPEG files: the start-of-image marker and the first byte of the next one.
const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF];

/// The contents of a file.
pub(super) struct RawImage {
    rows: usize,
    columns: usize,
    /// Gray or RGB, each with or without alpha.
    channels: usize,
    /// Bytes per sample; two are big endian.
    width: usize,
    bytes: Vec<u8>,
    /// The Exif value, 1 to 8.
    orientation: u8,
}

/// An image with one byte per sample, whose last axis is the channel.
pub(super) struct Image {
    pub rows: usize,
    pub columns: usize,
    pub bytes: Vec<u8>,
}

impl RawImage {
    /// Reads a file. The size is checked before memory is allocated.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io = |error| refused(path, &error);
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let beginning = file.fill_buf().map_err(io)?;
        if beginning.starts_with(PNG) {
            png(path, file)
        } else if beginning.starts_with(JPEG) {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(io)?;
            jpeg(path, &content)
        } else {
            Err(corrupt(path, stranger(beginning)))
        }
    }

    /// Converts to one channel, upright.
    pub fn into_gray(self) -> Image {
        self.upright(|pixel, width| match pixel.len() / width {
            1 | 2 => [narrow(&pixel[..width])],
            _ => [luminance(pixel, width)],
        })
    }

    /// Converts to red, green and blue, upright.
    pub fn into_rgb(self) -> Image {
        self.upright(|pixel, width| match pixel.len() / width {
            1 | 2 => [narrow(&pixel[..width]); 3],
            _ => [0, 1, 2].map(|channel| narrow(&pixel[channel * width..][..width])),
        })
    }

    /// Applies the orientation, and `convert` to the bytes of each pixel and their number per sample.
    fn upright<const N: usize>(self, convert: impl Fn(&[u8], usize) -> [u8; N]) -> Image {
        let pixel = self.channels * self.width;
        let transposed = self.orientation >= 5;
        let from_bottom = matches!(self.orientation, 3 | 4 | 6 | 7);
        let from_right = matches!(self.orientation, 2 | 3 | 7 | 8);
        let (rows, columns) =
            if transposed { (self.columns, self.rows) } else { (self.rows, self.columns) };
        let mut bytes = Vec::with_capacity(rows * columns * N);
        for row in 0..rows {
            for column in 0..columns {
                let (row, column) = if transposed { (column, row) } else { (row, column) };
                let row = if from_bottom { self.rows - 1 - row } else { row };
                let column = if from_right { self.columns - 1 - column } else { column };
                let at = (row * self.columns + column) * pixel;
                bytes.extend(convert(&self.bytes[at..at + pixel], self.width));
            }
        }
        Image { rows, columns, bytes }
    }
}

/// The error text for a file with this beginning.
fn stranger(beginning: &[u8]) -> String {
    match kind(beginning) {
        _ if beginning.is_empty() => "an empty file, where a PNG or JPEG image is expected".into(),
        Some(kind) => format!("neither PNG nor JPEG: it is {kind}"),
        None => "neither PNG nor JPEG".to_owned(),
    }
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

/// Rounds a sample to one byte.
fn narrow(sample: &[u8]) -> u8 {
    match sample {
        [high, low] => ((u32::from(u16::from_be_bytes([*high, *low])) + 128) / 257) as u8,
        sample => sample[0],
    }
}

fn luminance(pixel: &[u8], width: usize) -> u8 {
    let level = |sample: &[u8]| match sample {
        [high, low] => f32::from(u16::from_be_bytes([*high, *low])) * (1.0 / 65535.0),
        sample => f32::from(sample[0]) * (1.0 / 255.0),
    };
    let terms = pixel.chunks_exact(width).zip(LUMINANCE);
    (terms.fold(0.0, |sum, (sample, part)| sum + level(sample) * part) * 255.0).round() as u8
}

/// Allocates the bytes of an image, unless it is too large.
fn room(path: &Path, [rows, columns]: [usize; 2], pixel: usize) -> Result<Vec<u8>, Error> {
    if rows.max(columns) > SIDE {
        let message = format!("{columns}x{rows} pixels exceed the limit of {SIDE} per side");
        return Err(corrupt(path, message));
    }
    // No overflow: sides are limited, and a pixel has at most 8 bytes.
    let bytes = rows as u64 * columns as u64 * pixel as u64;
    if bytes > BYTES {
        return Err(corrupt(path, format!("{bytes} bytes of pixels are more than {BYTES}")));
    }
    let mut room = Vec::new();
    room.try_reserve_exact(bytes as usize)
        .map_err(|_| corrupt(path, format!("{bytes} bytes of pixels do not fit in memory")))?;
    room.resize(bytes as usize, 0);
    Ok(room)
}

fn png(path: &Path, file: impl BufRead + Seek) -> Result<RawImage, Error> {
    let failed = |error| match error {
        png::DecodingError::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => {
            refused(path, &error)
        }
        png::DecodingError::IoError(_) => corrupt(path, "a PNG image that is cut off".to_owned()),
        png::DecodingError::LimitsExceeded => {
            corrupt(path, format!("a PNG image of which a part is larger than {BYTES} bytes"))
        }
        error => corrupt(path, format!("a damaged PNG image ({error})")),
    };
    let limits = png::Limits { bytes: BYTES as usize };
    let mut decoder = png::Decoder::new_with_limits(file, limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let (width, height) = decoder.read_header_info().map_err(failed)?.size();
    let [rows, columns] = [height as usize, width as usize];
    // Palettes become colors, and fewer than 8 bits become 8.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (color, depth) = reader.output_color_type();
    let (channels, width) = (color.samples(), depth as usize / 8);
    let mut bytes = room(path, [rows, columns], channels * width)?;
    reader.next_frame(&mut bytes).map_err(failed)?;
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(orientation).unwrap_or(1);
    Ok(RawImage { rows, columns, channels, width, bytes, orientation })
}

fn jpeg(path: &Path, content: &[u8]) -> Result<RawImage, Error> {
    let damaged = |why: &str| corrupt(path, format!("a damaged JPEG image ({})", why.trim()));
    let failed = |error: zune_jpeg::errors::DecodeErrors| damaged(&error.to_string());
    // `room` checks the sides.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut headers = JpegDecoder::new_with_options(ZCursor::new(content), options);
    headers.decode_headers().map_err(failed)?;
    let (Some((columns, rows)), Some(stored)) = (headers.dimensions(), headers.input_colorspace())
    else {
        return Err(damaged("there are no headers"));
    };
    let colors = match stored {
        ColorSpace::Luma | ColorSpace::LumaA | ColorSpace::RGB | ColorSpace::RGBA => stored,
        _ => ColorSpace::RGB,
    };
    let channels = colors.num_components();
    let mut bytes = room(path, [rows, columns], channels)?;
    let options = options.jpeg_set_out_colorspace(colors);
    // The decoder panics on some files, including valid CMYK ones.
    let decode =
        || JpegDecoder::new_with_options(ZCursor::new(content), options).decode_into(&mut bytes);
    catch_unwind(AssertUnwindSafe(decode))
        .map_err(|_| damaged("the decoder failed"))?
        .map_err(failed)?;
    let exif = headers.exif().map(Vec::as_slice);
    let orientation = exif.and_then(orientation).unwrap_or(1);
    Ok(RawImage { rows, columns, channels, width: 1, bytes, orientation })
}

/// The orientation, 1 to 8, in the first directory of an Exif block.
fn orientation(exif: &[u8]) -> Option<u8> {
    let big = match exif.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = usize::try_from(u32_at(4)?).ok()?;
    // An entry is a tag, a type, a count and four bytes of value; the orientation is one u16.
    for entry in 0..usize::from(u16_at(directory)?) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if (u16_at(at)?, u16_at(at + 2)?, u32_at(at + 4)?) == (0x112, 3, 1) {
            return u8::try_from(u16_at(at + 8)?)
                .ok()
                .filter(|orientation| (1..=8).contains(orientation));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::{BitDepth, ColorType, Encoder, Info};
    use std::io::Cursor;

    fn decoded(info: Info<'_>, samples: &[u8]) -> RawImage {
        let mut file = Vec::new();
        let encoder = Encoder::with_info(&mut file, info).expect("there is such an image");
        let mut writer = encoder.write_header().expect("memory takes it");
        writer.write_image_data(samples).expect("memory takes it");
        writer.finish().expect("memory takes it");
        png(Path::new("an image"), Cursor::new(file)).expect("it is whole")
    }

    #[test]
    fn the_orientation_is_applied() {
        let turned = [
            "123/456", "321/654", "654/321", "456/123", "14/25/36", "41/52/63", "63/52/41",
            "36/25/14",
        ];
        let cases = (0u8..).zip(["123/456"].iter().chain(&turned).chain(&["123/456"]));
        for (orientation, expected) in cases {
            let big = [
                b"MM\0*\0\0\0\x08\0\x02",
                &b"\x01\0\0\x04\0\0\0\x01\0\0\0\x09"[..],
                &[1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0],
            ];
            let little = [
                b"II*\0\x08\0\0\0\x02\0",
                &b"\0\x01\x04\0\x01\0\0\0\x09\0\0\0"[..],
                &[0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0],
            ];
            for exif in [big, little] {
                let mut info = Info::with_size(3, 2);
                info.exif_metadata = Some(exif.concat().into());
                let image = decoded(info, b"123456").into_gray();
                let rows: Vec<_> = image.bytes.chunks(image.columns).collect();
                assert_eq!(rows.join(&b'/'), expected.as_bytes(), "{orientation}");
                assert_eq!(rows.len(), image.rows);
            }
        }
        for (cut, expected) in [(8, None), (21, None), (32, Some(6)), (31, None)] {
            let exif = b"MM\0*\0\0\0\x08\0\x02\x01\0\0\x04\0\0\0\x01\0\0\0\x09\x01\x12\0\x03\0\0\0\x01\0\x06";
            assert_eq!(orientation(&exif[..cut]), expected, "{cut}");
        }
    }

    #[test]
    fn bytes_are_those_of_the_image_crate() {
        // `to_luma8` and `to_rgb8`, from samples of one byte and of two.
        let pixel = |k: u8| [k * 31, 255 - k * 17, k * k * 5];
        let samples: Vec<u8> = (0..8).flat_map(pixel).collect();
        let info = |depth| {
            let mut info = Info::with_size(4, 2);
            (info.color_type, info.bit_depth) = (ColorType::Rgb, depth);
            info
        };
        let image = || decoded(info(BitDepth::Eight), &samples);
        assert_eq!(image().into_gray().bytes, [182, 177, 173, 169, 166, 164, 162, 161]);
        assert_eq!(image().into_rgb().bytes, samples);
        let pixel = |k: u16| [k * 8191, 65535 - k * 4099, k * k * 1303];
        let samples: Vec<u8> = (0..8).flat_map(pixel).flat_map(u16::to_be_bytes).collect();
        let image = || decoded(info(BitDepth::Sixteen), &samples);
        assert_eq!(image().into_gray().bytes, [182, 178, 175, 172, 170, 168, 168, 168]);
        let rgb = [
            0, 255, 0, 32, 239, 5, 64, 223, 20, 96, 207, 46, 127, 191, 81, 159, 175, 127, 191, 159,
            183, 223, 143, 248,
        ];
        assert_eq!(image().into_rgb().bytes, rgb);
    }

    #[test]
    fn a_panic_of_the_decoder_is_an_error() {
        // A valid CMYK image on which `zune-jpeg` 0.5.15 panics.
        let mut file = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut file, 75);
        encoder.set_progressive(true);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
        let samples: Vec<u8> = (0..6 * 50 * 4).map(|k| k as u8).collect();
        encoder.encode(&samples, 6, 50, jpeg_encoder::ColorType::Cmyk).expect("memory takes it");
        match jpeg(Path::new("an image"), &file) {
            Ok(image) => assert_eq!(image.into_rgb().bytes.len(), 6 * 50 * 3),
            Err(error) => assert!(error.to_string().ends_with("(the decoder failed)"), "{error}"),
        }
    }
}
