//! Nested Rust arrays as tensors.

use super::{Array, Element};
use crate::{dtype::DType, shape::Meta};

/// An [`Element`], or a Rust array of such, nested to any depth: `[[1.0f32, 2.0], [3.0, 4.0]]`.
pub trait Nested: Sized + sealed::Sealed {
    /// The element type.
    const DTYPE: DType;
    /// Number of elements.
    #[doc(hidden)]
    const LEN: usize;
    /// Appends the extents, outermost first.
    #[doc(hidden)]
    fn extents(extents: &mut Vec<usize>);
    /// The words of all elements, in row-major order.
    #[doc(hidden)]
    fn words(all: Vec<Self>) -> Vec<u32>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: super::Element> Sealed for T {}
    impl<N: Sealed, const COUNT: usize> Sealed for [N; COUNT] {}
}

impl<T: Element> Nested for T {
    const DTYPE: DType = T::DTYPE;
    const LEN: usize = 1;

    fn extents(_: &mut Vec<usize>) {}

    fn words(all: Vec<Self>) -> Vec<u32> {
        T::cast(all).unwrap_or_else(|all| all.into_iter().map(T::to_word).collect())
    }
}

impl<N: Nested, const COUNT: usize> Nested for [N; COUNT] {
    const DTYPE: DType = N::DTYPE;
    const LEN: usize = COUNT * N::LEN;

    fn extents(extents: &mut Vec<usize>) {
        extents.push(COUNT);
        N::extents(extents);
    }

    fn words(all: Vec<Self>) -> Vec<u32> {
        // Without elements the number of rows may be any, and their product overflow.
        if Self::LEN == 0 { vec![] } else { N::words(all.into_flattened()) }
    }
}

/// An element becomes a scalar, and nested Rust arrays a tensor with as many axes.
///
/// ```
/// use wgrad::Array;
///
/// let array = Array::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(array.shape().dims(), [2, 3]);
/// ```
impl<N: Nested> From<N> for Array {
    fn from(nested: N) -> Self {
        let mut extents = vec![];
        N::extents(&mut extents);
        Array { meta: Meta::new(extents, N::DTYPE), words: N::words(vec![nested]) }
    }
}

/// A vector of elements, or of Rust arrays, becomes a tensor whose outermost axis is the vector. The
/// elements of f32, i32 and u32 are not copied.
impl<N: Nested> From<Vec<N>> for Array {
    fn from(rows: Vec<N>) -> Self {
        let mut extents = vec![rows.len()];
        N::extents(&mut extents);
        Array { meta: Meta::new(extents, N::DTYPE), words: N::words(rows) }
    }
}
