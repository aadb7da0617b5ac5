use super::*;
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write};

/// A file with these extents and elements.
fn idx(extents: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    extents.iter().for_each(|extent| file.extend(extent.to_be_bytes()));
    file.extend(elements);
    file
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A separate directory for each test, initially empty.
fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("wgrad-idx-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("it can be made");
    directory
}

/// Writes a file and returns the error message of reading it.
fn damage(name: &str, content: &[u8]) -> String {
    let path = directory(name).join("file");
    fs::write(&path, content).expect("it is written");
    let error = images(&path).expect_err("it is damaged");
    assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    fs::remove_dir_all(path.parent().expect("it lies in one")).expect("it can be removed");
    text
}

/// Writes the four files, with two images of 2x1 each.
fn write_set(directory: &Path, name: impl Fn(&str) -> String, file: impl Fn(&[u8]) -> Vec<u8>) {
    for set in ["train", "t10k"] {
        let images = file(&idx(&[2, 2, 1], &[0, 51, 102, 255]));
        fs::write(directory.join(name(&format!("{set}-images-idx3-ubyte"))), images)
            .expect("it is written");
        let labels = file(&idx(&[2], &[1, 0]));
        fs::write(directory.join(name(&format!("{set}-labels-idx1-ubyte"))), labels)
            .expect("it is written");
    }
}

#[test]
fn plain_or_compressed_under_any_of_the_names() -> Result<(), Error> {
    let directory = directory("names");
    let images = Array::new([2, 1, 2, 1], &[0.0f32, 0.2, 0.4, 1.0])?;
    let expected = Labeled::new(images, Array::new([2], &[1u32, 0])?)?;
    let dotted = |name: &str| name.replace("-idx", ".idx");
    for (index, (dot, compressed)) in
        [(false, false), (false, true), (true, false), (true, true)].into_iter().enumerate()
    {
        let directory = directory.join(index.to_string());
        fs::create_dir_all(&directory).expect("it can be made");
        let name = |name: &str| {
            let name = if dot { dotted(name) } else { name.to_owned() };
            if compressed { name + ".gz" } else { name }
        };
        let file = |content: &[u8]| if compressed { gzip(content) } else { content.to_vec() };
        write_set(&directory, name, file);
        assert_eq!(load(&directory, 2)?, (expected.clone(), expected.clone()));
    }
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn damage_names_the_byte() {
    let good = idx(&[2, 2, 1], &[0, 51, 102, 255]);
    for (name, content, expected) in [
        ("empty", Vec::new(), "at byte 0: expected 4 bytes"),
        ("magic", idx(&[4], &[1, 2, 3, 4]), "at byte 0: expected the magic number"),
        ("type", [&[0, 0, 13, 3], &good[4..]].concat(), "at byte 0: expected the magic number"),
        ("header", good[..10].to_vec(), "at byte 10: expected 12 bytes"),
        ("short", good[..18].to_vec(), "at byte 18: expected 20 bytes"),
        ("long", [&good[..], &[0]].concat(), "at byte 20: expected the end"),
        ("large", idx(&[u32::MAX; 3], &[0]), "at byte 4: expected at most"),
        ("product", idx(&[60_000, 28, u32::MAX], &[0]), "at byte 12: expected at most"),
        ("zero", idx(&[0, u32::MAX, 1], &[]), "at byte 8: expected at most"),
        ("none", idx(&[0, 28, 28], &[]), "0 images"),
        ("claims", idx(&[1 << 20, 32, 32], &[0; 9]), "at byte 25: expected"),
    ] {
        let text = damage(name, &content);
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn damage_below_the_compression_is_an_error() {
    let good = gzip(&idx(&[2, 2, 1], &[0, 51, 102, 255]));
    for cut in 3..good.len() - 1 {
        damage("cut", &good[..cut]);
    }
    let text = damage("bomb", &gzip(&idx(&[2, 2, 1], &vec![0; 1 << 20])));
    assert!(text.contains("at byte 20: expected the end"), "{text}");
}

#[test]
fn files_that_do_not_fit_together_are_errors() {
    let directory = directory("together");
    let missing = load(&directory, 2).expect_err("it is empty");
    assert!(missing.to_string().contains("train-images-idx3-ubyte.gz"), "{missing}");
    assert!(matches!(missing, Error::File(FileError::Io { .. })));

    let labels = directory.join("train-labels-idx1-ubyte");
    for (file, content, expected) in [
        (labels.clone(), idx(&[3], &[1, 0, 1]), "at byte 4: expected 2 labels"),
        (labels, idx(&[2], &[1, 2]), "at byte 9: expected a label below 2, found 2"),
        (directory.join("t10k-images-idx3-ubyte"), idx(&[2, 1, 2], &[0; 4]), "[2, 1, 1, 2]"),
    ] {
        write_set(&directory, str::to_owned, <[u8]>::to_vec);
        assert!(load(&directory, 2).is_ok());
        fs::write(&file, content).expect("it is written");
        let error = load(&directory, 2).expect_err("they do not fit");
        assert!(matches!(error, Error::File(FileError::Corrupt { .. })), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(&file.display().to_string()), "{text}");
    }
    fs::remove_dir_all(directory).expect("it can be removed");
}
