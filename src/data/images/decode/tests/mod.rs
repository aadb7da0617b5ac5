use super::*;
use crate::error::FileError;
use ::png::{BitDepth, ColorType, Encoder, Info, chunk};
use jpeg_encoder::{ColorType as JpegColor, SamplingFactor};
use std::io::Cursor;

/// A file, and what another program makes of it.
struct Known {
    format: String,
    name: String,
    file: Vec<u8>,
    sides: [usize; 2],
    rgb: Vec<u8>,
}

fn known() -> Vec<Known> {
    let entries = include_str!("known.txt").split("\n\n").skip(1);
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> = hex.split_whitespace().flat_map(str::bytes).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks(2).map(|pair| byte(pair).expect("digits")).collect()
    };
    let entry = |entry: &str| {
        let (head, hex) = entry.split_once('\n').expect("a line on the file");
        let (file, rgb) = hex.split_once('=').expect("two parts");
        let words: Vec<&str> = head.splitn(4, ' ').collect();
        let side = |word: &str| word.parse().expect("a number");
        Known {
            format: words[0].to_owned(),
            name: words[3].to_owned(),
            file: bytes(file),
            sides: [side(words[1]), side(words[2])],
            rgb: bytes(rgb),
        }
    };
    entries.map(entry).collect()
}

fn decoded(file: &[u8]) -> Result<RawImage, Error> {
    decode(Path::new("an image"), &mut Cursor::new(file))
}

fn whole(file: &[u8]) -> RawImage {
    decoded(file).expect("it is whole")
}

fn refused_with(file: &[u8]) -> String {
    let error = decoded(file).err().expect("it is not whole");
    assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error}");
    error.to_string().strip_prefix("an image: ").expect("it names the file").to_owned()
}

/// A PNG file, with a chunk after the pixels.
fn png(info: Info<'_>, samples: &[u8], exif: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = Encoder::with_info(&mut file, info).expect("there is such an image");
    let mut writer = encoder.write_header().expect("memory takes it");
    writer.write_image_data(samples).expect("memory takes it");
    if !exif.is_empty() {
        writer.write_chunk(chunk::eXIf, exif).expect("memory takes it");
    }
    writer.finish().expect("memory takes it");
    file
}

fn info(sides: [u32; 2], color: ColorType, depth: BitDepth) -> Info<'static> {
    let mut info = Info::with_size(sides[1], sides[0]);
    (info.color_type, info.bit_depth) = (color, depth);
    info
}

/// A directory of two entries, in both byte orders.
fn exif(orientation: u8) -> [Vec<u8>; 2] {
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
    [big.concat(), little.concat()]
}

#[test]
fn files_are_what_pillow_sees() {
    let formats = ["PNG", "GIF", "WebP"];
    for Known { format, name, file, sides, rgb } in known() {
        assert!(formats.contains(&format.as_str()), "{format}");
        let image = whole(&file).into_rgb();
        assert_eq!([image.rows, image.columns], sides, "{format}, {name}");
        // Decoders of lossy files may round in other ways, and interpolate colors in others.
        let most = if name.starts_with("lossy") { 3 } else { 0 };
        let differs = image.bytes.iter().zip(&rgb).any(|(is, known)| is.abs_diff(*known) > most);
        assert!(!differs, "{format}, {name}: {:?} is not {rgb:?}", image.bytes);
        assert_eq!(image.bytes.len(), rgb.len(), "{format}, {name}");
    }
}

#[test]
fn the_orientation_is_applied() {
    let turned = [
        "123/456", "321/654", "654/321", "456/123", "14/25/36", "41/52/63", "63/52/41", "36/25/14",
    ];
    let cases = (0u8..).zip(["123/456"].iter().chain(&turned).chain(&["123/456"]));
    for (orientation, expected) in cases {
        for exif in exif(orientation) {
            let plain = || info([2, 3], ColorType::Grayscale, BitDepth::Eight);
            let mut before = plain();
            before.exif_metadata = Some(exif.clone().into());
            for file in [png(before, b"123456", b""), png(plain(), b"123456", &exif)] {
                let image = whole(&file).into_gray();
                let rows: Vec<_> = image.bytes.chunks(image.columns).collect();
                assert_eq!(rows.join(&b'/'), expected.as_bytes(), "{orientation}");
                assert_eq!(rows.len(), image.rows);
            }
            // Blocks of 8x8 pixels of one level are exact in a JPEG.
            let mut file = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut file, 100);
            encoder.add_exif_metadata(&exif).expect("it fits");
            let level = |(row, column): (usize, usize)| b"123456"[row / 8 * 3 + column / 8];
            let at = |row| (0..24).map(move |column| (row, column));
            let pixels: Vec<u8> = (0..16).flat_map(at).map(level).collect();
            encoder.encode(&pixels, 24, 16, JpegColor::Luma).expect("memory takes it");
            let image = whole(&file).into_gray();
            let rows = image.bytes.chunks(image.columns).step_by(8);
            let rows: Vec<Vec<u8>> =
                rows.map(|row| row.iter().step_by(8).copied().collect()).collect();
            assert_eq!(rows.join(&b'/'), expected.as_bytes(), "{orientation}");
        }
    }
}

