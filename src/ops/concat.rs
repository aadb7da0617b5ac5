//! Concatenation.

use super::class::Layout;
use super::*;
use crate::{graph::Graph, shape::resolve_axis};

/// Concatenates one to four operands along an axis.
///
/// Four keep a step within the buffers every adapter can bind; the builder nests larger ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    pub(crate) axis: usize,
}

/// Maximum number of operands of one node.
const MAX_OPERANDS: usize = 4;

impl std::fmt::Display for Concat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "concat[{}]", self.axis)
    }
}

impl Graph {
    /// Concatenates the tensors along an existing axis.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] if there is no tensor; [`OpError::Axis`]; [`OpError::DTypes`];
    /// [`OpError::Extents`] if other extents differ.
    #[doc(alias("cat", "concatenate", "hstack", "vstack"))]
    #[track_caller]
    pub fn concat<'g>(&'g self, tensors: &[Tensor<'g>], axis: i32) -> Tensor<'g> {
        let Some(&first) = tensors.first() else {
            return self.refuse("concat", &[], OpError::Argument("needs at least one tensor"));
        };
        let axis = match resolve_axis(axis, first.rank()) {
            Ok(axis) => axis,
            Err(reason) => return self.refuse("concat", tensors, reason),
        };
        let mut parts = tensors.to_vec();
        while parts.len() > 1 {
            let mut joined = Vec::with_capacity(parts.len().div_ceil(MAX_OPERANDS));
            for part in parts.chunks(MAX_OPERANDS) {
                // A loop, not a closure: closures lose the caller's location.
                joined.push(match part {
                    &[only] => only,
                    part => self.push(Concat { axis }, part),
                });
            }
            parts = joined;
        }
        parts[0]
    }

    /// Stacks the tensors along a new axis, which becomes `axis` of the result.
    ///
    /// # Errors
    ///
    /// As for [`Graph::concat`].
    #[track_caller]
    pub fn stack<'g>(&'g self, tensors: &[Tensor<'g>], axis: i32) -> Tensor<'g> {
        let mut parts = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            parts.push(tensor.unsqueeze(axis));
        }
        self.concat(&parts, axis)
    }
}

impl Operation for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let first = &operands[0];
        let mut dims = first.shape.dims().to_vec();
        for operand in &operands[1..] {
            let (lhs, rhs) = (dims.len(), operand.shape.rank());
            if operand.dtype != first.dtype {
                return Err(OpError::DTypes);
            }
            if lhs != rhs {
                return Err(OpError::Extents { what: "numbers of axes", lhs, rhs });
            }
            for (axis, (dim, &other)) in dims.iter_mut().zip(operand.shape.dims()).enumerate() {
                if axis == self.axis {
                    *dim = dim.checked_add(other).ok_or(OpError::TooLarge)?;
                } else if *dim != other {
                    return Err(OpError::Extents { what: "extents", lhs: *dim, rhs: other });
                }
            }
        }
        Ok(Meta::new(dims, first.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let mut dims = operands[0].shape().dims().to_vec();
        dims[self.axis] = operands.iter().map(|x| x.shape().dims()[self.axis]).sum();
        Array64::from_fn(Meta::new(dims, operands[0].meta.dtype), |mut c| {
            for x in operands {
                let extent = x.shape().dims()[self.axis];
                if c[self.axis] < extent {
                    return x.at(&c);
                }
                c[self.axis] -= extent;
            }
            unreachable!("the extents add up to that of the result")
        })
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let axis = self.axis as i32;
        let mut start = 0;
        let mut cotangents = Vec::with_capacity(operands.len());
        for operand in operands {
            let end = start + operand.dim(axis);
            cotangents.push(Some(ct.slice(axis, start..end)));
            start = end;
        }
        cotangents
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Layout(Layout::Concat { axis: self.axis })
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::{F32, I32};
        let of = |axis: usize, dims: &[&[usize]], dtype| {
            Sample::new(Concat { axis }, dims.iter().map(|&dims| Meta::new(dims, dtype)))
                .bound(Bound::Exact, "elements are not touched")
        };
        let samples = vec![
            of(0, &[&[3], &[5]], F32),
            of(1, &[&[2, 3, 2], &[2, 1, 2], &[2, 4, 2]], F32).named("middle axis"),
            of(1, &[&[3, 2], &[3, 0], &[3, 1], &[3, 5]], F32).named("four, one empty"),
            of(0, &[&[3, 2]], F32).named("one"),
            of(1, &[&[0, 2], &[0, 3]], F32).named("nothing"),
            of(0, &[&[2, 3], &[1, 3]], I32).without_gradient(),
        ];
        with_halves(samples, &["", "middle axis"])
    }
}
