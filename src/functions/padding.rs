//! Padding and cropping of axes.

use super::definition::moving;
use crate::{
    error::OpError,
    graph::{Attribution, Tensor},
    ops::contract::Sample,
    shape::Pads,
};

/// How the elements that padding adds are filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// This number; a number alone is one of these.
    Constant(f64),
    /// The elements reflected at the first and the last one, which are not repeated.
    Reflect,
    /// The first and the last element.
    #[doc(alias = "edge")]
    Replicate,
    /// The elements from the other end.
    #[doc(alias = "wrap")]
    Circular,
}

impl From<f64> for PadMode {
    fn from(value: f64) -> Self {
        PadMode::Constant(value)
    }
}

impl<'g> Tensor<'g> {
    /// Pads each axis by the given numbers of elements before and after it, or crops it where they are
    /// negative.
    ///
    /// ```
    /// use wgrad::{DType, Graph, PadMode};
    /// let graph = Graph::new();
    /// let x = graph.input("x", [2, 3], DType::F32);
    /// assert_eq!(x.pad([(0, 0), (1, 2)], 0.0).shape().dims(), [2, 6]);
    /// assert_eq!(x.pad([(0, -1), (2, 0)], PadMode::Reflect).shape().dims(), [1, 5]);
    /// ```
    ///
    /// Cropped elements are not repeated at the other end, but are still reflected.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there is a pair for each axis; [`OpError::TooLarge`];
    /// [`OpError::Number`] if more is cropped than there is; [`OpError::Unrepresentable`] for a constant
    /// that an integer type does not have; [`OpError::Argument`] where more is reflected than lies
    /// behind an end, or more comes from the other end than there is; [`OpError::Empty`] where there is
    /// nothing to replicate.
    ///
    /// # Source
    ///
    /// PyTorch's `pad`, with the axes in their order.
    #[doc(alias(
        "constant_pad",
        "ZeroPad2d",
        "ZeroPadding2D",
        "ConstantPad2d",
        "ReflectionPad2d",
        "ReplicationPad2d",
        "CircularPad2d",
        "Cropping2D"
    ))]
    #[track_caller]
    pub fn pad(self, pads: impl Pads, mode: impl Into<PadMode>) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        let (pads, mode) = (pads.pads(), mode.into());
        if let Err(reason) = check(self, &pads, mode) {
            return self.graph().refuse("pad", &[self], reason);
        }
        // Closures have no lines of the user.
        let _line = Attribution::to_caller(self.graph());
        // A number that no extent has becomes the largest, which is refused as too large.
        let added = |by: i64| usize::try_from(by.max(0)).unwrap_or(usize::MAX);
        let added: Vec<_> = pads.iter().map(|&(low, high)| (added(low), added(high))).collect();
        let cropped = |mut x: Tensor<'g>| {
            for (axis, &(low, high)) in (0..).zip(&pads) {
                if low.min(high) < 0 {
                    let end = x.dim(axis) as i64 + high.min(0);
                    x = x.slice(axis, low.min(0).abs()..end);
                }
            }
            x
        };
        match mode {
            PadMode::Constant(value) => cropped(self).pad_constant(&added, value),
            PadMode::Reflect => cropped(self.extended(&added, mode)),
            PadMode::Replicate | PadMode::Circular => cropped(self).extended(&added, mode),
        }
    }

    /// Pads one axis after another by elements of this tensor.
    #[track_caller]
    fn extended(self, pads: &[(usize, usize)], mode: PadMode) -> Tensor<'g> {
        let mut y = self;
        let padded = (0..).zip(pads).filter(|(_, pads)| **pads != (0, 0));
        for (axis, &(low, high)) in padded {
            let extent = y.dim(axis);
            let [before, behind] = match mode {
                PadMode::Constant(_) => return y,
                PadMode::Reflect => [1..1 + low, extent - 1 - high..extent - 1],
                PadMode::Replicate => [0..1, extent - 1..extent],
                PadMode::Circular => [extent - low..extent, 0..high],
            };
            let part = |range, count: usize| {
                let part = y.slice(axis, range);
                let mut dims = y.shape().dims().to_vec();
                dims[axis as usize] = count;
                match mode {
                    PadMode::Reflect => part.flip(axis),
                    _ => part.broadcast_to(dims),
                }
            };
            let mut parts = vec![y];
            if low > 0 {
                parts.insert(0, part(before, low));
            }
            if high > 0 {
                parts.push(part(behind, high));
            }
            y = if parts.len() > 1 { y.graph().concat(&parts, axis) } else { y };
        }
        y
    }
}

