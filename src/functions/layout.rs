//! Moving, repeating and dividing along axes.

use super::definition::{f32s, moving};
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Function, Sample},
    shape::{AxisError, Integers, Meta, resolve_axes, resolve_axis},
};

impl<'g> Tensor<'g> {
    /// The extents with that of one axis replaced; `None` if there is no such axis.
    fn with_extents(self, axis: i32, extents: &[usize]) -> Option<Vec<usize>> {
        let shape = self.shape();
        let axis = resolve_axis(axis, shape.rank()).ok()?;
        Some([&shape.dims()[..axis], extents, &shape.dims()[axis + 1..]].concat())
    }

    #[track_caller]
    fn no_axis(self, function: &'static str, axis: i32) -> Tensor<'g> {
        let reason = AxisError::Missing { axis, rank: self.rank() };
        self.graph().refuse(function, &[self], reason)
    }

    /// Shifts elements by each of `shifts` along the axis of the same place, wrapping around at the
    /// ends: `roll(2, 0)`, `roll([1, -2], [0, 1])`.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there are as many shifts as axes; [`OpError::Axis`].
    ///
    /// # Source
    ///
    /// PyTorch's `roll`; without axes it rolls `x.reshape(-1)`.
    #[track_caller]
    pub fn roll(self, shifts: impl Integers, axes: impl Integers) -> Tensor<'g> {
        let shifts = shifts.integers();
        let axes = match resolve_axes(axes, self.rank()) {
            Ok(axes) => axes,
            Err(reason) => return self.graph().refuse("roll", &[self], reason),
        };
        if shifts.len() != axes.len() {
            let (what, lhs, rhs) = ("numbers of shifts and of axes", shifts.len(), axes.len());
            return self.graph().refuse("roll", &[self], OpError::Extents { what, lhs, rhs });
        }
        let mut y = self;
        for (shift, axis) in shifts.into_iter().zip(axes) {
            let axis = axis as i32;
            let extent = y.dim(axis);
            let by = shift.rem_euclid(extent.max(1) as i64) as usize;
            if by > 0 {
                let (front, back) = (y.slice(axis, ..extent - by), y.slice(axis, extent - by..));
                y = y.graph().concat(&[back, front], axis);
            }
        }
        y
    }

    /// Repeats the whole tensor `times` along an axis.
    ///
    /// # Source
    ///
    /// NumPy's and PyTorch's `tile`; PyTorch's `repeat`.
    #[doc(alias = "repeat")]
    #[track_caller]
    pub fn tile(self, times: usize, axis: i32) -> Tensor<'g> {
        self.repeated("tile", times, axis, |extent| [times, extent], |axis| axis)
    }

    /// Repeats each element `times` along an axis.
    ///
    /// # Source
    ///
    /// PyTorch's `repeat_interleave`, NumPy's and Keras's `repeat`.
    #[doc(alias = "repeat")]
    #[track_caller]
    pub fn repeat_interleave(self, times: usize, axis: i32) -> Tensor<'g> {
        self.repeated("repeat_interleave", times, axis, |extent| [extent, times], |axis| axis + 1)
    }

    #[track_caller]
    fn repeated(
        self,
        function: &'static str,
        times: usize,
        axis: i32,
        extents: impl Fn(usize) -> [usize; 2],
        new: impl Fn(i32) -> i32,
    ) -> Tensor<'g> {
        let Ok(at) = resolve_axis(axis, self.rank()) else { return self.no_axis(function, axis) };
        let extent = self.dim(axis);
        let Some(total) = extent.checked_mul(times) else {
            return self.graph().refuse(function, &[self], OpError::TooLarge);
        };
        let wide = self.with_extents(axis, &extents(extent)).unwrap_or_default();
        let flat = self.with_extents(axis, &[total]).unwrap_or_default();
        self.unsqueeze(new(at as i32)).broadcast_to(wide).reshape(flat)
    }

    /// Splits an axis into consecutive pieces of these extents.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless they add up to that of the axis.
    #[doc(alias = "split_with_sizes")]
    #[track_caller]
    pub fn split(self, axis: i32, extents: &[usize]) -> Vec<Tensor<'g>> {
        let total = extents.iter().fold(0usize, |sum, extent| sum.saturating_add(*extent));
        if total != self.dim(axis) {
            let (what, lhs) = ("sum of the pieces and extent of the axis", total);
            let reason = OpError::Extents { what, lhs, rhs: self.dim(axis) };
            return vec![self.graph().refuse("split", &[self], reason); extents.len()];
        }
        let mut start = 0;
        let mut pieces = Vec::new();
        for extent in extents {
            pieces.push(self.slice(axis, start..start + extent));
            start += extent;
        }
        pieces
    }
}

/// Samples of every function, defined by where its elements come from.
pub(super) fn samples() -> Vec<Sample> {
    let stack = Function::new(
        "stack",
        |x| x[0].graph().stack(x, 1),
        |x| Array64::from_fn(Meta::new([3, 2, 4], x[0].meta.dtype), |c| x[c[1]].at(&[c[0], c[2]])),
    );
    vec![
        Sample::new(stack, [f32s(&[3, 4]), f32s(&[3, 4])]).bound(Bound::Exact, "moves elements"),
        moving("roll", &[3, 5], &[3, 5], |x| x.roll(2, 1), |c| Some(vec![c[0], (c[1] + 3) % 5])),
        moving("roll", &[3, 5], &[3, 5], |x| x.roll(-1, 0), |c| Some(vec![(c[0] + 1) % 3, c[1]])),
        moving(
            "roll",
            &[3, 5, 2],
            &[3, 5, 2],
            |x| x.roll([4, -7, 6], [-3, 1, 2]),
            |c| Some(vec![(c[0] + 2) % 3, (c[1] + 2) % 5, c[2]]),
        ),
        moving("tile", &[3, 4], &[3, 8], |x| x.tile(2, 1), |c| Some(vec![c[0], c[1] % 4])),
        moving(
            "repeat_interleave",
            &[3, 4],
            &[9, 4],
            |x| x.repeat_interleave(3, 0),
            |c| Some(vec![c[0] / 3, c[1]]),
        ),
        moving(
            "split",
            &[2, 6],
            &[2, 3],
            |x| x.split(1, &[1, 3, 2])[1],
            |c| Some(vec![c[0], c[1] + 1]),
        ),
    ]
}
