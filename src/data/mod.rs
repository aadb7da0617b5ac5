//! Data sets and mini-batches.
//!
//! A [`Dataset`] has rows, each of the same named fields, and returns any of them as a [`Batch`].
//! [`ArrayDataset`] has them in memory, [`Labeled`] those of a classifier; a [`Subset`] is some rows of
//! another set, as a [`Split`] chooses them. A [`Stream`] has its rows one after another. A [`Loader`]
//! draws batches, in an order that a [`Sampling`] says; a [`Trainer`](crate::train::Trainer) does so itself.

pub(crate) mod ahead;
mod arrays;
#[doc(alias("torchvision", "transforms", "augmentation"))]
pub mod augment;
#[cfg(feature = "files")]
pub mod cifar;
#[cfg(feature = "files")]
pub mod digits;
pub(crate) mod draws;
#[cfg(feature = "files")]
mod gzip;
#[cfg(feature = "files")]
pub mod idx;
#[cfg(feature = "files")]
pub mod images;
mod labeled;
mod loader;
#[cfg(feature = "files")]
pub mod npy;
mod random;
mod sampling;
#[cfg(feature = "files")]
pub mod series;
mod split;
mod stream;
mod subset;
#[cfg(feature = "files")]
pub mod table;
mod taps;
#[cfg(feature = "files")]
pub mod text;

pub use arrays::ArrayDataset;
pub use labeled::Labeled;
pub(crate) use loader::default_workers;
pub use loader::{Loader, sizes};
pub use random::{Random, permutation};
pub use sampling::Sampling;
pub use split::{Fold, Split};
pub(crate) use stream::batches;
pub use stream::{Pieces, ShuffleBuffer, Stream};
pub use subset::Subset;

use crate::{
    array::Array,
    error::{DataError, Error},
    shape::Meta,
    value::Feed,
};
use std::sync::Arc;

/// Rows of named fields: what a training draws its batches from.
///
/// ```
/// use wgrad::{Array, DType, Error, Meta, data::{Batch, Dataset}};
///
/// /// Numbers and their squares, made when they are asked for.
/// struct Squares(usize);
///
/// impl Dataset for Squares {
///     fn len(&self) -> usize {
///         self.0
///     }
///
///     fn fields(&self) -> Vec<(String, Meta)> {
///         ["x", "square"].map(|name| (name.to_owned(), Meta::new([1], DType::F32))).into()
///     }
///
///     fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
///         let x: Vec<f32> = rows.iter().map(|&row| row as f32).collect();
///         let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
///         let shape = [rows.len(), 1];
///         Ok(Batch::new([("x", Array::new(shape, &x)?), ("square", Array::new(shape, &squares)?)]))
///     }
/// }
///
/// assert_eq!(Squares(9).get(&[3, 5])?.get("square"), Some(&Array::from([[9.0f32], [25.0]])));
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("torch.utils.data.Dataset", "tf.data.Dataset"))]
pub trait Dataset: Send + Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the fields, and the shape and type that each has in one row: a batch has one axis
    /// more, in front.
    ///
    /// Programs are compiled for batches of these before the first step. A batch may have other
    /// shapes, as sequences padded to the longest of them do: its program is compiled when it comes.
    fn fields(&self) -> Vec<(String, Meta)>;

    /// The rows with these indices, in that order. The same indices give the same rows every time.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`](crate::VariableError::Row) if there is no such row; those of reading it.
    fn get(&self, rows: &[usize]) -> Result<Batch, Error>;

    /// The same rows as a training sees them: a set that is augmented returns others in each turn. That
    /// of each row is the epoch, counted from 1, or another number if it was drawn before in the epoch.
    /// The same turn gives the same row, whatever else is in the batch.
    ///
    /// # Errors
    ///
    /// Same as [`get`](Self::get).
    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        let _ = turns;
        self.get(rows)
    }

    /// All rows of a field, if they are in memory as [`get`](Self::get) and [`draw`](Self::draw) return
    /// them: their indices are then checked before the first step, and a training may keep them on its
    /// device.
    fn array(&self, field: &str) -> Option<&Array> {
        let _ = field;
        None
    }

    /// Whether rows are only copied when they are asked for: no worker is needed for that.
    fn is_in_memory(&self) -> bool {
        self.fields().iter().all(|(name, _)| self.array(name).is_some())
    }

    /// How the rows are made: the seed and the settings of transforms, for instance. A training resumes
    /// [exactly](crate::train::Resume::Exact) only with data of the same description.
    fn description(&self) -> String {
        "as they are".to_owned()
    }
}

