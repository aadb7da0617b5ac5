use super::{decode::SIDE, *};
use crate::data::images::drawing::save;
use crate::error::{Error, FileError};
use std::{
    fs,
    path::{Path, PathBuf},
};

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
    let (images, classes) = load(&directory, [2, 4])?;
    assert_eq!(classes, ["cold", "warm"]);
    assert_eq!(images.targets().words(), [0, 0, 1]);
    assert_eq!(images.inputs().shape().dims(), [3, 3, 2, 4]);
    let values = images.inputs().to_f64();
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
