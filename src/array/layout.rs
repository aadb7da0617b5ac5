//! Parts of arrays, and arrays of parts.

use super::{Array, refused};
use crate::{
    error::{Error, OpError, VariableError},
    extents::{ends, inferred},
    memory,
    shape::{Integers, Meta, Section, Shape, resolve_axis},
};
use std::borrow::Borrow;

impl Array {
    /// The element at these indices, one an axis, as f64, which holds every element exactly.
    ///
    /// # Errors
    ///
    /// [`VariableError::NoElement`].
    #[doc(alias("getitem", "index"))]
    pub fn at(&self, indices: &[usize]) -> Result<f64, Error> {
        let dims = self.shape().dims();
        if indices.len() != dims.len() || indices.iter().zip(dims).any(|(i, dim)| i >= dim) {
            let (indices, shape) = (indices.to_vec(), self.shape().clone());
            return Err(VariableError::NoElement { indices, shape }.into());
        }
        Ok(self.dtype().from_word(self.words[self.shape().index(indices)]))
    }

    /// The same elements, in the same row-major order, with another shape. One extent may be -1: it
    /// follows from the others.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`] if the numbers of elements differ, or an extent is below -1 or
    /// cannot be inferred.
    #[doc(alias("view", "flatten"))]
    pub fn reshape(self, extents: impl Integers) -> Result<Array, Error> {
        let len = self.words.len();
        match inferred(&extents.integers(), len) {
            Ok(shape) if shape.checked_len() == Some(len) => {
                Array::from_words(Meta::new(shape, self.dtype()), self.words)
            }
            Ok(shape) => Err(refused("reshape", &[&self], OpError::Target(shape))),
            Err(reason) => Err(refused("reshape", &[&self], reason)),
        }
    }

    /// A range of one axis, which is kept; a negative axis counts from the last, and negative bounds
    /// from the end of the axis.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`] if there is no such axis, or the range is not in it;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias = "narrow")]
    pub fn slice(&self, axis: i32, range: impl Section) -> Result<Array, Error> {
        let refuse = |reason: OpError| refused("slice", &[self], reason);
        let dims = self.shape().dims();
        let axis = resolve_axis(axis, dims.len()).map_err(|error| refuse(error.into()))?;
        let (extent, step) = (dims[axis], 1);
        let [start, end] = ends(range, extent).map_err(refuse)?;
        if start > end || end > extent {
            return Err(refuse(OpError::Range { start, end, step, extent }));
        }
        let range = start..end;
        let inner = Shape::from(&dims[axis + 1..]).len();
        let mut sliced = dims.to_vec();
        sliced[axis] = range.len();
        let mut words = memory::room(Shape::from(&sliced[..]).len())?;
        if !range.is_empty() && !self.words.is_empty() {
            for block in self.words.chunks_exact(dims[axis] * inner) {
                words.extend_from_slice(&block[range.start * inner..range.end * inner]);
            }
        }
        Array::from_words(Meta::new(sliced, self.dtype()), words)
    }

    /// Returns rows `indices` of the outermost axis, in that order: a mini-batch.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`] for a scalar or an index past the last row;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory) if the result does not fit in
    /// memory.
    pub fn rows(&self, indices: &[usize]) -> Result<Array, Error> {
        let missing = |row| VariableError::Row { row, shape: self.meta.shape.clone() };
        let Some((&count, inner)) = self.meta.shape.dims().split_first() else {
            return Err(missing(indices.first().copied().unwrap_or(0)).into());
        };
        if let Some(&row) = indices.iter().find(|&&row| row >= count) {
            return Err(missing(row).into());
        }
        // Saturates only if there are no rows to take.
        let stride = Shape::from(inner).len();
        let len = indices.len().saturating_mul(stride);
        let mut words = memory::room(len)?;
        for &row in indices {
            words.extend_from_slice(&self.words[row * stride..][..stride]);
        }
        let dims = [&[indices.len()], inner].concat();
        Array::from_words(Meta::new(dims, self.meta.dtype), words)
    }

    /// Joins arrays along an axis that they have; other extents are equal.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`] if there is no array or no such axis, or other extents or element
    /// types differ; [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias("cat", "concatenate"))]
    pub fn concat(arrays: &[impl Borrow<Array>], axis: i32) -> Result<Array, Error> {
        let arrays: Vec<&Array> = arrays.iter().map(Borrow::borrow).collect();
        joined("concat", &arrays, axis, |array| Ok(array.shape().dims().to_vec()))
    }

    /// Joins arrays of one shape along an axis that is new.
    ///
    /// ```
    /// use wgrad::Array;
    ///
    /// let rows = [Array::from([1.0f32, 2.0]), Array::from([3.0f32, 4.0])];
    /// assert_eq!(Array::stack(&rows, 0)?, Array::from([[1.0f32, 2.0], [3.0, 4.0]]));
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`concat`](Self::concat).
    pub fn stack(arrays: &[impl Borrow<Array>], axis: i32) -> Result<Array, Error> {
        let arrays: Vec<&Array> = arrays.iter().map(Borrow::borrow).collect();
        joined("stack", &arrays, axis, |array| {
            let mut dims = array.shape().dims().to_vec();
            dims.insert(resolve_axis(axis, dims.len() + 1)?, 1);
            Ok(dims)
        })
    }
}

/// Joins arrays along an axis, each with the extents that `extents` gives it.
fn joined(
    function: &'static str,
    arrays: &[&Array],
    axis: i32,
    extents: impl Fn(&Array) -> Result<Vec<usize>, OpError>,
) -> Result<Array, Error> {
    let refuse = |reason: OpError| refused(function, arrays, reason);
    let all: Vec<Vec<usize>> =
        arrays.iter().map(|array| extents(array)).collect::<Result<_, _>>().map_err(refuse)?;
    let Some((first, others)) = all.split_first() else {
        return Err(refuse(OpError::Argument("needs at least one array")));
    };
    let axis = resolve_axis(axis, first.len()).map_err(|error| refuse(error.into()))?;
    if arrays.iter().any(|array| array.dtype() != arrays[0].dtype()) {
        return Err(refuse(OpError::DTypes));
    }
    for dims in others {
        let (lhs, rhs) = (first.len(), dims.len());
        if lhs != rhs {
            return Err(refuse(OpError::Extents { what: "numbers of axes", lhs, rhs }));
        }
        let mut pairs = first.iter().zip(dims).enumerate();
        if let Some((_, (&lhs, &rhs))) = pairs.find(|&(at, (a, b))| at != axis && a != b) {
            return Err(refuse(OpError::Extents { what: "extents", lhs, rhs }));
        }
    }
    let mut dims = first.clone();
    let sum = all.iter().try_fold(0usize, |sum, dims| sum.checked_add(dims[axis]));
    dims[axis] = sum.ok_or_else(|| refuse(OpError::TooLarge))?;
    let mut words = memory::room(arrays.iter().map(|array| array.words.len()).sum())?;
    // Without elements there may be any number of blocks.
    let blocks = if words.capacity() == 0 { 0 } else { Shape::from(&dims[..axis]).len() };
    for block in 0..blocks {
        for array in arrays {
            let len = array.words.len() / blocks;
            words.extend_from_slice(&array.words[block * len..][..len]);
        }
    }
    Array::from_words(Meta::new(dims, arrays[0].dtype()), words)
}
