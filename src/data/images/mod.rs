//! Image files (PNG, JPEG), and directories with one subdirectory per class.

mod decode;
#[cfg(test)]
#[path = "../../../tests/drawing/mod.rs"]
mod drawing;
mod resize;

use super::{Labeled, refused};
use crate::{
    array::Array,
    brief::Brief,
    dtype::DType,
    error::{Error, FileError},
    shape::Meta,
};
use decode::{RawImage, SIDE};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// File extensions of images.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A directory of images.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageFolder {
    /// The images `[n, 3, rows, columns]`, and their classes.
    pub data: Labeled,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

impl std::fmt::Debug for ImageFolder {
    /// A summary.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageFolder")
            .field("data", &self.data)
            .field("classes", &Brief::new(&self.classes))
            .finish()
    }
}

/// Loads a directory in which every class is a subdirectory of PNG and JPEG files.
///
/// Classes are numbered in order of name, and images are ordered by class and name: the same files
/// yield the same set. Hidden files and files with other extensions are skipped.
///
/// # Errors
///
/// [`FileError`], which names the file or directory; there must be at least two classes, and none
/// may be empty.
#[doc(alias = "image_dataset_from_directory")]
pub fn load(directory: &Path, [rows, columns]: [usize; 2]) -> Result<ImageFolder, Error> {
    let folders: Vec<PathBuf> =
        entries(directory)?.into_iter().filter(|path| path.is_dir()).collect();
    if folders.len() < 2 {
        let found = folders.len();
        let message = format!("expected a folder for each of two classes or more, found {found}");
        return Err(wrong(directory, message));
    }
    let (mut words, mut labels, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    for (class, folder) in (0u32..).zip(&folders) {
        let files: Vec<PathBuf> =
            entries(folder)?.into_iter().filter(|path| is_image(path)).collect();
        if files.is_empty() {
            let endings = ENDINGS.join(", ");
            return Err(wrong(folder, format!("expected images ({endings}), found none")));
        }
        for file in &files {
            let image = read(file, [3, rows, columns])?;
            words.try_reserve(image.words().len()).map_err(|_| {
                wrong(file, "with this image they do not fit in memory any more".to_owned())
            })?;
            words.extend(image.words());
            labels.push(class);
        }
        classes.push(name(folder)?);
    }
    let images = Array::from_words(Meta::new([labels.len(), 3, rows, columns], DType::F32), words)?;
    let data = Labeled::new(images, Array::new([labels.len()], &labels)?)?;
    Ok(ImageFolder { data, classes })
}

/// Reads an image as `[channels, rows, columns]` in f32, scaled to `[0, 1]`: grayscale for one
/// channel, else red, green and blue.
///
/// An image of another size is resized by linear interpolation or by averaging pixels, without
/// keeping its aspect ratio. The file's orientation is applied; transparency is ignored.
///
/// # Errors
///
/// [`FileError::Io`] if it cannot be read, or an extent is zero; [`FileError::Corrupt`] if it is
/// damaged, neither PNG nor JPEG, or larger than 16,384 pixels per side or 512 MiB.
pub fn read(path: &Path, [channels, rows, columns]: [usize; 3]) -> Result<Array, Error> {
    let possible = |extent| (1..=SIDE).contains(&extent);
    if !(possible(rows) && possible(columns) && matches!(channels, 1 | 3)) {
        let message = format!("cannot become {channels} channels of {rows}x{columns} pixels");
        return Err(wrong(path, message));
    }
    let image = RawImage::read(path)?;
    let image = if channels == 1 { image.into_gray() } else { image.into_rgb() };
    let pixels = resize::stretch(image, channels, [rows, columns]);
    // Channels are the last axis of an image, and the first one here.
    let plane = |channel| pixels.iter().skip(channel).step_by(channels);
    let scaled: Vec<f32> =
        (0..channels).flat_map(plane).map(|&byte| f32::from(byte) / 255.0).collect();
    Array::new([channels, rows, columns], &scaled)
}

/// The entries of a directory that are not hidden, in order of name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let io = |error| refused(directory, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// The name of a class.
fn name(folder: &Path) -> Result<String, Error> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| wrong(folder, "the name is not UTF-8".to_owned()))
}

