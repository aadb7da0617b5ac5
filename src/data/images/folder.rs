//! Directories of images that are decoded when they are asked for.

use super::{
    Fit,
    read::{decode_into, is_possible, wrong},
};
use crate::{
    array::Array,
    brief::Brief,
    data::{Batch, Dataset, Labeled, refused},
    dtype::DType,
    error::{Error, VariableError},
    shape::Meta,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// File extensions of images.
const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "gif", "webp"];

/// A directory of images, which are decoded when they are asked for: the fields `inputs`, in f32
/// and scaled to `[0, 1]`, and `targets`, in u32.
///
/// Classes are numbered in order of name, and images are ordered by class and path: the same files
/// yield the same set. Folders within that of a class belong to it. Hidden files and files with
/// other extensions than those of images are skipped; what is in a file is known when it is
/// decoded, and then its extension does not matter.
///
/// ```
/// # use wgrad::Error;
/// use wgrad::data::{Dataset, images::{Fit, ImageFolder}};
/// # fn main() -> Result<(), Error> {
/// # let directory = std::env::temp_dir().join(format!("wgrad-folder-{}", std::process::id()));
/// # for class in ["cats", "dogs"] {
/// #     let folder = directory.join(class);
/// #     std::fs::create_dir_all(&folder).expect("it can be made");
/// #     // Of one pixel.
/// #     let gif = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// #     std::fs::write(folder.join("0.gif"), gif).expect("it is written");
/// # }
///
/// let photos = ImageFolder::open(&directory, [224, 224])?.fit(Fit::Crop);
/// assert_eq!(photos.classes(), ["cats", "dogs"]);
/// let batch = photos.get(&[1, 0])?;
/// let inputs = batch.get("inputs").map(|inputs| inputs.shape().dims());
/// assert_eq!(inputs, Some(&[2, 3, 224, 224][..]));
/// # std::fs::remove_dir_all(&directory).expect("it can be removed");
/// # Ok(())
/// # }
/// ```
#[doc(alias("image_dataset_from_directory", "flow_from_directory"))]
#[derive(Clone, PartialEq)]
pub struct ImageFolder {
    paths: Vec<PathBuf>,
    /// The class of each image, `[n]`; zeros without classes.
    targets: Array,
    classes: Vec<String>,
    /// Channels, rows and columns.
    shape: [usize; 3],
    fit: Fit,
}

impl std::fmt::Debug for ImageFolder {
    /// A summary.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageFolder")
            .field("paths", &Brief::new(self.paths.iter().map(|path| path.display())))
            .field("classes", &Brief::new(&self.classes))
            .field("shape", &self.shape)
            .field("fit", &self.fit)
            .finish()
    }
}

