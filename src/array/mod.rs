//! Host tensors.

mod compare;
mod decimal;
mod display;
mod element;
mod layout;
mod nested;
#[cfg(test)]
mod tests;

pub use element::Element;
pub use nested::Nested;

use crate::{
    dtype::DType,
    error::{Error, OpError, VariableError},
    memory,
    shape::{Meta, Shape},
};

/// A host tensor: a shape and its elements in row-major order.
///
/// ```
/// use wgrad::Array;
///
/// let x = Array::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(x.at(&[1, 0])?, 4.0);
/// assert_eq!(x.slice(1, 1..)?, Array::from([[2.0f32, 3.0], [5.0, 6.0]]));
/// assert_eq!(x.clone().reshape([3, -1])?.shape().dims(), [3, 2]);
/// assert_eq!(x.iter::<f32>()?.sum::<f32>(), 21.0);
/// assert_eq!(x.to_string(), "[[1. 2. 3.]\n [4. 5. 6.]]");
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// `{}` prints it as NumPy does, with at most four digits after the point; `{:.2}` prints two. A
/// large one is summarized. `{:?}` prints its type and the first elements.
///
/// Two arrays are equal if shapes, element types and all bits are: NaN is itself, and -0 is not 0.
/// [`all_close`](Self::all_close) compares numbers.
#[doc(alias("ndarray", "tensor", "array"))]
#[derive(Clone, PartialEq)]
pub struct Array {
    meta: Meta,
    /// One word per element, as written by [`DType::to_word`].
    words: Vec<u32>,
}

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

    /// Creates a tensor from a vector of elements; those of f32, i32 and u32 are not copied.
    ///
    /// # Errors
    ///
    /// Same as [`new`](Self::new).
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, elements: Vec<T>) -> Result<Self, Error> {
        let words = match T::cast(elements) {
            Ok(words) => words,
            Err(elements) => memory::collected(elements.into_iter().map(T::to_word))?,
        };
        Array::from_words(Meta::new(shape, T::DTYPE), words)
    }

    /// Creates a tensor that holds one value everywhere.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`] if the number of elements overflows;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias("zeros", "ones"))]
    pub fn full<T: Element>(shape: impl Into<Shape>, x: T) -> Result<Self, Error> {
        let meta = Meta::new(shape, T::DTYPE);
        let Some(len) = meta.shape.checked_len() else {
            return Err(refused("full", &[], OpError::TooLarge));
        };
        let mut words = memory::zeroed(len)?;
        if x.to_word() != 0 {
            words.fill(x.to_word());
        }
        Ok(Array { meta, words })
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
        Ok(memory::collected(self.iter()?)?)
    }

    /// Returns the elements as a vector; those of f32, i32 and u32 are not copied.
    ///
    /// # Errors
    ///
    /// Same as [`to_vec`](Self::to_vec).
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>, Error> {
        self.check_elements::<T>()?;
        match T::uncast(self.words) {
            Ok(elements) => Ok(elements),
            Err(words) => Ok(memory::collected(words.into_iter().map(T::from_word))?),
        }
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    ///
    /// [`VariableError::ElementType`] if the tensor has another one.
    pub fn iter<T: Element>(
        &self,
    ) -> Result<impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_, Error> {
        self.check_elements::<T>()?;
        Ok(self.words.iter().map(|&word| T::from_word(word)))
    }

    fn check_elements<T: Element>(&self) -> Result<(), VariableError> {
        let (expected, is) = (T::DTYPE, self.meta.dtype);
        if expected == is {
            return Ok(());
        }
        Err(VariableError::ElementType { of: "the array holds", expected, is })
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
}

/// The error of a function that does not apply to these arrays.
fn refused(function: &'static str, arrays: &[&Array], reason: impl Into<OpError>) -> Error {
    let operands = arrays.iter().map(|array| array.meta.clone()).collect();
    VariableError::Array { function, operands, reason: reason.into() }.into()
}
