//! Coordinates as values.

use super::*;
use crate::{
    dtype::DType,
    graph::Graph,
    shape::{Shape, resolve_axis},
};

/// Each element is its coordinate along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Iota {
    pub(crate) axis: usize,
    pub(crate) meta: Meta,
}

impl std::fmt::Display for Iota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "iota[axis {}]", self.axis)
    }
}

impl Graph {
    /// `y[.., i, ..] = i` along `axis`.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for bool.
    #[doc(alias = "arange")]
    #[track_caller]
    pub fn iota(&self, shape: impl Into<Shape>, axis: i32, dtype: DType) -> Tensor<'_> {
        let meta = Meta::new(shape, dtype);
        match resolve_axis(axis, meta.shape.rank()) {
            Ok(axis) => self.push(Iota { axis, meta }, &[]),
            Err(reason) => self.refuse("iota", &[], reason),
        }
    }
}

impl Operation for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }

    fn infer(&self, _: &[Meta]) -> Result<Meta, OpError> {
        match self.meta.dtype {
            DType::Bool => Err(OpError::DType(DType::Bool)),
            _ => Ok(self.meta.clone()),
        }
    }

    fn eval(&self, _: &[&Array64]) -> Array64 {
        Array64::from_fn(self.meta.clone(), |coordinate| coordinate[self.axis] as f64)
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Iota(self.axis)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |shape: &[usize], axis, dtype| {
            Sample::new(Iota { axis, meta: Meta::new(shape, dtype) }, [])
                .bound(Bound::Exact, "coordinates are exact")
        };
        vec![
            of(&[3, 5, 2], 1, DType::F32),
            of(&[3, 5, 3], 1, DType::F16),
            of(&[7], 0, DType::U32),
            of(&[2, 3], 0, DType::I32),
            of(&[2, 0], 1, DType::F32),
        ]
    }
}
