//! The same elements in another shape.

use super::class::Layout;
use super::*;
use crate::{
    extents::inferred,
    shape::{Axes, Integers, Shape, resolve_axis},
};

/// Changes the shape, and keeps the elements and their row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    pub(crate) shape: Shape,
}

impl std::fmt::Display for Reshape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "reshape{}", self.shape)
    }
}

impl<'g> Tensor<'g> {
    /// The same tensor as a separate node.
    #[track_caller]
    pub(crate) fn alias(self) -> Tensor<'g> {
        self.graph.push(Reshape { shape: self.shape() }, &[self])
    }

    /// The same elements, in the same row-major order, with another shape. One extent may be -1: it
    /// follows from the others.
    ///
    /// ```
    /// use wgrad::{DType, Graph};
    /// let graph = Graph::new();
    /// let x = graph.input("x", [2, 3, 4], DType::F32);
    /// assert_eq!(x.reshape([-1, 4]).shape().dims(), [6, 4]);
    /// assert_eq!(x.reshape(-1).shape().dims(), [24]);
    /// ```
    ///
    /// # Errors
    ///
    /// [`OpError::Target`] if the numbers of elements differ; [`OpError::Number`] for an extent below
    /// -1; [`OpError::Indivisible`] if none makes up the rest; [`OpError::Argument`] if several are -1,
    /// or one is beside an extent of 0, where it could be any.
    #[doc(alias("view", "view_as"))]
    #[track_caller]
    pub fn reshape(self, shape: impl Integers) -> Tensor<'g> {
        match inferred(&shape.integers(), self.shape().len()) {
            Ok(shape) if shape == self.shape() => self,
            Ok(shape) => self.graph.push(Reshape { shape }, &[self]),
            Err(reason) => self.graph.refuse("reshape", &[self], reason),
        }
    }

    /// Merges `axis` and all axes after it into one; a scalar becomes one element.
    ///
    /// # Shapes
    ///
    /// `[a, b, c, d] -> [a, b * c * d]` for axis 1.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    #[doc(alias = "ravel")]
    #[track_caller]
    pub fn flatten(self, axis: i32) -> Tensor<'g> {
        let shape = self.shape();
        match resolve_axis(axis, shape.rank().max(1)) {
            Ok(axis) => {
                let (kept, merged) = shape.dims().split_at(axis);
                self.reshape([kept, &[Shape::from(merged).len()]].concat())
            }
            Err(reason) => self.graph.refuse("flatten", &[self], reason),
        }
    }

    /// Inserts an axis of extent 1, which becomes `axis` of the result.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    #[doc(alias("expand_dims", "newaxis"))]
    #[track_caller]
    pub fn unsqueeze(self, axis: i32) -> Tensor<'g> {
        let mut dims = self.shape().dims().to_vec();
        match resolve_axis(axis, dims.len() + 1) {
            Ok(axis) => {
                dims.insert(axis, 1);
                self.reshape(dims)
            }
            Err(reason) => self.graph.refuse("unsqueeze", &[self], reason),
        }
    }

    /// Drops axes of extent 1.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Number`] if an extent is not 1.
    #[track_caller]
    pub fn squeeze(self, axes: impl Axes) -> Tensor<'g> {
        let shape = self.shape();
        let axes = match axes.resolve(shape.rank()) {
            Ok(axes) => axes,
            Err(reason) => return self.graph.refuse("squeeze", &[self], reason),
        };
        match axes.iter().map(|&axis| shape.dims()[axis]).find(|&dim| dim != 1) {
            None => self.reshape(shape.without(&axes)),
            Some(dim) => {
                let what = "the extent of a dropped axis";
                let reason = OpError::Number { what, must: "1", is: dim as f64 };
                self.graph.refuse("squeeze", &[self], reason)
            }
        }
    }
}

impl Operation for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        if self.shape.checked_len() == x.shape.checked_len() {
            Ok(Meta::new(&self.shape, x.dtype))
        } else {
            Err(OpError::Target(self.shape.clone()))
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        Array64 { meta: Meta::new(&self.shape, x.meta.dtype), data: x.data.clone() }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        vec![Some(ct.reshape(operands[0].shape()))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Reshape)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{F32, I32};
        let of = |from: Shape, to: Shape, dtype| {
            Sample::new(Reshape { shape: to }, [Meta::new(from, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([2, 3, 4].into(), [6, 4].into(), F32),
            of([7, 5].into(), [5, 1, 7].into(), F32).named("across rows"),
            of([].into(), [1, 1].into(), F32).named("scalar"),
            of([3, 0].into(), [0, 2].into(), F32).named("empty"),
            of([4, 3].into(), [12].into(), I32).without_gradient(),
        ];
        with_halves(samples, &["", "across rows", "scalar"])
    }
}
