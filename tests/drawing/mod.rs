//! Writes the image files that tests read.

use jpeg_encoder::{ColorType, Encoder};
use std::{fs, path::Path};

/// Writes an image with these columns and rows, gray or RGB: JPEG if the file name ends in `jpg`,
/// otherwise PNG.
pub fn save<const N: usize>(
    path: &Path,
    [columns, rows]: [u16; 2],
    pixel: impl Fn(u32, u32) -> [u8; N],
) {
    let row = |y| (0..columns).map(move |x| (x, y));
    let at = |(x, y)| pixel(u32::from(x), u32::from(y));
    let pixels: Vec<u8> = (0..rows).flat_map(row).flat_map(at).collect();
    let (gray, mut file) = (N == 1, Vec::new());
    if path.extension().is_some_and(|ending| ending == "jpg") {
        let color = if gray { ColorType::Luma } else { ColorType::Rgb };
        let encoder = Encoder::new(&mut file, 75);
        encoder.encode(&pixels, columns, rows, color).expect("memory takes it");
    } else {
        let mut encoder = png::Encoder::new(&mut file, columns.into(), rows.into());
        encoder.set_color(if gray { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        let mut writer = encoder.write_header().expect("memory takes it");
        writer.write_image_data(&pixels).expect("memory takes it");
        writer.finish().expect("memory takes it");
    }
    fs::write(path, file).expect("it is written");
}
