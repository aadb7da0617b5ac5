//! Shapes, strides and axes.

use crate::dtype::DType;
use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

/// Extents of the axes of a tensor, outermost first; a scalar has none.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shape(Arc<[usize]>);

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Shape::default()
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The extents.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// Number of elements.
    ///
    /// Saturates; a graph refuses shapes whose indices do not fit an `i32`, so the length of a
    /// tensor is exact.
    pub fn len(&self) -> usize {
        self.checked_len().unwrap_or(usize::MAX)
    }

    /// Number of elements, or `None` on overflow.
    pub fn checked_len(&self) -> Option<usize> {
        if self.0.contains(&0) {
            return Some(0);
        }
        self.0.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))
    }

    /// Whether every index and stride fits an `i32`; extents of 0 count as 1.
    pub(crate) fn is_addressable(&self) -> bool {
        let strided = self.0.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim.max(1)));
        strided.is_some_and(|len| i32::try_from(len).is_ok())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.0.contains(&0)
    }

    /// Distance in elements between neighbors along each axis, in row-major order.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1usize; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(self.0[axis].max(1));
        }
        strides
    }

    /// The shape with `axes` reduced to extent 1.
    pub fn keepdims(&self, axes: &[usize]) -> Shape {
        let dims = self.0.iter().enumerate();
        Shape(dims.map(|(axis, &dim)| if axes.contains(&axis) { 1 } else { dim }).collect())
    }

    /// The shape without `axes`.
    pub fn without(&self, axes: &[usize]) -> Shape {
        let dims = self.0.iter().enumerate();
        Shape(dims.filter(|(axis, _)| !axes.contains(axis)).map(|(_, &dim)| dim).collect())
    }

    /// The common shape of two operands under NumPy broadcasting, or `None` if there is none.
    pub fn broadcast_with(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let at = |shape: &Shape, axis: usize| {
            (axis + shape.rank()).checked_sub(rank).map_or(1, |axis| shape.0[axis])
        };
        let dims = (0..rank).map(|axis| match (at(self, axis), at(other, axis)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        });
        dims.collect::<Option<Arc<[_]>>>().map(Shape)
    }

    /// All coordinates in row-major order; for reference code, where speed does not matter.
    pub fn coordinates(&self) -> impl Iterator<Item = Vec<usize>> + use<> {
        let dims = self.0.clone();
        let strides = self.strides();
        (0..self.len()).map(move |index| {
            dims.iter().zip(&strides).map(|(&dim, &stride)| index / stride % dim).collect()
        })
    }

    /// Row-major index of a coordinate.
    pub fn index(&self, coordinate: &[usize]) -> usize {
        coordinate.iter().zip(self.strides()).map(|(c, stride)| c * stride).sum()
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.dims()).finish()
    }
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.into())
    }
}
impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.into())
    }
}
impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims.into())
    }
}
impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

/// Shape and element type of a tensor: all that is known about it before a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    /// The shape.
    pub shape: Shape,
    /// The element type.
    pub dtype: DType,
}

impl Meta {
    /// Creates the meta of a tensor.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Self {
        Meta { shape: shape.into(), dtype }
    }
}

impl std::fmt::Display for Meta {
    /// Writes the shape and the element type: `[2, 3] f32`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.shape, self.dtype)
    }
}

/// An invalid axis, or set of axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AxisError {
    /// An axis does not exist.
    #[error("axis {axis} does not exist in rank {rank}")]
    Missing {
        /// The requested axis.
        axis: i32,
        /// The number of axes.
        rank: usize,
    },
    /// An axis is named twice.
    #[error("axis {axis} is named twice")]
    Repeated {
        /// The axis.
        axis: usize,
    },
    /// Classes may lie on either axis, as far as the shapes tell.
    #[error("classes may be axis {} or axis {}: name it, `CrossEntropy::axis`", axes[0], axes[1])]
    Ambiguous {
        /// PyTorch's, and Keras'.
        axes: [usize; 2],
    },
}

impl AxisError {
    /// The error for an axis that was resolved for another rank.
    pub(crate) fn missing(axis: usize, rank: usize) -> Self {
        AxisError::Missing { axis: i32::try_from(axis).unwrap_or(i32::MAX), rank }
    }
}

/// A set of axes as written by callers: `-1`, `[0, 2]`, or `..` for all of them.
///
/// Negative numbers count from the last axis.
pub trait Axes {
    /// Resolves to axes in increasing order, without repetition.
    ///
    /// # Errors
    ///
    /// [`AxisError`] if an axis is out of range for `rank` or named twice.
    fn resolve(self, rank: usize) -> Result<Vec<usize>, AxisError>;
}

/// Resolves axes that may be negative, in the order in which they are written.
///
/// # Errors
///
/// [`AxisError::Missing`].
pub(crate) fn resolve_axes(axes: impl Integers, rank: usize) -> Result<Vec<usize>, AxisError> {
    let near = |axis: i64| axis.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    axes.integers().into_iter().map(|axis| resolve_axis(near(axis), rank)).collect()
}