#[test]
fn bytes_are_those_of_the_image_crate() {
    // `to_luma8` and `to_rgb8`, from samples of one byte and of two.
    let pixel = |k: u8| [k * 31, 255 - k * 17, k * k * 5];
    let samples: Vec<u8> = (0..8).flat_map(pixel).collect();
    let image = || whole(&png(info([2, 4], ColorType::Rgb, BitDepth::Eight), &samples, b""));
    assert_eq!(image().into_gray().bytes, [182, 177, 173, 169, 166, 164, 162, 161]);
    assert_eq!(image().into_rgb().bytes, samples);
    let pixel = |k: u16| [k * 8191, 65535 - k * 4099, k * k * 1303];
    let samples: Vec<u8> = (0..8).flat_map(pixel).flat_map(u16::to_be_bytes).collect();
    let image = || whole(&png(info([2, 4], ColorType::Rgb, BitDepth::Sixteen), &samples, b""));
    assert_eq!(image().into_gray().bytes, [182, 178, 175, 172, 170, 168, 168, 168]);
    let rgb = [
        0, 255, 0, 32, 239, 5, 64, 223, 20, 96, 207, 46, 127, 191, 81, 159, 175, 127, 191, 159,
        183, 223, 143, 248,
    ];
    assert_eq!(image().into_rgb().bytes, rgb);
}

#[test]
fn any_depth_of_gray_is_scaled() {
    // Two rows of two levels: the lowest, the highest, and two between.
    for (depth, samples, expected) in [
        (BitDepth::One, &[0b0100_0000, 0b1000_0000][..], [0, 255, 255, 0]),
        (BitDepth::Two, &[0b0011_0000, 0b0110_0000], [0, 255, 85, 170]),
        (BitDepth::Four, &[0x0F, 0x5A], [0, 255, 85, 170]),
        (BitDepth::Eight, &[0, 255, 7, 200], [0, 255, 7, 200]),
        // Not cut at 255, as Pillow does.
        (BitDepth::Sixteen, &[0, 0, 255, 255, 85, 85, 1, 0], [0, 255, 85, 1]),
    ] {
        let file = png(info([2, 2], ColorType::Grayscale, depth), samples, b"");
        assert_eq!(whole(&file).into_gray().bytes, expected, "{depth:?}");
        let rgb: Vec<u8> = expected.into_iter().flat_map(|level| [level; 3]).collect();
        assert_eq!(whole(&file).into_rgb().bytes, rgb, "{depth:?}");
    }
    let samples = [255, 255, 0, 0, 1, 1, 255, 255];
    let file = png(info([1, 2], ColorType::GrayscaleAlpha, BitDepth::Sixteen), &samples, b"");
    assert_eq!(whole(&file).into_gray().bytes, [255, 1]);
}

#[test]
fn an_interlaced_image_is_put_together() {
    // First row, first column and steps of the seven passes of Adam7.
    let passes = [
        [0, 0, 8, 8],
        [0, 4, 8, 8],
        [4, 0, 8, 4],
        [0, 2, 4, 4],
        [2, 0, 4, 2],
        [0, 1, 2, 2],
        [1, 0, 2, 1],
    ];
    let (rows, columns) = (7, 9);
    let mut stored = Vec::new();
    for [row, column, down, right] in passes {
        for row in (row..rows).step_by(down) {
            stored.push(0);
            stored.extend((column..columns).step_by(right).map(|column| (row * 9 + column) as u8));
        }
    }
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut deflate, &stored).expect("memory takes it");
    let pixels = deflate.finish().expect("memory takes it");
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [0, 0, 0, columns as u8, 0, 0, 0, rows as u8, 8, 0, 0, 0, 1];
    for (name, data) in [(b"IHDR", &header[..]), (b"IDAT", &pixels), (b"IEND", &[])] {
        let mut checksum = flate2::Crc::new();
        checksum.update(name);
        checksum.update(data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(data);
        file.extend(checksum.sum().to_be_bytes());
    }
    let expected: Vec<u8> = (0..63).collect();
    assert_eq!(whole(&file).into_gray().bytes, expected);
}

