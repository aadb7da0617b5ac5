//! Host tensors.

use crate::{
    dtype::DType,
    error::{Error, VariableError},
    memory,
    shape::{Meta, Shape},
};
use half::f16;

/// A host tensor: a shape and its elements in row-major order.
#[doc(alias = "ndarray")]
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    meta: Meta,
    /// One word per element, as written by [`DType::to_word`].
    words: Vec<u32>,
}

/// A Rust type that can be an element of an [`Array`].
pub trait Element: Copy + Send + Sync + 'static {
    /// The corresponding element type.
    const DTYPE: DType;
    /// The word that stores this value.
    fn to_word(self) -> u32;
    /// The value stored in a word.
    fn from_word(word: u32) -> Self;
}

macro_rules! element {
    ($Type:ty, $dtype:ident, |$x:ident| $to:expr, |$word:ident| $from:expr) => {
        impl Element for $Type {
            const DTYPE: DType = DType::$dtype;
            fn to_word(self) -> u32 {
                let $x = self;
                $to
            }
            fn from_word($word: u32) -> Self {
                $from
            }
        }
    };
}
element!(f32, F32, |x| x.to_bits(), |word| f32::from_bits(word));
element!(f16, F16, |x| x.to_f32().to_bits(), |word| f16::from_f32(f32::from_bits(word)));
element!(i32, I32, |x| x as u32, |word| word as i32);
element!(u32, U32, |x| x, |word| word);
element!(bool, Bool, |x| u32::from(x), |word| word != 0);

impl Array {
    /// Creates a tensor from its elements.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] unless the number of elements matches the shape;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias = "from_numpy")]
    pub fn new<T: Element>(shape: impl Into<Shape>, elements: &[T]) -> Result<Self, Error> {
        let words = memory::collected(elements.iter().map(|&x| x.to_word()))?;
        Array::from_words(Meta::new(shape, T::DTYPE), words)
    }

    /// Creates a scalar.
    pub fn scalar<T: Element>(x: T) -> Self {
        Array { meta: Meta::new(Shape::scalar(), T::DTYPE), words: vec![x.to_word()] }
    }

    /// Creates a tensor from its words, one per element.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] unless the number of words matches the shape.
    pub fn from_words(meta: Meta, words: Vec<u32>) -> Result<Self, Error> {
        if meta.shape.checked_len() != Some(words.len()) {
            return Err(VariableError::Length { len: words.len(), shape: meta.shape }.into());
        }
        Ok(Array { meta, words })
    }

    /// Creates a tensor from these values, each rounded to the element type of `meta`.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] unless the number of values matches the shape;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub fn from_f64(meta: Meta, values: &[f64]) -> Result<Self, Error> {
        let words = memory::collected(values.iter().map(|&x| meta.dtype.to_word(x)))?;
        Array::from_words(meta, words)
    }

    /// Creates a tensor from the value at each row-major index, rounded to the element type.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub(crate) fn from_values(meta: &Meta, value: impl Fn(usize) -> f64) -> Result<Self, Error> {
        let words = (0..meta.shape.len()).map(|index| meta.dtype.to_word(value(index)));
        Ok(Array { meta: meta.clone(), words: memory::collected(words)? })
    }

    /// A copy.
    ///
    /// # Errors
    ///
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        Ok(Array { meta: self.meta.clone(), words: memory::copied(&self.words)? })
    }

    /// Its shape and element type.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.meta.shape
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.meta.dtype
    }

    /// Its elements, one word each.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Its elements, one word each, without a copy.
    pub(crate) fn into_words(self) -> Vec<u32> {
        self.words
    }

    /// Returns the elements as a vector.
    ///
    /// # Errors
    ///
    /// [`VariableError::ElementType`] if the tensor has another one;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias("numpy", "tolist"))]
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if T::DTYPE != self.meta.dtype {
            let (expected, is) = (T::DTYPE, self.meta.dtype);
            let of = "the array holds";
            return Err(VariableError::ElementType { of, expected, is }.into());
        }
        Ok(memory::collected(self.words.iter().map(|&word| T::from_word(word)))?)
    }

    /// Returns the elements as f64, whatever their type.
    pub fn to_f64(&self) -> Vec<f64> {
        self.words.iter().map(|&word| self.meta.dtype.from_word(word)).collect()
    }

    /// Returns the only element as f64, or `None` if there is not exactly one.
    pub fn item(&self) -> Option<f64> {
        match *self.words {
            [word] => Some(self.meta.dtype.from_word(word)),
            _ => None,
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_what_they_are() -> Result<(), Error> {
        let array = Array::new([2], &[1.0f32, 2.0])?;
        assert_eq!(array.to_vec::<f32>()?, [1.0, 2.0]);
        let error = array.to_vec::<u32>().expect_err("they are f32").to_string();
        assert_eq!(error, "the array holds f32, not u32");
        let error = Array::new([2, 2], &[1.0f32; 5]).expect_err("it takes four").to_string();
        assert_eq!(error, "5 values cannot fill [2, 2], which takes 4");
        Ok(())
    }

    #[test]
    fn rows_of_any_shape() -> Result<(), Error> {
        let three = Array::new([3, 2], &[0i32, 1, 10, 11, 20, 21])?;
        assert_eq!(three.rows(&[2, 0, 2])?, Array::new([3, 2], &[20i32, 21, 0, 1, 20, 21])?);
        let text = |array: &Array, rows: &[usize]| array.rows(rows).err().map(|e| e.to_string());
        let outside = text(&three, &[0, 5, 7]);
        assert_eq!(outside.as_deref(), Some("row 5 does not exist: the array [3, 2] has 3 rows"));
        let scalar = text(&Array::scalar(1.0f32), &[]);
        let none = "row 0 does not exist: the array is a scalar, and has no rows";
        assert_eq!(scalar.as_deref(), Some(none));
        // No elements, although the product of the other extents overflows.
        let none = Array::new([0, usize::MAX, 2], &[] as &[f32])?;
        assert_eq!(none.rows(&[])?, none);
        assert!(none.rows(&[0]).is_err());
        let empty = Array::new([2, 0, usize::MAX, 2], &[] as &[f32])?;
        assert_eq!(empty.rows(&[1])?.shape().dims(), [1, 0, usize::MAX, 2]);
        Ok(())
    }
}
