//! Data sets and mini-batches.

#[cfg(feature = "files")]
pub mod digits;
#[cfg(feature = "files")]
pub mod idx;
mod loader;
#[cfg(feature = "files")]
pub mod pictures;
#[cfg(feature = "files")]
pub mod series;
mod shuffle;

pub use loader::{Loader, sizes};
pub use shuffle::permutation;

use crate::{
    array::Array,
    dtype::DType,
    error::{Error, VariableError},
    shape::Meta,
};
use std::collections::BTreeMap;

/// Images and their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    images: Array,
    labels: Array,
}

impl Dataset {
    /// Of images `[n, ..]` in f32, and labels `[n]` in u32.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] where the types are others, [`VariableError::Length`] where
    /// there are not as many labels as images.
    pub fn new(images: Array, labels: Array) -> Result<Self, Error> {
        for (name, array, dtype) in
            [("images", &images, DType::F32), ("labels", &labels, DType::U32)]
        {
            let is = array.meta().clone();
            if is.dtype != dtype {
                let expected = Meta::new(&is.shape, dtype);
                return Err(VariableError::Mismatch { path: name.into(), expected, is }.into());
            }
        }
        let shape = images.shape().dims().get(..1).unwrap_or_default();
        if labels.shape().dims() != shape {
            let len = labels.shape().len();
            return Err(VariableError::Length { len, shape: shape.into() }.into());
        }
        Ok(Dataset { images, labels })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.shape().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every image, f32.
    pub fn images(&self) -> &Array {
        &self.images
    }

    /// The class of every image, u32.
    pub fn labels(&self) -> &Array {
        &self.labels
    }

    /// The images of these indices, in that order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] where an index is past the last image.
    pub fn rows(&self, indices: &[usize]) -> Result<Dataset, Error> {
        Ok(Dataset { images: self.images.rows(indices)?, labels: self.labels.rows(indices)? })
    }

    /// Splits off a share of every class: the rest, and what was held out.
    ///
    /// The same images are held out in every run, whatever seed the training has, so that
    /// results compare: each class is shuffled with a fixed key, and its first `fraction`,
    /// rounded to the nearest image, is held out. Both parts keep the order of the set.
    ///
    /// # Errors
    ///
    /// None in practice: every index is one of this set.
    pub fn split(&self, fraction: f64) -> Result<(Dataset, Dataset), Error> {
        let labels = self.labels.words();
        let mut held = vec![false; labels.len()];
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, &class) in labels.iter().enumerate() {
            classes.entry(class).or_default().push(index);
        }
        for (class, members) in classes {
            let count = (members.len() as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
            for index in permutation(members.len(), u64::from(class)).into_iter().take(count) {
                held[members[index]] = true;
            }
        }
        let chosen = |wanted| -> Vec<usize> {
            (0..labels.len()).filter(|&index| held[index] == wanted).collect()
        };
        Ok((self.rows(&chosen(false))?, self.rows(&chosen(true))?))
    }
}

/// What the system said of a file.
#[cfg(feature = "files")]
fn refused(path: &std::path::Path, error: &std::io::Error) -> Error {
    crate::error::FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_class_of_its_own() -> Result<(), Error> {
        let labels = [u32::MAX, 7, 3_000_000_000, 7, u32::MAX, 7, u32::MAX, 7];
        let images: Vec<f32> = (0u8..8).map(f32::from).collect();
        let data = Dataset::new(Array::new([8, 1], &images)?, Array::new([8], &labels)?)?;
        let (rest, held) = data.split(0.5)?;
        let count = |data: &Dataset, class| {
            data.labels().words().iter().filter(|&&label| label == class).count()
        };
        assert_eq!([count(&held, 7), count(&held, u32::MAX)], [2, 2]);
        assert_eq!(rest.len() + held.len(), 8);
        Ok(())
    }
}