/// Checks the pads of each axis.
fn check(x: Tensor<'_>, pads: &[(i64, i64)], mode: PadMode) -> Result<(), OpError> {
    let shape = x.shape();
    if pads.len() != shape.rank() {
        let what = "number of axes and of pads";
        return Err(OpError::Extents { what, lhs: shape.rank(), rhs: pads.len() });
    }
    if let PadMode::Constant(value) = mode
        && !x.dtype().holds(value)
    {
        return Err(OpError::Unrepresentable { value, dtype: x.dtype() });
    }
    for (&extent, &(low, high)) in shape.dims().iter().zip(pads) {
        // Extents fit an i32.
        let (extent, most) = (extent as i64, low.max(high));
        let rest = extent.saturating_add(low.min(0)).saturating_add(high.min(0));
        if rest < 0 {
            let (what, must) = ("number of elements left by cropping", "at least 0");
            return Err(OpError::Number { what, must, is: rest as f64 });
        }
        let fits = match mode {
            PadMode::Constant(_) => true,
            PadMode::Reflect => most < extent.max(1),
            PadMode::Replicate if most > 0 && rest == 0 => return Err(OpError::Empty),
            PadMode::Replicate => true,
            PadMode::Circular => most <= rest,
        };
        if most > 0 && !fits {
            return Err(OpError::Argument(match mode {
                PadMode::Reflect => "the padding exceeds the elements to reflect",
                _ => "the padding exceeds the elements to repeat",
            }));
        }
        let sum = low.max(0).saturating_add(high.max(0)).saturating_add(extent);
        if i32::try_from(sum).is_err() {
            return Err(OpError::TooLarge);
        }
    }
    Ok(())
}

/// Samples, defined by where elements come from.
pub(super) fn samples() -> Vec<Sample> {
    use PadMode::*;
    vec![
        moving(
            "pad",
            &[3, 4, 2],
            &[4, 2, 3],
            |x| x.pad([(2, -1), (-1, -1), (0, 1)], 0.0),
            |c| (c[0] >= 2 && c[2] < 2).then(|| vec![c[0] - 2, c[1] + 1, c[2]]),
        ),
        moving(
            "pad",
            &[2, 4],
            &[2, 9],
            |x| x.pad([(0, 0), (3, 2)], Reflect),
            |c| Some(vec![c[0], [3, 2, 1, 0, 1, 2, 3, 2, 1][c[1]]]),
        ),
        moving(
            "pad",
            &[3, 5],
            &[5, 4],
            |x| x.pad([(0, 2), (-3, 2)], Reflect),
            |c| Some(vec![[0, 1, 2, 1, 0][c[0]], [3, 4, 3, 2][c[1]]]),
        ),
        moving(
            "pad",
            &[3, 2],
            &[6, 2],
            |x| x.pad([(2, 1), (0, 0)], Replicate),
            |c| Some(vec![[0, 0, 0, 1, 2, 2][c[0]], c[1]]),
        ),
        moving(
            "pad",
            &[2, 4],
            &[5, 3],
            |x| x.pad([(1, 2), (-2, 1)], Replicate),
            |c| Some(vec![[0, 0, 1, 1, 1][c[0]], [2, 3, 3][c[1]]]),
        ),
        moving(
            "pad",
            &[3, 4],
            &[7, 5],
            |x| x.pad([(1, 3), (-1, 2)], Circular),
            |c| Some(vec![[2, 0, 1, 2, 0, 1, 2][c[0]], [1, 2, 3, 1, 2][c[1]]]),
        ),
    ]
}