/// Resolves a possibly negative axis.
pub(crate) fn resolve_axis(axis: i32, rank: usize) -> Result<usize, AxisError> {
    let resolved = if axis < 0 { i64::from(axis) + rank as i64 } else { i64::from(axis) };
    usize::try_from(resolved)
        .ok()
        .filter(|&resolved| resolved < rank)
        .ok_or(AxisError::Missing { axis, rank })
}

impl Axes for &[i32] {
    fn resolve(self, rank: usize) -> Result<Vec<usize>, AxisError> {
        let mut axes =
            self.iter().map(|&axis| resolve_axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        match axes.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(AxisError::Repeated { axis: pair[0] }),
            None => Ok(axes),
        }
    }
}
impl<const N: usize> Axes for [i32; N] {
    fn resolve(self, rank: usize) -> Result<Vec<usize>, AxisError> {
        self.as_slice().resolve(rank)
    }
}
impl Axes for i32 {
    fn resolve(self, rank: usize) -> Result<Vec<usize>, AxisError> {
        [self].resolve(rank)
    }
}
impl Axes for std::ops::RangeFull {
    fn resolve(self, rank: usize) -> Result<Vec<usize>, AxisError> {
        Ok((0..rank).collect())
    }
}

/// A whole number of one of the types that callers have: `usize`, `i32`, `i64`.
pub trait Integer: Copy {
    /// The number; one that `i64` does not have becomes its largest.
    fn wide(self) -> i64;
}

/// Whole numbers as written by callers, one or several: extents, axes or shifts.
///
/// Of literals alone they are of i32, so that `[2, -1]` needs no type. An array of none has no type by
/// itself: [`Shape::scalar`] is that of a scalar.
pub trait Integers {
    /// The numbers.
    fn integers(self) -> Vec<i64>;
}

/// A range along an axis as written by callers: `2..5`, `..-1`, `-3..`.
///
/// Negative numbers count from the end of the axis, as in Python.
pub trait Section {
    /// Where it starts and ends.
    fn bounds(self) -> [Bound<i64>; 2];
}

/// A pair of numbers for each axis, as written by callers: of what is before it and after it.
pub trait Pads {
    /// The pairs.
    fn pads(self) -> Vec<(i64, i64)>;
}

/// The types of whole numbers, each of which is also a list of one.
macro_rules! integers {
    ($($Type:ty)*) => {$(
        impl Integer for $Type {
            fn wide(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }
        }
        impl Integers for $Type {
            fn integers(self) -> Vec<i64> {
                vec![self.wide()]
            }
        }
    )*};
}
integers! { usize i32 i64 }

impl<T: Integer> Integers for &[T] {
    fn integers(self) -> Vec<i64> {
        self.iter().map(|number| number.wide()).collect()
    }
}
impl<T: Integer, const N: usize> Integers for [T; N] {
    fn integers(self) -> Vec<i64> {
        self.as_slice().integers()
    }
}
impl<T: Integer, const N: usize> Integers for &[T; N] {
    fn integers(self) -> Vec<i64> {
        self.as_slice().integers()
    }
}
impl<T: Integer> Integers for Vec<T> {
    fn integers(self) -> Vec<i64> {
        self.as_slice().integers()
    }
}
impl<T: Integer> Integers for &Vec<T> {
    fn integers(self) -> Vec<i64> {
        self.as_slice().integers()
    }
}
impl Integers for Shape {
    fn integers(self) -> Vec<i64> {
        self.dims().integers()
    }
}
impl Integers for &Shape {
    fn integers(self) -> Vec<i64> {
        self.dims().integers()
    }
}

impl<T: Integer> Pads for &[(T, T)] {
    fn pads(self) -> Vec<(i64, i64)> {
        self.iter().map(|(low, high)| (low.wide(), high.wide())).collect()
    }
}
impl<T: Integer, const N: usize> Pads for [(T, T); N] {
    fn pads(self) -> Vec<(i64, i64)> {
        self.as_slice().pads()
    }
}
impl<T: Integer, const N: usize> Pads for &[(T, T); N] {
    fn pads(self) -> Vec<(i64, i64)> {
        self.as_slice().pads()
    }
}
impl<T: Integer> Pads for Vec<(T, T)> {
    fn pads(self) -> Vec<(i64, i64)> {
        self.as_slice().pads()
    }
}
impl<T: Integer> Pads for &Vec<(T, T)> {
    fn pads(self) -> Vec<(i64, i64)> {
        self.as_slice().pads()
    }
}

/// Ranges with an end of either kind, or none.
macro_rules! sections {
    ($($Range:ident)*) => {$(
        impl<T: Integer> Section for std::ops::$Range<T> {
            fn bounds(self) -> [Bound<i64>; 2] {
                [self.start_bound(), self.end_bound()].map(|end| end.map(|number| number.wide()))
            }
        }
    )*};
}
sections! { Range RangeFrom RangeTo RangeInclusive RangeToInclusive }

impl Section for std::ops::RangeFull {
    fn bounds(self) -> [Bound<i64>; 2] {
        [Bound::Unbounded; 2]
    }
}
