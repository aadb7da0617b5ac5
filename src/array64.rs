//! Tensors of the reference interpreter: every element in f64.

use crate::{
    array::Array,
    brief::Brief,
    dtype::DType,
    error::Error,
    memory,
    shape::{Meta, Shape},
};
use std::fmt;

/// A tensor held in f64 whatever its type: f64 represents every i32, u32, bool, f16 and f32.
#[derive(Clone, PartialEq)]
pub struct Array64 {
    /// The shape and element type it represents.
    pub meta: Meta,
    /// Elements in row-major order.
    pub data: Vec<f64>,
}

impl fmt::Debug for Array64 {
    /// Writes type and first elements, as for an [`Array`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array64({}: {:?})", self.meta, Brief::new(&self.data))
    }
}

impl Array64 {
    /// Creates a tensor by evaluating `f` at each coordinate.
    pub fn from_fn(meta: Meta, f: impl FnMut(Vec<usize>) -> f64) -> Self {
        let data = meta.shape.coordinates().map(f).collect();
        Array64 { meta, data }
    }

    /// Applies `f` to each element; the result has this element type.
    pub fn map(&self, dtype: DType, f: impl FnMut(f64) -> f64) -> Self {
        let data = self.data.iter().copied().map(f).collect();
        Array64 { meta: Meta { shape: self.shape().clone(), dtype }, data }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.meta.shape
    }

    /// Returns the element at a coordinate.
    pub fn at(&self, coordinate: &[usize]) -> f64 {
        self.data[self.meta.shape.index(coordinate)]
    }

    /// Rounds to the element type, and returns a host array.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub fn to_array(&self) -> Result<Array, Error> {
        Array::from_f64(self.meta.clone(), &self.data)
    }
}

impl Array64 {
    /// The same tensor in f64.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub(crate) fn of(array: &Array) -> Result<Self, Error> {
        let values = array.words().iter().map(|&word| array.dtype().from_word(word));
        Ok(Array64 { meta: array.meta().clone(), data: memory::collected(values)? })
    }

    /// A copy.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        Ok(Array64 { meta: self.meta.clone(), data: memory::copied(&self.data)? })
    }
}

impl From<&Array> for Array64 {
    fn from(array: &Array) -> Self {
        Array64 { meta: array.meta().clone(), data: array.to_f64() }
    }
}
