//! Pooling: windows slide over one, two or three spatial axes of `[n, channels, ..spatial]`.
//!
//! This file has the window and the shared code; `max` and `avg` have the operations.

mod avg;
mod geometry;
mod max;
#[cfg(test)]
mod tests;

pub use avg::{AvgPool, AvgPoolGrad};
pub use max::{MaxPool, MaxPoolGrad, MaxPoolSelect};

use super::*;
use crate::shape::Shape;

/// The windows of a pooling along one spatial axis.
///
/// Cell `j` of window `o` is element `o stride + j dilation - low` of the axis, or padding if
/// there is none. Over `n` elements there are `floor((n + low + high - dilation (extent - 1) - 1)
/// / stride) + 1` windows; with `ceil_mode` that quotient is rounded up, unless the last window
/// would start past the axis.
///
/// # Source
///
/// PyTorch's poolings, with asymmetric padding.
#[doc(alias = "kernel_size")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Number of cells.
    pub extent: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Distance between cells.
    pub dilation: usize,
    /// Cells of padding before the axis.
    pub low: usize,
    /// Cells of padding after it.
    pub high: usize,
    /// Whether the last window may extend past the padding.
    pub ceil_mode: bool,
}

impl Window {
    /// Adjacent windows of this many cells.
    pub fn new(extent: usize) -> Self {
        Window { extent, stride: extent, dilation: 1, low: 0, high: 0, ceil_mode: false }
    }

    /// Sets the distance between windows.
    pub fn stride(self, stride: usize) -> Self {
        Window { stride, ..self }
    }

    /// Sets the distance between cells.
    pub fn dilation(self, dilation: usize) -> Self {
        Window { dilation, ..self }
    }

    /// Sets the padding: `1` at both ends of the axis, `[(1, 0)]` before and after it.
    pub fn padding(self, padding: impl Into<Ends<1>>) -> Self {
        let Ends([(low, high)]) = padding.into();
        Window { low, high, ..self }
    }

    /// Lets the last window extend past the padding.
    pub fn ceil_mode(self) -> Self {
        Window { ceil_mode: true, ..self }
    }

    /// Number of windows over an axis of `cells` elements.
    pub(crate) fn count(self, cells: usize) -> Result<usize, OpError> {
        let numbers = [
            ("extent of windows", self.extent),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ];
        if let Some((what, _)) = numbers.into_iter().find(|(_, number)| *number == 0) {
            return Err(OpError::Number { what, must: "positive", is: 0.0 });
        }
        if cells == 0 {
            return Err(OpError::Empty);
        }
        // Below 2^31 each, so that shaders count in u32 and nothing here overflows.
        let small = |number: usize| i32::try_from(number).map_err(|_| OpError::TooLarge);
        let [extent, stride, dilation] =
            [small(self.extent)?, small(self.stride)?, small(self.dilation)?].map(i64::from);
        let [low, cells, high] =
            [small(self.low)?, small(cells)?, small(self.high)?].map(i64::from);
        let (padded, span) = (low + cells + high, dilation * (extent - 1) + 1);
        if padded.max(span) > i64::from(i32::MAX) {
            return Err(OpError::TooLarge);
        }
        let room = padded - span + if self.ceil_mode { stride - 1 } else { 0 };
        if room < 0 {
            return Err(OpError::Window { span: span as usize, padded: padded as usize });
        }
        let last = room / stride;
        let begins_behind = self.ceil_mode && last * stride >= low + cells;
        Ok((last + i64::from(!begins_behind)) as usize)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Window { extent, stride, dilation, low, high, ceil_mode } = self;
        write!(f, "{extent}/{stride}")?;
        if *dilation != 1 {
            write!(f, " dilation {dilation}")?;
        }
        if (*low, *high) != (0, 0) {
            write!(f, " pad {low}..{high}")?;
        }
        f.write_str(if *ceil_mode { " ceil" } else { "" })
    }
}

/// Formats windows for dumps.
fn list(windows: &[Window]) -> String {
    windows.iter().map(Window::to_string).collect::<Vec<_>>().join(", ")
}

