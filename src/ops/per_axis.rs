//! Numbers along axes as callers write them: one for all axes, or one for each.

/// A number along each of `AXES` axes: `3` along all of them, or `[3, 2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes<const AXES: usize>(pub [usize; AXES]);

impl<const AXES: usize> From<usize> for Sizes<AXES> {
    fn from(size: usize) -> Self {
        Sizes([size; AXES])
    }
}
impl<const AXES: usize> From<[usize; AXES]> for Sizes<AXES> {
    fn from(sizes: [usize; AXES]) -> Self {
        Sizes(sizes)
    }
}

/// Padding before and after each of `AXES` axes: `1` at all ends, `[1, 0]` at both ends of an axis each,
/// or `[(1, 0), (0, 2)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<const AXES: usize>(pub [(usize, usize); AXES]);

impl<const AXES: usize> From<usize> for Ends<AXES> {
    fn from(cells: usize) -> Self {
        Ends([(cells, cells); AXES])
    }
}
impl<const AXES: usize> From<[usize; AXES]> for Ends<AXES> {
    fn from(cells: [usize; AXES]) -> Self {
        Ends(cells.map(|cells| (cells, cells)))
    }
}
impl<const AXES: usize> From<[(usize, usize); AXES]> for Ends<AXES> {
    fn from(ends: [(usize, usize); AXES]) -> Self {
        Ends(ends)
    }
}

/// As [`Sizes`] or [`Ends`], along a number of axes that no type says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PerAxis<T> {
    /// The same along all axes.
    All(T),
    /// One along each.
    Each(Vec<T>),
}

impl<T: Clone> PerAxis<T> {
    /// One along each of this many axes, if they are the same along all.
    pub(crate) fn along(self, axes: usize) -> Vec<T> {
        match self {
            PerAxis::All(one) => vec![one; axes],
            PerAxis::Each(each) => each,
        }
    }
}

impl From<usize> for PerAxis<usize> {
    fn from(size: usize) -> Self {
        PerAxis::All(size)
    }
}
impl From<usize> for PerAxis<(usize, usize)> {
    fn from(cells: usize) -> Self {
        PerAxis::All((cells, cells))
    }
}
impl<const AXES: usize> From<[usize; AXES]> for PerAxis<(usize, usize)> {
    fn from(cells: [usize; AXES]) -> Self {
        PerAxis::Each(cells.map(|cells| (cells, cells)).to_vec())
    }
}
impl<T: Clone, const AXES: usize> From<[T; AXES]> for PerAxis<T> {
    fn from(each: [T; AXES]) -> Self {
        PerAxis::Each(each.to_vec())
    }
}
impl<T: Clone> From<&[T]> for PerAxis<T> {
    fn from(each: &[T]) -> Self {
        PerAxis::Each(each.to_vec())
    }
}
impl<T> From<Vec<T>> for PerAxis<T> {
    fn from(each: Vec<T>) -> Self {
        PerAxis::Each(each)
    }
}