fn wrong(path: &Path, message: String) -> Error {
    FileError::Io { path: path.to_owned(), message }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::images::drawing::save;

    /// A separate directory for each test, initially empty.
    fn directory(name: &str) -> PathBuf {
        let name = format!("wgrad-images-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("it can be made");
        directory
    }

    fn save_one_color(folder: &Path, name: &str, color: [u8; 3]) {
        fs::create_dir_all(folder).expect("it can be made");
        save(&folder.join(name), [5, 3], |_, _| color);
    }

    #[test]
    fn a_class_is_a_folder() -> Result<(), Error> {
        let directory = directory("classes");
        save_one_color(&directory.join("warm"), "b.png", [255, 0, 0]);
        save_one_color(&directory.join("cold"), "c.PNG", [0, 0, 255]);
        save_one_color(&directory.join("cold"), "a.jpg", [0, 255, 0]);
        save_one_color(&directory.join(".hidden"), "x.png", [0, 0, 0]);
        fs::write(directory.join("cold/notes.txt"), "no image").expect("it is written");
        let images = load(&directory, [2, 4])?;
        assert_eq!(images.classes, ["cold", "warm"]);
        assert_eq!(images.data.targets().words(), [0, 0, 1]);
        assert_eq!(images.data.inputs().shape().dims(), [3, 3, 2, 4]);
        let values = images.data.inputs().to_f64();
        let channel = |image: usize, channel: usize| values[(3 * image + channel) * 8];
        assert!(channel(0, 1) > 0.95 && channel(0, 0) < 0.05, "a JPEG is not exact");
        assert_eq!([0, 1, 2].map(|c| channel(1, c)), [0.0, 0.0, 1.0]);
        assert_eq!([0, 1, 2].map(|c| channel(2, c)), [1.0, 0.0, 0.0]);
        fs::remove_dir_all(directory).expect("it can be removed");
        Ok(())
    }

    #[test]
    fn gray_is_one_channel() -> Result<(), Error> {
        let directory = directory("gray");
        let path = directory.join("ramp.png");
        save(&path, [4, 2], |x, y| [(4 * y + x) as u8 * 36]);
        let image = read(&path, [1, 2, 4])?;
        let expected: Vec<f64> = (0u8..8).map(|k| f64::from(f32::from(k * 36) / 255.0)).collect();
        assert_eq!(image.to_f64(), expected);
        assert_eq!(read(&path, [3, 7, 5])?.shape().dims(), [3, 7, 5]);
        for size in [[2, 2, 4], [1, 0, 4], [1, 2, usize::MAX]] {
            assert!(read(&path, size).is_err(), "{size:?}");
        }
        fs::remove_dir_all(directory).expect("it can be removed");
        Ok(())
    }

    #[test]
    fn errors_name_the_file() {
        let directory = directory("errors");
        let text = |path: &Path| {
            let error = load(&directory, [2, 2]).expect_err("something is wrong");
            assert!(matches!(error, Error::File(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.starts_with(&path.display().to_string()), "{text}");
            text
        };
        assert!(text(&directory).contains("found 0"));
        save_one_color(&directory.join("a"), "a.png", [1, 2, 3]);
        assert!(text(&directory).contains("found 1"));
        fs::create_dir_all(directory.join("b")).expect("it can be made");
        assert!(text(&directory.join("b")).contains("found none"));
        let file = directory.join("b/b.png");
        fs::write(&file, "no image at all").expect("it is written");
        text(&file);
        let good = fs::read(directory.join("a/a.png")).expect("it is there");
        for cut in [9, 30, good.len() / 2, good.len() - 20] {
            fs::write(&file, &good[..cut]).expect("it is written");
            let error = read(&file, [3, 2, 2]).expect_err("it is cut");
            assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{cut}: {error:?}");
        }
        // Headers that claim large images, with correct checksums: side, bits per channel.
        for (side, bits, expected) in [(SIDE + 1, 8, "limit"), (SIDE, 16, "bytes of pixels")] {
            let mut large = good.clone();
            large[16..20].copy_from_slice(&(side as u32).to_be_bytes());
            large[20..24].copy_from_slice(&(side as u32).to_be_bytes());
            large[24] = bits;
            let mut checksum = flate2::Crc::new();
            checksum.update(&large[12..29]);
            large[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
            fs::write(&file, large).expect("it is written");
            let text = text(&file);
            assert!(text.contains(expected), "{text}");
        }
        fs::remove_dir_all(directory).expect("it can be removed");
    }
}
