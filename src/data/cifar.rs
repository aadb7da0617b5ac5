//! CIFAR-10 and CIFAR-100 in their binary version.
//!
//! # Source
//!
//! A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009, and
//! <https://www.cs.toronto.edu/~kriz/cifar.html>: an image is one byte of its label, two in
//! CIFAR-100 (coarse, then fine), and 3,072 bytes of pixels: red, green, then blue, each row by
//! row.

use super::Labeled;
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, FileError},
    shape::Meta,
};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// Bytes of pixels per image.
const PIXELS: usize = 3 * 32 * 32;

/// One of the two data sets.
struct Version {
    /// Where its archive is unpacked.
    folder: &'static str,
    /// The same for the version in Python's own format.
    python: [&'static str; 2],
    train: &'static [&'static str],
    test: &'static str,
    /// From the first byte of an image on.
    labels: &'static [Labels],
}

/// Labels of one kind.
struct Labels {
    classes: u8,
    /// The file with their names, one per line.
    names: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        folder: "cifar-10-batches-bin",
        python: ["cifar-10-batches-py", "test_batch"],
        train: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        test: "test_batch.bin",
        labels: &[Labels { classes: 10, names: "batches.meta.txt" }],
    },
    Version {
        folder: "cifar-100-binary",
        python: ["cifar-100-python", "test"],
        train: &["train.bin"],
        test: "test.bin",
        labels: &[
            Labels { classes: 20, names: "coarse_label_names.txt" },
            Labels { classes: 100, names: "fine_label_names.txt" },
        ],
    },
];

/// Loads the training set and the test set of CIFAR-10, or of CIFAR-100 with its 100 classes:
/// images
/// `[n, 3, 32, 32]` in f32, scaled from bytes to `[0, 1]`.
///
/// The directory is `cifar-10-batches-bin` or `cifar-100-binary`, or contains one of them.
///
/// ```no_run
/// use std::path::Path;
/// use wgrad::data::cifar;
///
/// let (train, test) = cifar::load(Path::new("cifar-10-batches-bin"))?;
/// let classes = cifar::classes(Path::new("cifar-10-batches-bin"))?;
/// let [first, ..] = *train.targets().words() else { return Ok(()) };
/// println!("{} images, the first of class {}", train.len(), classes[first as usize]);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Errors
///
/// [`FileError::Io`] if a file is missing, or if it is the version for Python;
/// [`FileError::Corrupt`], with the byte, if a file ends within an image or a label is too large.
#[doc(alias("CIFAR10", "CIFAR100"))]
pub fn load(directory: &Path) -> Result<(Labeled, Labeled), Error> {
    let (version, directory) = find(directory)?;
    sets(version, &directory, version.labels.len() - 1)
}

/// Loads CIFAR-100 with its 20 coarse classes, each of which has five of the others.
///
/// # Errors
///
/// Same as [`load`]; [`FileError::Io`] for CIFAR-10, which has none.
pub fn load_coarse(directory: &Path) -> Result<(Labeled, Labeled), Error> {
    let (version, directory) = coarse(directory)?;
    sets(version, &directory, 0)
}

/// The names of the classes of [`load`], by index, from the text file that comes with the images.
///
/// # Errors
///
/// [`FileError::Io`] if it is missing; [`FileError::Corrupt`] if it has another number of lines.
pub fn classes(directory: &Path) -> Result<Vec<String>, Error> {
    let (version, directory) = find(directory)?;
    version.labels.last().map_or_else(|| Ok(Vec::new()), |labels| labels.names(&directory))
}

/// The names of the classes of [`load_coarse`], by index.
///
/// # Errors
///
/// Same as [`classes`]; [`FileError::Io`] for CIFAR-10.
pub fn coarse_classes(directory: &Path) -> Result<Vec<String>, Error> {
    let (version, directory) = coarse(directory)?;
    version.labels.first().map_or_else(|| Ok(Vec::new()), |labels| labels.names(&directory))
}

/// Finds the data set that a directory is or contains.
fn find(directory: &Path) -> Result<(&'static Version, PathBuf), Error> {
    let mut found = Vec::new();
    for version in &VERSIONS {
        let places = [directory.to_owned(), directory.join(version.folder)];
        let is_there = |place: &PathBuf| place.join(version.test).is_file();
        found.extend(places.into_iter().find(is_there).map(|place| (version, place)));
    }
    let [ten, hundred] = &VERSIONS;
    if found.len() > 1 {
        let message = format!("contains both {} and {}: name one", ten.folder, hundred.folder);
        return Err(wrong(directory, message));
    }
    if let Some(found) = found.pop() {
        return Ok(found);
    }
    let is_python =
        |version: &Version| version.python.iter().any(|name| directory.join(name).exists());
    let mut message = format!("there is neither {} nor {}", ten.test, hundred.test);
    if VERSIONS.iter().any(is_python) {
        message += ": this is the version for Python, and the binary version is needed, as in \
                    cifar-10-binary.tar.gz or cifar-100-binary.tar.gz";
    }
    Err(wrong(directory, message))
}