/// The methods of the set that this refers to.
macro_rules! forwarded {
    ($($Type:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $Type {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn fields(&self) -> Vec<(String, Meta)> {
                (**self).fields()
            }

            fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
                (**self).get(rows)
            }

            fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
                (**self).draw(rows, turns)
            }

            fn array(&self, field: &str) -> Option<&Array> {
                (**self).array(field)
            }

            fn is_in_memory(&self) -> bool {
                (**self).is_in_memory()
            }

            fn description(&self) -> String {
                (**self).description()
            }
        }
    )*};
}
forwarded!(&D, Box<D>, Arc<D>);

/// Some rows of a data set: an array a field, all with as many rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    fields: Vec<(String, Array)>,
}

impl Batch {
    /// A batch of these fields.
    pub fn new<N: Into<String>>(fields: impl IntoIterator<Item = (N, Array)>) -> Self {
        Batch { fields: fields.into_iter().map(|(name, array)| (name.into(), array)).collect() }
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.iter().find(|(known, _)| *known == name).map(|(_, array)| array)
    }

    /// Names and arrays, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Array)> {
        self.fields.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Number of rows: that of the first field; 0 without fields.
    pub fn len(&self) -> usize {
        self.iter()
            .next()
            .and_then(|(_, array)| array.shape().dims().first())
            .map_or(0, |&rows| rows)
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows `begin` to below `end`.
    ///
    /// # Errors
    ///
    /// Those of [`Array::slice`].
    pub(crate) fn section(&self, begin: usize, end: usize) -> Result<Batch, Error> {
        let section = |(name, array): (&str, &Array)| {
            Ok::<_, Error>((name.to_owned(), array.slice(0, begin..end)?))
        };
        Ok(Batch { fields: self.iter().map(section).collect::<Result<_, _>>()? })
    }

    /// All rows of these batches, which have the fields of the first.
    ///
    /// # Errors
    ///
    /// [`DataError::NoField`](crate::DataError::NoField); those of [`Array::concat`].
    pub(crate) fn concat(mut batches: Vec<Batch>) -> Result<Batch, Error> {
        let first = match batches.len() {
            0 | 1 => return Ok(batches.pop().unwrap_or(Batch { fields: vec![] })),
            _ => &batches[0],
        };
        let joined = |(name, _): (&str, &Array)| {
            let parts = batches.iter().map(|batch| batch.expect(name));
            let parts = parts.collect::<Result<Vec<_>, Error>>()?;
            Ok::<_, Error>((name.to_owned(), Array::concat(&parts, 0)?))
        };
        Ok(Batch { fields: first.iter().map(joined).collect::<Result<_, _>>()? })
    }

    /// The field of this name, or an error that has those there are.
    pub(crate) fn expect(&self, name: &str) -> Result<&Array, Error> {
        let known = || self.iter().map(|(name, _)| name.to_owned()).collect();
        let missing = || DataError::NoField { name: name.to_owned(), known: known() };
        Ok(self.get(name).ok_or_else(missing)?)
    }

    /// The fields as inputs of [`Program::run`](crate::Program::run).
    pub fn feeds(&self) -> Vec<(&str, &dyn Feed)> {
        self.iter().map(|(name, array)| (name, array as &dyn Feed)).collect()
    }
}

/// Name, and shape and type of a row, of all rows of a field.
fn field((name, all): (&str, &Array)) -> (String, Meta) {
    let row = all.shape().dims().get(1..).unwrap_or_default();
    (name.to_owned(), Meta::new(row, all.dtype()))
}

/// Converts an I/O error of a file.
#[cfg(feature = "files")]
fn refused(path: &std::path::Path, error: &std::io::Error) -> Error {
    crate::error::FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}
