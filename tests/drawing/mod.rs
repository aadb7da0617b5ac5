//! Writes the image files that tests read.

use jpeg_encoder::{ColorType, Encoder};
use std::{fs, path::Path};

/// Writes an image with these columns and rows, gray or RGB, in the format of the file name's ending:
/// JPEG, GIF with 256 colors, WebP without loss, otherwise PNG.
pub fn save<const N: usize>(
    path: &Path,
    [columns, rows]: [u16; 2],
    pixel: impl Fn(u32, u32) -> [u8; N],
) {
    let row = |y| (0..columns).map(move |x| (x, y));
    let at = |(x, y)| pixel(u32::from(x), u32::from(y));
    let pixels: Vec<u8> = (0..rows).flat_map(row).flat_map(at).collect();
    let (gray, mut file) = (N == 1, Vec::new());
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("jpg") => {
            let color = if gray { ColorType::Luma } else { ColorType::Rgb };
            let encoder = Encoder::new(&mut file, 75);
            encoder.encode(&pixels, columns, rows, color).expect("memory takes it");
        }
        Some("gif") => {
            // Three bits of red and green, two of blue.
            let color = |k: u8| [k & 0xE0, k << 3 & 0xE0, k << 6];
            let palette: Vec<u8> = (0..=255).flat_map(color).collect();
            let index = |pixel: &[u8]| {
                let [red, green, blue] = [pixel[0], pixel[N / 2], pixel[N - 1]];
                red & 0xE0 | green >> 3 & 0x1C | blue >> 6
            };
            let indices: Vec<u8> = pixels.chunks_exact(N).map(index).collect();
            let frame = gif::Frame::from_indexed_pixels(columns, rows, indices, None);
            let mut encoder =
                gif::Encoder::new(&mut file, columns, rows, &palette).expect("memory takes it");
            encoder.write_frame(&frame).expect("memory takes it");
        }
        Some("webp") => {
            let color = if gray { image_webp::ColorType::L8 } else { image_webp::ColorType::Rgb8 };
            let encoder = image_webp::WebPEncoder::new(&mut file);
            let (columns, rows) = (columns.into(), rows.into());
            encoder.encode(&pixels, columns, rows, color).expect("memory takes it");
        }
        _ => {
            let mut encoder = png::Encoder::new(&mut file, columns.into(), rows.into());
            encoder.set_color(if gray { png::ColorType::Grayscale } else { png::ColorType::Rgb });
            let mut writer = encoder.write_header().expect("memory takes it");
            writer.write_image_data(&pixels).expect("memory takes it");
            writer.finish().expect("memory takes it");
        }
    }
    fs::write(path, file).expect("it is written");
}