/// Finds a data set with coarse labels.
fn coarse(directory: &Path) -> Result<(&'static Version, PathBuf), Error> {
    match find(directory)? {
        (version, _) if version.labels.len() < 2 => {
            Err(wrong(directory, "CIFAR-10 has no coarse classes".to_owned()))
        }
        found => Ok(found),
    }
}

/// Loads both sets with the labels at this byte of an image.
fn sets(version: &Version, directory: &Path, label: usize) -> Result<(Labeled, Labeled), Error> {
    let train: Vec<PathBuf> = version.train.iter().map(|name| directory.join(name)).collect();
    let test = [directory.join(version.test)];
    Ok((version.read(&train, label)?, version.read(&test, label)?))
}

impl Version {
    /// Reads the images of some files.
    fn read(&self, files: &[PathBuf], label: usize) -> Result<Labeled, Error> {
        let (mut words, mut targets) = (Vec::new(), Vec::new());
        for path in files {
            self.append(path, label, &mut words, &mut targets)?;
        }
        let meta = Meta::new([targets.len(), 3, 32, 32], DType::F32);
        let images = Array::from_words(meta, words)?;
        Labeled::new(images, Array::from_vec([targets.len()], targets)?)
    }

    /// Appends the images of a file. Memory is allocated only as they arrive.
    fn append(
        &self,
        path: &Path,
        label: usize,
        words: &mut Vec<u32>,
        targets: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let io = |error| super::refused(path, &error);
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let size = self.labels.len() + PIXELS;
        let (mut record, mut at) = (Vec::with_capacity(size), 0);
        loop {
            record.clear();
            (&mut file).take(size as u64).read_to_end(&mut record).map_err(io)?;
            let found = record.len();
            if found == 0 && at > 0 {
                return Ok(());
            }
            if found < size {
                let message =
                    format!("at byte {at}: expected an image of {size} bytes, found {found}");
                return Err(corrupt(path, message));
            }
            let (labels, pixels) = record.split_at(self.labels.len());
            for (byte, (&label, Labels { classes, .. })) in
                (at..).zip(labels.iter().zip(self.labels))
            {
                if label >= *classes {
                    let message =
                        format!("at byte {byte}: expected a label below {classes}, found {label}");
                    return Err(corrupt(path, message));
                }
            }
            words.try_reserve(PIXELS).map_err(|_| {
                let message = "with these images they do not fit in memory any more".to_owned();
                wrong(path, message)
            })?;
            words.extend(pixels.iter().map(|&byte| (f32::from(byte) / 255.0).to_bits()));
            targets.extend(labels.get(label).map(|&label| u32::from(label)));
            at += size;
        }
    }
}

impl Labels {
    fn names(&self, directory: &Path) -> Result<Vec<String>, Error> {
        let path = directory.join(self.names);
        let text = super::text::read(&path)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let names: Vec<String> = lines.map(str::to_owned).collect();
        if names.len() != usize::from(self.classes) {
            let message = format!("expected {} names, found {}", self.classes, names.len());
            return Err(corrupt(&path, message));
        }
        Ok(names)
    }
}

fn wrong(path: &Path, message: String) -> Error {
    FileError::Io { path: path.to_owned(), message }.into()
}

fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A separate directory for each test, initially empty.
    fn directory(name: &str) -> PathBuf {
        let name = format!("wgrad-cifar-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("it can be made");
        directory
    }

    /// An image with these labels, whose pixel number k has the value (k + first) % 256.
    fn image(labels: &[u8], first: usize) -> Vec<u8> {
        let pixels = (0..PIXELS).map(|k| ((k + first) % 256) as u8);
        labels.iter().copied().chain(pixels).collect()
    }

    fn write(path: PathBuf, content: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().expect("it lies in one")).expect("it can be made");
        fs::write(path, content).expect("it is written");
    }

    /// Writes CIFAR-10 with an image in each file to train on and two to test on.
    fn write_ten(directory: &Path) {
        for number in 1..=5u8 {
            let name = format!("data_batch_{number}.bin");
            write(directory.join(name), image(&[number], usize::from(number)));
        }
        let two = [image(&[9], 0), image(&[0], 10)].concat();
        write(directory.join("test_batch.bin"), two);
    }

    fn error<T>(result: Result<T, Error>) -> String {
        result.map(drop).expect_err("it is wrong").to_string()
    }

    #[test]
    fn files_are_read_in_order() -> Result<(), Error> {
        let parent = directory("ten");
        let directory = parent.join("cifar-10-batches-bin");
        write_ten(&directory);
        let (train, test) = load(&directory)?;
        assert_eq!(train.inputs().shape().dims(), [5, 3, 32, 32]);
        assert_eq!(train.targets().words(), [1, 2, 3, 4, 5]);
        assert_eq!(test.targets().words(), [9, 0]);
        // Pixel 1024 * 2 + 32 * 3 + 4 of the second image is (2148 + 10) % 256 = 110.
        assert_eq!(test.inputs().at(&[1, 2, 3, 4])?, f64::from(110.0f32 / 255.0));
        assert_eq!(train.inputs().at(&[4, 0, 0, 0])?, f64::from(5.0f32 / 255.0));
        assert_eq!(load(&parent)?, (train, test));
        let missing = error(classes(&directory));
        assert!(missing.contains("batches.meta.txt"), "{missing}");
        write(directory.join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
        assert_eq!(classes(&parent)?.concat(), "abcdefghij");
        write(directory.join("batches.meta.txt"), "airplane\n");
        let short = error(classes(&parent));
        assert!(short.ends_with("batches.meta.txt: expected 10 names, found 1"), "{short}");
        assert!(error(load_coarse(&parent)).ends_with("CIFAR-10 has no coarse classes"));
        fs::remove_dir_all(parent).expect("it can be removed");
        Ok(())
    }

    #[test]
    fn a_hundred_classes_are_fine_or_coarse() -> Result<(), Error> {
        let parent = directory("hundred");
        let directory = parent.join("cifar-100-binary");
        write(directory.join("train.bin"), [image(&[19, 99], 0), image(&[3, 5], 7)].concat());
        write(directory.join("test.bin"), image(&[0, 20], 1));
        let names: Vec<String> = (0..100).map(|k| format!("class {k}")).collect();
        write(directory.join("fine_label_names.txt"), names.join("\r\n"));
        write(directory.join("coarse_label_names.txt"), names[..20].join("\n"));
        let ((fine, _), (coarse, test)) = (load(&parent)?, load_coarse(&directory)?);
        assert_eq!(
            (fine.targets().words(), coarse.targets().words()),
            (&[99, 5][..], &[19, 3][..])
        );
        assert_eq!(fine.inputs(), coarse.inputs());
        assert_eq!(test.inputs().at(&[0, 0, 0, 1])?, f64::from(2.0f32 / 255.0));
        assert_eq!(
            (classes(&parent)?, coarse_classes(&parent)?),
            (names.clone(), names[..20].into())
        );
        write_ten(&parent.join("cifar-10-batches-bin"));
        assert!(error(load(&parent)).contains("contains both"));
        fs::remove_dir_all(parent).expect("it can be removed");
        Ok(())
    }

    #[test]
    fn damage_names_the_byte() {
        let directory = directory("damage");
        write_ten(&directory);
        let path = directory.join("data_batch_2.bin");
        let two = [image(&[1], 0), image(&[9], 0)].concat();
        let mut label = two.clone();
        label[3073] = 10;
        for (content, expected) in [
            (&two[..0], "at byte 0: expected an image of 3073 bytes, found 0"),
            (&two[..3072], "at byte 0: expected an image of 3073 bytes, found 3072"),
            (&two[..3085], "at byte 3073: expected an image of 3073 bytes, found 12"),
            (&label[..], "at byte 3073: expected a label below 10, found 10"),
        ] {
            write(path.clone(), content);
            let text = error(load(&directory));
            assert_eq!(text, format!("{}: {expected}", path.display()));
        }
        fs::remove_file(&path).expect("it is there");
        assert!(error(load(&directory)).contains("data_batch_2.bin"));
        fs::remove_dir_all(&directory).expect("it can be removed");
        write(directory.join("test.bin"), image(&[1, 100], 0));
        write(directory.join("train.bin"), image(&[1, 99], 0));
        let text = error(load_coarse(&directory));
        assert!(text.ends_with("test.bin: at byte 1: expected a label below 100, found 100"));
        fs::remove_dir_all(directory).expect("it can be removed");
    }

    #[test]
    fn the_version_for_python_is_recognized() {
        let directory = directory("python");
        assert!(error(load(&directory)).ends_with("there is neither test_batch.bin nor test.bin"));
        write(directory.join("test_batch"), "\x02}q");
        assert!(error(load(&directory)).contains("cifar-10-binary.tar.gz"));
        fs::remove_dir_all(&directory).expect("it can be removed");
        write(directory.join("cifar-100-python/test"), "\x02}q");
        assert!(error(load(&directory)).contains("the version for Python"));
        fs::remove_dir_all(directory).expect("it can be removed");
    }
}