const SAMPLINGS: [SamplingFactor; 7] = [
    SamplingFactor::R_4_4_4,
    SamplingFactor::R_4_4_0,
    SamplingFactor::R_4_4_1,
    SamplingFactor::R_4_2_2,
    SamplingFactor::R_4_2_0,
    SamplingFactor::R_4_1_1,
    SamplingFactor::R_4_1_0,
];

/// A JPEG file of levels that change with the place; `levels` has those of the first pixel.
fn jpeg(
    color: JpegColor,
    levels: &[u8],
    [rows, columns]: [usize; 2],
    set: impl Fn(&mut jpeg_encoder::Encoder<&mut Vec<u8>>),
) -> (Vec<u8>, Vec<u8>) {
    let sample = |row: usize, column: usize, channel: usize| {
        let slope = [[1, 0], [0, 1], [1, 1], [0, 0]][channel];
        levels[channel] + (row * slope[0] + column * slope[1]) as u8
    };
    let mut samples = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            samples.extend((0..levels.len()).map(|channel| sample(row, column, channel)));
        }
    }
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 98);
    set(&mut encoder);
    encoder.encode(&samples, columns as u16, rows as u16, color).expect("memory takes it");
    (file, samples)
}

/// The largest difference between a file's colors and these.
fn distance(file: &[u8], rgb: &[u8]) -> u8 {
    let image = whole(file).into_rgb();
    assert_eq!(image.bytes.len(), rgb.len());
    let differences = image.bytes.iter().zip(rgb).map(|(is, expected)| is.abs_diff(*expected));
    differences.max().unwrap_or_default()
}

#[test]
fn a_jpeg_has_its_colors_whatever_its_sampling() {
    for sides in [[6, 50], [50, 6], [1, 1], [16, 16], [33, 70]] {
        for sampling in SAMPLINGS {
            for (progressive, optimized) in [(false, false), (false, true), (true, false)] {
                let set = |encoder: &mut jpeg_encoder::Encoder<&mut Vec<u8>>| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_progressive(progressive);
                    encoder.set_optimized_huffman_tables(optimized);
                };
                let case = format!("{sides:?} {sampling:?} {progressive} {optimized}");
                // The encoder keeps the first of four samples of a color that it halves.
                let (file, rgb) = jpeg(JpegColor::Rgb, &[40, 90, 120], sides, set);
                assert!(distance(&file, &rgb) <= 8, "{case}: {}", distance(&file, &rgb));
                for color in [JpegColor::Cmyk, JpegColor::CmykAsYcck] {
                    let (file, inks) = jpeg(color, &[20, 50, 90, 60], sides, set);
                    // As in Pillow, light passes each ink in turn.
                    let light = |ink: u8| 1.0 - f64::from(ink) / 255.0;
                    let rgb = |inks: &[u8]| -> [u8; 3] {
                        [0, 1, 2].map(|k| (light(inks[k]) * light(inks[3]) * 255.0).round() as u8)
                    };
                    let rgb: Vec<u8> = inks.chunks(4).flat_map(rgb).collect();
                    assert!(distance(&file, &rgb) <= 8, "{case}: {}", distance(&file, &rgb));
                }
            }
        }
    }
}

#[test]
fn inks_are_inverted_with_and_without_the_marker_of_adobe() {
    let (file, _) = jpeg(JpegColor::Cmyk, &[20, 50, 90, 60], [2, 3], |_| {});
    let adobe = file.windows(2).position(|marker| marker == [0xFF, 0xEE]).expect("it has one");
    let unmarked = [&file[..adobe], &file[adobe + 16..]].concat();
    assert_eq!(whole(&file).into_rgb().bytes, whole(&unmarked).into_rgb().bytes);
}

