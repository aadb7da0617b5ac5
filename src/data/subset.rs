//! Some rows of a data set.

use super::{Batch, Dataset, Random};
use crate::{
    error::{Error, VariableError},
    shape::{Meta, Shape},
};

/// Some rows of a data set, in an order of their own, without a copy.
///
/// Where the set is augmented, each row is transformed as in the whole set. A training never keeps a
/// subset on its device; [`ArrayDataset::rows`](super::ArrayDataset::rows) copies rows to a set that it
/// may keep.
///
/// ```
/// use wgrad::{Array, data::{ArrayDataset, Dataset, Split, Subset}};
///
/// let data = ArrayDataset::new([("x", Array::from([10.0f32, 11.0, 12.0, 13.0]))])?;
/// let [held, rest] = Split::rows(data.len()).parts([0.25, 0.75])?;
/// let (test, train) = (Subset::new(&data, held)?, Subset::new(&data, rest)?);
/// assert_eq!((test.len(), train.len()), (1, 3));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias = "torch.utils.data.Subset")]
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    rows: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The rows of these indices. One may occur more than once.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`] if there is no such row.
    pub fn new(data: D, rows: Vec<usize>) -> Result<Self, Error> {
        let len = data.len();
        match rows.iter().find(|&&row| row >= len) {
            Some(&row) => Err(VariableError::Row { row, shape: Shape::from([len]) }.into()),
            None => Ok(Subset { data, rows }),
        }
    }

    /// The indices in the whole set.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    fn in_whole(&self, rows: &[usize]) -> Result<Vec<usize>, Error> {
        let whole = |&row: &usize| {
            let shape = || Shape::from([self.rows.len()]);
            self.rows.get(row).copied().ok_or_else(|| VariableError::Row { row, shape: shape() })
        };
        Ok(rows.iter().map(whole).collect::<Result<_, _>>()?)
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        self.data.fields()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        self.data.get(&self.in_whole(rows)?)
    }

    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        self.data.draw(&self.in_whole(rows)?, turns)
    }

    fn is_in_memory(&self) -> bool {
        self.data.is_in_memory()
    }

    fn description(&self) -> String {
        let rows: Vec<u64> = self.rows.iter().map(|&row| row as u64).collect();
        let hash = Random::new(&rows).next();
        format!("{}, {} rows ({hash:016x})", self.data.description(), rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array::Array, data::ArrayDataset};

    #[test]
    fn rows_are_those_of_the_whole() -> Result<(), Error> {
        let data = ArrayDataset::new([("x", Array::from([5u32, 6, 7]))])?;
        let subset = Subset::new(&data, vec![2, 0, 2])?;
        let batch = subset.get(&[2, 1])?;
        assert_eq!(batch.get("x"), Some(&Array::from([7u32, 5])));
        assert_eq!(subset.draw(&[2, 1], &[4, 4])?, batch);
        let error = Subset::new(&data, vec![3]).expect_err("there are three").to_string();
        assert_eq!(error, "row 3 does not exist: the array [3] has 3 rows");
        assert!(subset.get(&[3]).is_err());
        Ok(())
    }
}
