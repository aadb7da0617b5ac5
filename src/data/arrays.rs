//! Data sets in memory.

use super::{Batch, Dataset};
use crate::{
    array::Array,
    error::{Error, VariableError},
    shape::Meta,
};

/// Rows of any named arrays: several inputs, several targets, of any type.
///
/// ```
/// use wgrad::{Array, data::{ArrayDataset, Dataset}};
///
/// let x = Array::from([[0.0f32, 1.0], [2.0, 3.0], [4.0, 5.0]]);
/// let y = Array::from([[1.0f32], [5.0], [9.0]]);
/// let data = ArrayDataset::new([("x", x), ("y", y)])?;
/// let batch = data.get(&[2, 0])?;
/// assert_eq!(batch.get("y"), Some(&Array::from([[9.0f32], [1.0]])));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("TensorDataset", "from_tensor_slices"))]
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayDataset {
    /// Not empty; all with as many rows.
    fields: Vec<(String, Array)>,
}

impl ArrayDataset {
    /// Combines arrays with a row for each example.
    ///
    /// # Errors
    ///
    /// [`VariableError::Fields`] if they differ in their number of rows, if one is a scalar, if two
    /// have one name, or if there are none.
    pub fn new<N: Into<String>>(
        fields: impl IntoIterator<Item = (N, Array)>,
    ) -> Result<Self, Error> {
        let data = ArrayDataset::trusted(fields);
        let rows = |array: &Array| array.shape().dims().first().copied();
        let expected = data.fields.first().and_then(|(_, array)| rows(array));
        let is_wrong = |index: usize| {
            let (name, array) = &data.fields[index];
            expected.is_none()
                || rows(array) != expected
                || data.fields[..index].iter().any(|(known, _)| known == name)
        };
        if data.fields.is_empty() || (0..data.fields.len()).any(is_wrong) {
            let fields = data.fields.iter();
            let fields = fields.map(|(name, array)| (name.clone(), array.meta().clone())).collect();
            return Err(VariableError::Fields { fields }.into());
        }
        Ok(data)
    }

    pub(super) fn trusted<N: Into<String>>(fields: impl IntoIterator<Item = (N, Array)>) -> Self {
        let fields = fields.into_iter().map(|(name, array)| (name.into(), array));
        ArrayDataset { fields: fields.collect() }
    }

    /// Selects the rows with these indices, in that order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`] if there is no such row.
    #[doc(alias = "Subset")]
    pub fn rows(&self, indices: &[usize]) -> Result<Self, Error> {
        let chosen = |(name, array): &(String, Array)| Ok((name.clone(), array.rows(indices)?));
        let fields = self.fields.iter().map(chosen).collect::<Result<_, Error>>()?;
        Ok(ArrayDataset { fields })
    }
}

impl Dataset for ArrayDataset {
    fn len(&self) -> usize {
        self.fields.first().and_then(|(_, array)| array.shape().dims().first()).map_or(0, |&n| n)
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        self.fields.iter().map(|(name, array)| super::field((name, array))).collect()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        Ok(Batch::new(self.rows(rows)?.fields))
    }

    fn array(&self, field: &str) -> Option<&Array> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, array)| array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_as_many_rows() -> Result<(), Error> {
        let (three, two) = (Array::new([3, 1], &[0.5f32; 3])?, Array::new([2], &[1u32; 2])?);
        let refused = |fields: &[(&str, &Array)]| {
            let fields = fields.iter().map(|&(name, array)| (name, array.clone()));
            ArrayDataset::new(fields).expect_err("they do not fit").to_string()
        };
        let text = "fields x [3, 1] f32, y [2] u32 are no data set: expected names of their own, and \
                    as many rows";
        assert_eq!(refused(&[("x", &three), ("y", &two)]), text);
        assert!(refused(&[("x", &Array::scalar(1.0f32))]).starts_with("field x [] f32 is no data"));
        assert!(
            refused(&[("x", &two), ("x", &two)]).starts_with("fields x [2] u32, x [2] u32 are")
        );
        assert!(refused(&[]).starts_with("no fields are no data set"));
        let data = ArrayDataset::new([("x", three.clone()), ("y", three)])?;
        assert_eq!((data.len(), data.is_empty()), (3, false));
        let error = data.get(&[3]).expect_err("there are three").to_string();
        assert_eq!(error, "row 3 does not exist: the array [3, 1] has 3 rows");
        Ok(())
    }
}