#[test]
fn a_jpeg_may_store_red_green_and_blue() {
    // Samples that the encoder takes as they are, with Adobe's marker for "not transformed".
    let adobe = *b"Adobe\0\x64\0\0\0\0\0";
    let (file, rgb) = jpeg(JpegColor::Ycbcr, &[40, 90, 120], [9, 9], |encoder| {
        encoder.add_app_segment(14, adobe.into()).expect("it fits");
        encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    });
    // Without the marker of JFIF, which would say otherwise.
    let plain = [&file[..2], &file[20..]].concat();
    assert_eq!(file[2..4], [0xFF, 0xE0]);
    assert!(distance(&plain, &rgb) <= 2, "{}", distance(&plain, &rgb));
    assert!(distance(&file, &rgb) > 40, "they are luma and chroma");
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let (jpeg_file, _) = jpeg(JpegColor::Rgb, &[40, 90, 120], [9, 9], |_| {});
    let (inks, _) = jpeg(JpegColor::CmykAsYcck, &[40, 90, 120, 7], [9, 9], |encoder| {
        encoder.set_progressive(true);
    });
    let named = known().into_iter().map(|known| (known.format, known.name, known.file));
    let more = [("colors", jpeg_file), ("inks", inks)];
    let more = more.map(|(name, file)| ("JPEG".to_owned(), name.to_owned(), file));
    for (format, name, file) in named.chain(more) {
        let pixels = whole(&file).into_rgb().bytes;
        for cut in 0..file.len() {
            let error = match decoded(&file[..cut]) {
                // Nothing but padding, an end mark or later pictures is missing.
                Ok(image) => {
                    assert_eq!(image.into_rgb().bytes, pixels, "{format}, {name}, {cut}");
                    continue;
                }
                Err(error) => error.to_string(),
            };
            let text = error.strip_prefix("an image: ").expect("it names the file");
            let expected = [
                &format!("a {format} image that is cut off"),
                &format!("a damaged {format} image ("),
                "none of PNG, JPEG, GIF, WebP",
                "an empty file, where an image is expected",
            ];
            let is_known = expected.iter().any(|known| text.starts_with(known));
            assert!(is_known && !text.contains("the decoder failed"), "{name}, {cut}: {text}");
        }
        for at in 0..file.len() {
            for change in [0x01, 0x41, 0x80, 0xFF] {
                let mut bytes = file.clone();
                bytes[at] ^= change;
                if let Err(error) = decoded(&bytes) {
                    let text = error.to_string();
                    let is_known = text.starts_with("an image: ");
                    assert!(is_known && !text.contains("the decoder failed"), "{name}: {text}");
                }
            }
        }
    }
}

#[test]
fn sizes_are_limited_before_memory_is_taken() {
    let of = |name: &str| {
        let of = |known: &Known| format!("{} {}", known.format, known.name) == name;
        known().into_iter().find(of).expect("it is known").file
    };
    let mut gif = of("GIF plain");
    gif[6..10].fill(0xFF);
    assert_eq!(refused_with(&gif), "65535x65535 pixels exceed the limit of 16384 per side");
    gif[6..10].fill(0x3F);
    assert_eq!(refused_with(&gif), "786445443 bytes of pixels are more than 536870912");
    // Width and height of the canvas, less one, in three bytes each.
    let mut webp = of("WebP lossy with transparency");
    webp[24..30].copy_from_slice(&[0xFF, 0x7F, 0, 0xFF, 0x7F, 0]);
    assert_eq!(refused_with(&webp), "32768x32768 pixels exceed the limit of 16384 per side");
    let (mut large, _) = jpeg(JpegColor::Rgb, &[0, 0, 0], [8, 8], |_| {});
    let frame = large.windows(2).position(|marker| marker == [0xFF, 0xC0]).expect("it has one");
    large[frame + 5..frame + 9].fill(0xFF);
    assert_eq!(refused_with(&large), "65535x65535 pixels exceed the limit of 16384 per side");
}

#[test]
fn another_kind_of_file_says_what_it_is() {
    for (bytes, text) in [
        (&b"II*\0\0\0\0\0"[..], "none of PNG, JPEG, GIF, WebP: it is a TIFF image"),
        (b"no image at all", "none of PNG, JPEG, GIF, WebP: it is a text"),
        (b"\0\x01\x02", "none of PNG, JPEG, GIF, WebP"),
        (b"", "an empty file, where an image is expected (PNG, JPEG, GIF, WebP)"),
    ] {
        assert_eq!(refused_with(bytes), text);
    }
}
