//! Tensors of the reference: every element in f64.

use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    shape::{Meta, Shape},
};

/// A tensor in f64, whatever its element type: every i32, u32, bool, f16 and f32 is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Array64 {
    /// Shape and element type it stands for.
    pub meta: Meta,
    /// Elements in row-major order.
    pub data: Vec<f64>,
}

impl Array64 {
    /// The element at each coordinate.
    pub fn from_fn(meta: Meta, f: impl FnMut(Vec<usize>) -> f64) -> Self {
        let data = meta.shape.coordinates().map(f).collect();
        Array64 { meta, data }
    }

    /// `f` of each element, as a tensor of this type.
    pub fn map(&self, dtype: DType, f: impl FnMut(f64) -> f64) -> Self {
        let data = self.data.iter().copied().map(f).collect();
        Array64 { meta: Meta { shape: self.shape().clone(), dtype }, data }
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.meta.shape
    }

    /// The element at a coordinate.
    pub fn at(&self, coordinate: &[usize]) -> f64 {
        self.data[self.meta.shape.index(coordinate)]
    }

    /// Rounded to its element type, as a host array.
    ///
    /// # Errors
    ///
    /// None in practice: the lengths agree.
    pub fn to_array(&self) -> Result<Array, Error> {
        Array::from_f64(self.meta.clone(), &self.data)
    }
}

impl From<&Array> for Array64 {
    fn from(array: &Array) -> Self {
        Array64 { meta: array.meta().clone(), data: array.to_f64() }
    }
}
