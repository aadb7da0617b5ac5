//! Permuted axes.

use super::class::Layout;
use super::*;
use crate::shape::{AxisError, Integers, Shape, resolve_axes, resolve_axis};

/// Axis `i` of the result is axis `axes[i]` of the operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Transpose {
    pub(crate) axes: Vec<usize>,
}

impl std::fmt::Display for Transpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "transpose{:?}", self.axes)
    }
}

impl<'g> Tensor<'g> {
    /// Permutes the axes: axis `i` of the result is axis `axes[i]` of this tensor. Negative numbers
    /// count from the last axis. NumPy's `transpose`, and PyTorch's `permute`.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`], and [`OpError::Extents`] unless every
    /// axis is named.
    #[doc(alias = "permute")]
    #[track_caller]
    pub fn transpose(self, axes: impl Integers) -> Tensor<'g> {
        match resolve_axes(axes, self.rank()) {
            Ok(axes) => self.graph.push(Transpose { axes }, &[self]),
            Err(reason) => self.graph.refuse("transpose", &[self], reason),
        }
    }

    /// Moves one axis to another place; the others keep their order.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    #[doc(alias("movedim", "moveaxis"))]
    #[track_caller]
    pub fn move_axis(self, from: i32, to: i32) -> Tensor<'g> {
        let rank = self.rank();
        match (resolve_axis(from, rank), resolve_axis(to, rank)) {
            (Ok(from), Ok(to)) => {
                let mut axes: Vec<_> = (0..rank).filter(|&axis| axis != from).collect();
                axes.insert(to, from);
                self.transpose(axes)
            }
            (Err(reason), _) | (_, Err(reason)) => self.graph.refuse("transpose", &[self], reason),
        }
    }

    /// Swaps the last two axes.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`] if there are fewer.
    #[doc(alias = "mT")]
    #[track_caller]
    pub fn t(self) -> Tensor<'g> {
        match self.rank() {
            0 | 1 => self.graph.refuse("transpose", &[self], OpError::Rank { least: 2 }),
            _ => self.swap_axes(-1, -2),
        }
    }

    /// Swaps two axes, as PyTorch's `transpose` does.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    #[doc(alias("transpose", "swapaxes", "swapdims"))]
    #[track_caller]
    pub fn swap_axes(self, a: i32, b: i32) -> Tensor<'g> {
        let rank = self.rank();
        match (resolve_axis(a, rank), resolve_axis(b, rank)) {
            (Ok(a), Ok(b)) => {
                let mut axes: Vec<_> = (0..rank).collect();
                axes.swap(a, b);
                self.transpose(axes)
            }
            (Err(reason), _) | (_, Err(reason)) => self.graph.refuse("transpose", &[self], reason),
        }
    }
}

impl Operation for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        let rank = x.shape.rank();
        let mut seen = vec![false; rank];
        for &axis in &self.axes {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err(AxisError::Repeated { axis }.into()),
                None => {
                    let axis = i32::try_from(axis).unwrap_or(i32::MAX);
                    return Err(AxisError::Missing { axis, rank }.into());
                }
            }
        }
        if self.axes.len() != rank {
            let what = "number of axes and of those named";
            return Err(OpError::Extents { what, lhs: rank, rhs: self.axes.len() });
        }
        let dims: Vec<_> = self.axes.iter().map(|&axis| x.shape.dims()[axis]).collect();
        Ok(Meta::new(dims, x.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let dims: Vec<_> = self.axes.iter().map(|&axis| x.shape().dims()[axis]).collect();
        Array64::from_fn(Meta::new(dims, x.meta.dtype), |c| {
            let mut from = vec![0; c.len()];
            for (&axis, c) in self.axes.iter().zip(c) {
                from[axis] = c;
            }
            x.at(&from)
        })
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        let mut inverse = vec![0; self.axes.len()];
        for (to, &from) in self.axes.iter().enumerate() {
            inverse[from] = to;
        }
        vec![Some(ct.transpose(inverse))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Transpose(self.axes.clone()))
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{Bool, F32};
        let of = |shape: Shape, axes: &[usize], dtype| {
            Sample::new(Transpose { axes: axes.to_vec() }, [Meta::new(shape, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([3, 5].into(), &[1, 0], F32),
            of([2, 3, 4].into(), &[2, 0, 1], F32).named("rotated"),
            of([2, 1, 3, 2].into(), &[0, 2, 1, 3], F32).named("inner axes"),
            of([2, 3, 4, 5].into(), &[3, 2, 1, 0], F32).named("reversed"),
            of([2, 3, 2, 3, 2].into(), &[4, 2, 3, 0, 1], F32).named("five axes"),
            of([33, 65].into(), &[1, 0], F32).named("past a tile"),
            of([].into(), &[], F32).named("scalar"),
            of([2, 0, 3].into(), &[2, 1, 0], F32).named("empty"),
            of([4, 3].into(), &[1, 0], Bool).without_gradient(),
        ];
        with_halves(samples, &["rotated", "past a tile"])
    }
}
