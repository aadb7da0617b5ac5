//! NumPy-style broadcasting.

use super::class::Layout;
use super::*;
use crate::shape::{Integers, Shape};

/// Repeats axes that are missing or have extent 1; shapes are aligned at the last axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    pub(crate) shape: Shape,
}

impl std::fmt::Display for Broadcast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "broadcast{}", self.shape)
    }
}

impl<'g> Tensor<'g> {
    /// Broadcasts to `shape` by repeating axes that are missing or have extent 1. An extent of -1 stays
    /// what it is.
    ///
    /// # Gradient
    ///
    /// The sum over the repetitions.
    ///
    /// # Errors
    ///
    /// [`OpError::Target`] if the shape does not broadcast to that one; [`OpError::Number`] for an
    /// extent below -1, or one of -1 along an axis that is missing.
    #[doc(alias("expand", "expand_as"))]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Integers) -> Tensor<'g> {
        match kept(&shape.integers(), &self.shape()) {
            Ok(shape) if shape == self.shape() => self,
            Ok(shape) => self.graph.push(Broadcast { shape }, &[self]),
            Err(reason) => self.graph.refuse("broadcast", &[self], reason),
        }
    }

    /// Broadcasts both to their common shape, if any; a failed operand leaves both unchanged.
    #[track_caller]
    pub(crate) fn broadcast_together(self, other: Tensor<'g>) -> Option<[Tensor<'g>; 2]> {
        if self.failed() || other.failed() {
            return Some([self, other]);
        }
        let common = self.shape().broadcast_with(&other.shape())?;
        Some([self.broadcast_to(&common), other.broadcast_to(&common)])
    }

    /// Sums over the repetitions of a broadcast from `shape`: the adjoint of
    /// [`Tensor::broadcast_to`].
    #[track_caller]
    pub(crate) fn sum_to(self, shape: &Shape) -> Tensor<'g> {
        let own = self.shape();
        if self.failed() || own == *shape {
            return self;
        }
        let lead = own.rank() - shape.rank();
        let repeated = |axis: &usize| {
            *axis < lead || (shape.dims()[axis - lead] == 1 && own.dims()[*axis] != 1)
        };
        let axes: Vec<_> = (0..own.rank()).filter(repeated).map(|axis| axis as i32).collect();
        self.sum_keepdims(axes.as_slice()).reshape(shape)
    }
}

/// Extents of a broadcast of `shape`, in which those of -1 are its own.
fn kept(extents: &[i64], shape: &Shape) -> Result<Shape, OpError> {
    let own = |axis: usize| Some(shape.dims()[(axis + shape.rank()).checked_sub(extents.len())?]);
    let extent = |(axis, &extent): (usize, &i64)| match (extent, own(axis)) {
        (0.., _) => Ok(usize::try_from(extent).unwrap_or(usize::MAX)),
        (-1, Some(own)) => Ok(own),
        _ => {
            let (what, must) = ("extent", "at least 0, or -1 for that of an axis");
            Err(OpError::Number { what, must, is: extent as f64 })
        }
    };
    Ok(extents.iter().enumerate().map(extent).collect::<Result<Vec<_>, _>>()?.into())
}

impl Operation for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        match x.shape.broadcast_with(&self.shape) {
            Some(common) if common == self.shape => Ok(Meta::new(common, x.dtype)),
            _ => Err(OpError::Target(self.shape.clone())),
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let lead = self.shape.rank() - x.shape().rank();
        Array64::from_fn(Meta::new(&self.shape, x.meta.dtype), |c| {
            let aligned = c[lead..].iter().zip(x.shape().dims());
            let from: Vec<_> = aligned.map(|(&c, &dim)| if dim == 1 { 0 } else { c }).collect();
            x.at(&from)
        })
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        vec![Some(ct.sum_to(&operands[0].shape()))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Broadcast)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{F32, U32};
        let of = |from: Shape, to: Shape, dtype| {
            Sample::new(Broadcast { shape: to }, [Meta::new(from, dtype)])
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of([5].into(), [3, 5].into(), F32).named("missing axis"),
            of([2, 1, 4].into(), [2, 3, 4].into(), F32).named("middle axis"),
            of([3, 1].into(), [2, 3, 7].into(), F32).named("both ends"),
            of([].into(), [2, 3].into(), F32).named("scalar"),
            of([1, 3].into(), [0, 3].into(), F32).named("to nothing"),
            of([3, 1].into(), [3, 4].into(), U32).without_gradient(),
        ];
        with_halves(samples, &["middle axis", "scalar"])
    }
}
