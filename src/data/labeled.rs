//! Inputs and the class of each.

use super::{ArrayDataset, Batch, Dataset, Split};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, VariableError},
    shape::Meta,
};

/// Inputs and the class of each: the fields `inputs`, in f32, and `targets`, in u32.
#[derive(Clone, Debug, PartialEq)]
pub struct Labeled {
    inputs: Array,
    targets: Array,
}

impl Labeled {
    /// Combines inputs `[n, ..]` in f32 with targets `[n]` in u32.
    ///
    /// # Errors
    ///
    /// [`VariableError::ElementType`] for other types, [`VariableError::Targets`] if there is not
    /// one target for each input.
    pub fn new(inputs: Array, targets: Array) -> Result<Self, Error> {
        for (of, array, expected) in
            [("the inputs hold", &inputs, DType::F32), ("the targets hold", &targets, DType::U32)]
        {
            let is = array.dtype();
            if is != expected {
                return Err(VariableError::ElementType { of, expected, is }.into());
            }
        }
        if inputs.shape().rank() == 0 || targets.shape().dims() != &inputs.shape().dims()[..1] {
            let (inputs, targets) = (inputs.shape().clone(), targets.shape().clone());
            return Err(VariableError::Targets { inputs, targets }.into());
        }
        Ok(Labeled { inputs, targets })
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
    /// [`VariableError::Row`] if an index is past the last image.
    #[doc(alias = "Subset")]
    pub fn rows(&self, indices: &[usize]) -> Result<Labeled, Error> {
        Ok(Labeled { inputs: self.inputs.rows(indices)?, targets: self.targets.rows(indices)? })
    }

    /// Holds out a fraction of every class: returns the rest and the held-out images.
    ///
    /// The same images are held out in every run, regardless of the training seed, so that results
    /// are comparable: it is a [`Split::by_class`] with seed 0. Both parts keep the order of the set.
    ///
    /// # Errors
    ///
    /// [`DataError::Fractions`](crate::DataError::Fractions) unless the fraction is from 0 to 1.
    #[doc(alias("random_split", "train_test_split"))]
    pub fn split(&self, fraction: f64) -> Result<(Labeled, Labeled), Error> {
        let [held, rest] =
            Split::by_class(self.targets.words()).parts([fraction, 1.0 - fraction])?;
        Ok((self.rows(&rest)?, self.rows(&held)?))
    }
}

impl Dataset for Labeled {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        [("inputs", &self.inputs), ("targets", &self.targets)].map(super::field).into()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        let Labeled { inputs, targets } = self.rows(rows)?;
        Ok(Batch::new([("inputs", inputs), ("targets", targets)]))
    }

    fn array(&self, field: &str) -> Option<&Array> {
        match field {
            "inputs" => Some(&self.inputs),
            "targets" => Some(&self.targets),
            _ => None,
        }
    }
}

impl From<Labeled> for ArrayDataset {
    fn from(Labeled { inputs, targets }: Labeled) -> Self {
        ArrayDataset::trusted([("inputs", inputs), ("targets", targets)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_data_set_says_why() -> Result<(), Error> {
        let (three, two) = (Array::new([3, 1], &[0.5f32; 3])?, Array::new([2], &[1u32; 2])?);
        let text = |inputs: &Array, targets: &Array| {
            let made = Labeled::new(inputs.clone(), targets.clone());
            made.expect_err("it does not fit").to_string()
        };
        let counts = "targets [2] do not fit inputs [3, 1]: expected one for each, [3]";
        assert_eq!(text(&three, &two), counts);
        let scalar = "targets [2] do not fit inputs []: expected one for each, and a scalar is no \
                      list of inputs";
        assert_eq!(text(&Array::scalar(1.0f32), &two), scalar);
        assert_eq!(text(&two, &two), "the inputs hold u32, not f32");
        assert_eq!(text(&three, &three), "the targets hold f32, not u32");
        let data = Labeled::new(three, Array::new([3], &[1u32; 3])?)?;
        let error = data.rows(&[3]).expect_err("there are three").to_string();
        assert_eq!(error, "row 3 does not exist: the array [3, 1] has 3 rows");
        Ok(())
    }

    #[test]
    fn any_number_is_a_class_of_its_own() -> Result<(), Error> {
        let targets = [u32::MAX, 7, 3_000_000_000, 7, u32::MAX, 7, u32::MAX, 7];
        let inputs: Vec<f32> = (0u8..8).map(f32::from).collect();
        let data = Labeled::new(Array::new([8, 1], &inputs)?, Array::new([8], &targets)?)?;
        let (rest, held) = data.split(0.5)?;
        let count = |data: &Labeled, class| {
            data.targets().words().iter().filter(|&&label| label == class).count()
        };
        assert_eq!([count(&held, 7), count(&held, u32::MAX)], [2, 2]);
        assert_eq!(rest.len() + held.len(), 8);
        Ok(())
    }
}
