//! Data sets and mini-batches.

#[cfg(feature = "files")]
pub mod digits;
#[cfg(feature = "files")]
pub mod idx;
#[cfg(feature = "files")]
pub mod images;
mod loader;
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
#[doc(alias = "TensorDataset")]
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    inputs: Array,
    targets: Array,
}

impl Dataset {
    /// Combines inputs `[n, ..]` in f32 with targets `[n]` in u32.
    ///
    /// # Errors
    ///
    /// [`VariableError::Mismatch`] for other types, [`VariableError::Length`] if the numbers of
    /// targets and inputs differ.
    pub fn new(inputs: Array, targets: Array) -> Result<Self, Error> {
        for (name, array, dtype) in
            [("inputs", &inputs, DType::F32), ("targets", &targets, DType::U32)]
        {
            let is = array.meta().clone();
            if is.dtype != dtype {
                let expected = Meta::new(&is.shape, dtype);
                return Err(VariableError::Mismatch { path: name.into(), expected, is }.into());
            }
        }
        let shape = inputs.shape().dims().get(..1).unwrap_or_default();
        if targets.shape().dims() != shape {
            let len = targets.shape().len();
            return Err(VariableError::Length { len, shape: shape.into() }.into());
        }
        Ok(Dataset { inputs, targets })
    }

    /// Number of inputs.
    pub fn len(&self) -> usize {
        self.targets.shape().len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All inputs, f32.
    pub fn inputs(&self) -> &Array {
        &self.inputs
    }

    /// The target of each input: its class, u32.
    pub fn targets(&self) -> &Array {
        &self.targets
    }

    /// Selects the rows with these indices, in that order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] if an index is past the last image.
    #[doc(alias = "Subset")]
    pub fn rows(&self, indices: &[usize]) -> Result<Dataset, Error> {
        Ok(Dataset { inputs: self.inputs.rows(indices)?, targets: self.targets.rows(indices)? })
    }

    /// Holds out a fraction of every class: returns the rest and the held-out images.
    ///
    /// The same images are held out in every run, regardless of the training seed, so that results
    /// are comparable: each class is shuffled with a fixed key, and its first `fraction`, rounded
    /// to the nearest image, is held out. Both parts keep the order of the set.
    ///
    /// # Errors
    ///
    /// None in practice: all indices are valid.
    #[doc(alias("random_split", "train_test_split"))]
    pub fn split(&self, fraction: f64) -> Result<(Dataset, Dataset), Error> {
        let targets = self.targets.words();
        let mut held = vec![false; targets.len()];
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, &class) in targets.iter().enumerate() {
            classes.entry(class).or_default().push(index);
        }
        for (class, members) in classes {
            let count = (members.len() as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
            for index in permutation(members.len(), u64::from(class)).into_iter().take(count) {
                held[members[index]] = true;
            }
        }
        let chosen = |wanted| -> Vec<usize> {
            (0..targets.len()).filter(|&index| held[index] == wanted).collect()
        };
        Ok((self.rows(&chosen(false))?, self.rows(&chosen(true))?))
    }
}

/// Converts an I/O error of a file.
#[cfg(feature = "files")]
fn refused(path: &std::path::Path, error: &std::io::Error) -> Error {
    crate::error::FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_class_of_its_own() -> Result<(), Error> {
        let targets = [u32::MAX, 7, 3_000_000_000, 7, u32::MAX, 7, u32::MAX, 7];
        let inputs: Vec<f32> = (0u8..8).map(f32::from).collect();
        let data = Dataset::new(Array::new([8, 1], &inputs)?, Array::new([8], &targets)?)?;
        let (rest, held) = data.split(0.5)?;
        let count = |data: &Dataset, class| {
            data.targets().words().iter().filter(|&&label| label == class).count()
        };
        assert_eq!([count(&held, 7), count(&held, u32::MAX)], [2, 2]);
        assert_eq!(rest.len() + held.len(), 8);
        Ok(())
    }
}