impl ImageFolder {
    /// Lists a directory in which every class is a subdirectory. Images are brought to these rows
    /// and columns, and to red, green and blue.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`](crate::FileError::Io), which names the directory; there must be at least
    /// two classes, and none may be empty.
    pub fn open(directory: &Path, [rows, columns]: [usize; 2]) -> Result<Self, Error> {
        let folders: Vec<PathBuf> =
            entries(directory)?.into_iter().filter(|path| path.is_dir()).collect();
        if folders.len() < 2 {
            let found = folders.len();
            let message =
                format!("expected a folder for each of two classes or more, found {found}");
            return Err(wrong(directory, message));
        }
        let (mut paths, mut targets, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for (class, folder) in (0u32..).zip(&folders) {
            paths.extend(images(folder)?);
            targets.resize(paths.len(), class);
            classes.push(name(folder)?);
        }
        let targets = Array::new([targets.len()], &targets)?;
        ImageFolder { paths, targets, classes, shape: [3, rows, columns], fit: Fit::default() }
            .possible(directory)
    }

    /// Lists a directory of images without classes, to predict theirs or to learn from images
    /// alone: the only field is `inputs`.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`](crate::FileError::Io), which names the directory; there must be an image.
    pub fn unlabeled(directory: &Path, [rows, columns]: [usize; 2]) -> Result<Self, Error> {
        let paths = images(directory)?;
        let targets = Array::full([paths.len()], 0u32)?;
        let (classes, shape) = (Vec::new(), [3, rows, columns]);
        ImageFolder { paths, targets, classes, shape, fit: Fit::default() }.possible(directory)
    }

    /// Sets how images of another aspect ratio are brought to the size.
    pub fn fit(self, fit: Fit) -> Self {
        ImageFolder { fit, ..self }
    }

    /// Makes images gray: they have one channel instead of three.
    #[doc(alias("grayscale", "color_mode"))]
    pub fn gray(self) -> Self {
        let [_, rows, columns] = self.shape;
        ImageFolder { shape: [1, rows, columns], ..self }
    }

    /// The file of each image.
    #[doc(alias("samples", "imgs", "file_paths"))]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The class of each image, `[n]` in u32, if they have any; no file is read for it.
    pub fn targets(&self) -> Option<&Array> {
        (!self.classes.is_empty()).then_some(&self.targets)
    }

    /// The names of the classes, by index.
    #[doc(alias("class_names", "class_to_idx"))]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Selects the images with these indices, in that order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`] if there is no such image.
    #[doc(alias = "Subset")]
    pub fn rows(&self, indices: &[usize]) -> Result<Self, Error> {
        let path = |&row| self.path(row).map(Path::to_path_buf);
        let paths = indices.iter().map(path).collect::<Result<_, Error>>()?;
        let (targets, classes) = (self.targets.rows(indices)?, self.classes.clone());
        Ok(ImageFolder { paths, targets, classes, shape: self.shape, fit: self.fit })
    }

    /// Decodes every image, and returns the error of each that cannot be: better before a training
    /// than in the middle of it.
    #[doc(alias("verify", "damaged"))]
    pub fn check(&self) -> Vec<Error> {
        let image = |path: &PathBuf| {
            let read = |mut words: Vec<u32>| decode_into(path, self.shape, self.fit, &mut words);
            self.room(1).and_then(read).err()
        };
        self.paths.iter().filter_map(image).collect()
    }

    /// Decodes all images, on all cores with the feature `threads`.
    pub(super) fn decode(&self) -> Result<Array, Error> {
        #[cfg(feature = "threads")]
        use rayon::prelude::*;

        let mut words = self.room(self.paths.len())?;
        let images = words.chunks_exact_mut(self.len_of_one());
        #[cfg(feature = "threads")]
        let images = images.collect::<Vec<_>>().into_par_iter();
        let decoded = images
            .zip(&self.paths)
            .map(|(words, path)| decode_into(path, self.shape, self.fit, words));
        // The first error in the order of the images, whichever thread came upon one first.
        decoded.collect::<Vec<_>>().into_iter().collect::<Result<(), Error>>()?;
        Array::from_words(self.meta(self.paths.len()), words)
    }

    fn path(&self, row: usize) -> Result<&Path, Error> {
        let missing = || {
            let shape = self.meta(self.paths.len()).shape;
            VariableError::Row { row, shape }.into()
        };
        self.paths.get(row).map(PathBuf::as_path).ok_or_else(missing)
    }

    /// Shape and type of so many images.
    fn meta(&self, images: usize) -> Meta {
        let [channels, rows, columns] = self.shape;
        Meta::new([images, channels, rows, columns], DType::F32)
    }

    /// Number of elements of an image.
    fn len_of_one(&self) -> usize {
        self.shape.iter().product()
    }

    /// Memory for so many images.
    fn room(&self, images: usize) -> Result<Vec<u32>, Error> {
        let mut words = Vec::new();
        let reserved =
            images.checked_mul(self.len_of_one()).map(|len| (len, words.try_reserve_exact(len)));
        let Some((len, Ok(()))) = reserved else {
            let [channels, rows, columns] = self.shape;
            let first = self.paths.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
            let message =
                format!("{images} images of {channels}x{rows}x{columns} do not fit in memory");
            return Err(wrong(first, message));
        };
        words.resize(len, 0);
        Ok(words)
    }

    /// Refuses sizes that no image can have.
    fn possible(self, directory: &Path) -> Result<Self, Error> {
        is_possible(directory, self.shape)?;
        Ok(self)
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        let mut fields = vec![("inputs".to_owned(), Meta::new(self.shape, DType::F32))];
        if self.targets().is_some() {
            fields.push(("targets".to_owned(), Meta::new([0; 0], DType::U32)));
        }
        fields
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        let mut words = self.room(rows.len())?;
        for (&row, words) in rows.iter().zip(words.chunks_exact_mut(self.len_of_one())) {
            decode_into(self.path(row)?, self.shape, self.fit, words)?;
        }
        let mut fields = vec![("inputs", Array::from_words(self.meta(rows.len()), words)?)];
        if let Some(targets) = self.targets() {
            fields.push(("targets", targets.rows(rows)?));
        }
        Ok(Batch::new(fields))
    }

    fn array(&self, field: &str) -> Option<&Array> {
        self.targets().filter(|_| field == "targets")
    }

    fn description(&self) -> String {
        format!("images of {:?} by {:?}", self.shape, self.fit)
    }
}

/// Loads a directory in which every class is a subdirectory of images into memory, and the names of the classes.
/// [`ImageFolder`] decodes the same images as they are needed.
///
/// # Errors
///
/// Those of [`ImageFolder::open`], and of [`read`](super::read) for the first image that it cannot read.
#[doc(alias = "image_dataset_from_directory")]
pub fn load(directory: &Path, size: [usize; 2]) -> Result<(Labeled, Vec<String>), Error> {
    let folder = ImageFolder::open(directory, size)?;
    Ok((Labeled::new(folder.decode()?, folder.targets)?, folder.classes))
}

/// The images in a folder and in the folders in it, in order of path: at least one.
fn images(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut images, mut folders, mut seen) =
        (Vec::new(), vec![folder.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        // A folder counts once, so that a link to one above it does not lead on forever.
        let known = folder.canonicalize().map_err(|error| refused(&folder, &error))?;
        if seen.insert(known) {
            let (inner, files): (Vec<_>, Vec<_>) =
                entries(&folder)?.into_iter().partition(|path| path.is_dir());
            images.extend(files.into_iter().filter(|path| is_image(path)));
            folders.extend(inner);
        }
    }
    if images.is_empty() {
        let endings = ENDINGS.join(", ");
        return Err(wrong(folder, format!("expected images ({endings}), found none")));
    }
    images.sort();
    Ok(images)
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

#[cfg(test)]
mod tests;