/// Shape of the pooled `x`.
pub(crate) fn pooled(windows: &[Window], x: &Meta) -> Result<Meta, OpError> {
    if !x.dtype.is_float() {
        return Err(OpError::DType(x.dtype));
    }
    if !(1..=3).contains(&windows.len()) {
        return Err(OpError::Argument("pooling needs one, two or three spatial axes"));
    }
    let rank = x.shape.rank();
    let Some(spatial) = rank.checked_sub(2) else { return Err(OpError::Rank { least: 2 }) };
    if spatial != windows.len() {
        let what = "numbers of spatial axes and of windows";
        return Err(OpError::Extents { what, lhs: spatial, rhs: windows.len() });
    }
    let (outer, spatial) = x.shape.dims().split_at(2);
    let counts = windows.iter().zip(spatial).map(|(window, &cells)| window.count(cells));
    let counts = counts.collect::<Result<Vec<usize>, _>>()?;
    Ok(Meta::new([outer, &counts].concat(), x.dtype))
}

/// Checks `given` against the wanted shape and type.
fn expect(given: &Meta, wanted: &Meta) -> Result<(), OpError> {
    match given.dtype == wanted.dtype {
        false => Err(OpError::DTypes),
        true if given.shape != wanted.shape => Err(OpError::Target(wanted.shape.clone())),
        true => Ok(()),
    }
}

/// The definition of a window: row-major indices in `x` of the cells of window `c` that are not
/// padding, in row-major order.
fn cells(windows: &[Window], x: &Shape, c: &[usize]) -> Vec<usize> {
    let within = Shape::from(windows.iter().map(|window| window.extent).collect::<Vec<_>>());
    let index = |j: Vec<usize>| {
        let mut at = c[..2].to_vec();
        for (axis, window) in windows.iter().enumerate() {
            let padded = c[2 + axis] * window.stride + j[axis] * window.dilation;
            let position = padded.checked_sub(window.low)?;
            at.push(Some(position).filter(|&position| position < x.dims()[2 + axis])?);
        }
        Some(x.index(&at))
    };
    within.coordinates().filter_map(index).collect()
}

/// Number of cells of window `c` before the end of the padding, over all axes.
fn padded_cells(windows: &[Window], x: &Shape, c: &[usize]) -> usize {
    let along = |(axis, window): (usize, &Window)| {
        let end = window.low + x.dims()[2 + axis] + window.high;
        let position = |j: usize| c[2 + axis] * window.stride + j * window.dilation;
        (0..window.extent).filter(|&j| position(j) < end).count()
    };
    windows.iter().enumerate().map(along).product()
}

/// Extents and windows of edge cases, each with a label.
fn cases() -> Vec<(&'static str, Vec<usize>, Vec<Window>)> {
    let w = Window::new;
    let uneven = |low, high| Window { low, high, ..w(3).stride(2).dilation(2) };
    vec![
        ("side by side", vec![2, 3, 6, 8], vec![w(2); 2]),
        ("odd extents", vec![1, 2, 7, 5], vec![w(2); 2]),
        ("overlapping", vec![1, 2, 7, 6], vec![w(3).stride(2).padding(1); 2]),
        ("every cell", vec![1, 2, 4, 5], vec![w(3).stride(1).padding(1), w(2).stride(1)]),
        ("gaps between windows", vec![2, 1, 11], vec![w(2).stride(3)]),
        ("dilation, uneven padding", vec![1, 2, 9], vec![uneven(1, 2)]),
        ("ceil mode", vec![1, 2, 5, 6], vec![w(2).ceil_mode(), w(3).stride(2).ceil_mode()]),
        ("ceil mode, padding", vec![1, 1, 6, 7], vec![w(3).stride(3).padding(1).ceil_mode(); 2]),
        ("ceil mode, window past the axis", vec![1, 2, 2], vec![w(3).stride(2).ceil_mode()]),
        ("volume", vec![1, 2, 3, 4, 5], vec![w(2).stride(1), w(2), w(3).stride(2).padding(1)]),
        ("past a workgroup", vec![3, 5, 6, 13], vec![w(2).stride(1); 2]),
        ("volume past a workgroup", vec![2, 3, 5, 6, 9], {
            vec![w(2).stride(1), w(3).stride(1).padding(1), w(2).stride(1)]
        }),
        ("one element", vec![2, 2, 1, 1], vec![w(1); 2]),
        ("no rows", vec![0, 3, 4, 4], vec![w(2); 2]),
    ]
}
