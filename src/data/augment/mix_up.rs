//! Linear mixtures.

use super::pairs::Pairs;
use crate::{
    array::Array,
    data::{Batch, Dataset},
    error::Error,
    shape::Meta,
};

/// A data set of which every row is a weighted mean of its inputs and those of a random row of the
/// set, now and then itself.
///
/// A row keeps a share with the distribution Beta(alpha, alpha); share and partner depend only on
/// the seed, the turn and the row. The targets, classes in u32, become the probabilities
/// `[classes]` of each class in f32, mixed alike: their loss is
/// [`CrossEntropy::loss_of_probabilities`](crate::nn::CrossEntropy::loss_of_probabilities). In
/// evaluation, by [`get`](Dataset::get), rows are not mixed, and the probability of their class is
/// 1.
///
/// ```
/// use wgrad::{Array, data::{Dataset, Labeled, augment::MixUp}};
///
/// let inputs = Array::from([[0.0f32], [1.0]]);
/// let data = Labeled::new(inputs, Array::from([0u32, 1]))?;
/// let mixed = MixUp::new(data, 2, 0.4, 7)?;
/// assert_eq!(mixed.get(&[1])?.get("targets"), Some(&Array::from([[0.0f32, 1.0]])));
/// let batch = mixed.draw(&[0, 1], &[3, 3])?;
/// let [inputs, targets] = ["inputs", "targets"].map(|name| batch.get(name).map(Array::to_f64));
/// // Here, the probability of class 1 is the input.
/// assert_eq!(targets.map(|p| vec![p[1], p[3]]), inputs);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Source
///
/// Zhang et al. 2017, who mix each batch with itself; here, the other row may be any of the set.
#[doc(alias = "mixup")]
#[derive(Debug)]
pub struct MixUp<D>(Pairs<D>);

impl<D: Dataset> MixUp<D> {
    /// Mixes the fields `inputs`, in f32, and `targets`, a class in u32; an alpha of 0.2 to 1 is
    /// common.
    ///
    /// # Errors
    ///
    /// [`DataError::NoField`](crate::DataError::NoField);
    /// [`VariableError`](crate::VariableError) if a field has another type, the targets have axes,
    /// or alpha or the number of classes is not positive; when rows are read, for a target that is
    /// not below that number.
    pub fn new(data: D, classes: usize, alpha: f64, seed: u64) -> Result<Self, Error> {
        MixUp::of_fields(["inputs", "targets"], data, classes, alpha, seed)
    }

    /// Mixes the fields of these names.
    ///
    /// # Errors
    ///
    /// Same as [`new`](Self::new).
    pub fn of_fields(
        names: [&str; 2],
        data: D,
        classes: usize,
        alpha: f64,
        seed: u64,
    ) -> Result<Self, Error> {
        Ok(MixUp(Pairs::new("MixUp", names, data, classes, alpha, seed)?))
    }
}

impl<D: Dataset> Dataset for MixUp<D> {
    fn len(&self) -> usize {
        self.0.data().len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        self.0.fields()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        self.0.get(rows)
    }

    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        self.0.draw(rows, turns, |_, _, share, own, other| {
            let (kept, added) = (share as f32, (1.0 - share) as f32);
            own.iter_mut().zip(other).for_each(|(own, other)| *own = kept * *own + added * other);
            share
        })
    }

    fn array(&self, field: &str) -> Option<&Array> {
        self.0.array(field)
    }

    fn description(&self) -> String {
        format!("{}, MixUp of {:?}", self.0.data().description(), self.0)
    }
}
