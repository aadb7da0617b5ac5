//! Selection: `y[i] = if condition[i] { a[i] } else { b[i] }`.

use super::*;
use super::{
    binary::Operand,
    class::Pointwise,
    scalar::{Scalar, Wgsl},
};
use crate::dtype::DType;

/// Selects between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select;

impl Scalar for Select {
    fn wgsl(&self, x: &[&str], _: DType, _: DType) -> Wgsl {
        let (condition, a, b) = (x[0], x[1], x[2]);
        Wgsl::new(format!("select({b}, {a}, {condition})"))
    }

    fn cpu(&self, x: &[&[u32]], _: DType, _: DType, out: &mut [u32]) {
        let chosen = x[0].iter().zip(x[1]).zip(x[2]);
        for (y, ((&condition, &a), &b)) in out.iter_mut().zip(chosen) {
            *y = if condition != 0 { a } else { b };
        }
    }

    fn eval(&self, x: &[f64], _: DType, _: DType) -> f64 {
        if x[0] != 0.0 { x[1] } else { x[2] }
    }

    fn accuracy(&self, _: DType, _: DType) -> (Bound, &'static str) {
        (Bound::Exact, "one of the operands")
    }
}

impl<'g> Tensor<'g> {
    /// `a` where this boolean is true, otherwise `b`; all three broadcast. Either may be a number,
    /// which takes the element type of the other; of two numbers it is that of the first: f32 for
    /// `mask.select(1.0, 0.0)`, i32 for `mask.select(1, 0)`.
    ///
    /// # Gradient
    ///
    /// The cotangent goes to the selected operand; the other gets exactly 0, whatever its
    /// value.
    ///
    /// # Errors
    ///
    /// [`OpError::Broadcast`]; [`OpError::DTypes`] if `a` and `b` differ; [`OpError::DType`]
    /// unless this is a boolean.
    #[doc(alias("where", "torch.where", "np.where"))]
    #[track_caller]
    pub fn select<A: Operand<'g>, B: Operand<'g>>(self, a: A, b: B) -> Tensor<'g> {
        let [a, b] = match (A::NUMBER, B::NUMBER) {
            (Some(_), None) => {
                let b = b.tensor_like(self);
                [a.tensor_like(b), b]
            }
            (None, _) => {
                let a = a.tensor_like(self);
                [a, b.tensor_like(a)]
            }
            (Some(dtype), Some(_)) => {
                let like = self.graph.full([], dtype, 0.0);
                [a.tensor_like(like), b.tensor_like(like)]
            }
        };
        let together = self
            .shape()
            .broadcast_with(&a.shape())
            .and_then(|shape| shape.broadcast_with(&b.shape()));
        match together {
            Some(shape) => {
                let operands = [self, a, b].map(|x| x.broadcast_to(shape.clone()));
                self.graph.push(Select, &operands)
            }
            None => self.graph.refuse("select", &[self, a, b], OpError::Broadcast),
        }
    }
}

impl std::fmt::Display for Select {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("select")
    }
}

impl Operation for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [condition, a, b] = operands else { unreachable!("select has three operands") };
        if condition.dtype != DType::Bool {
            return Err(OpError::DType(condition.dtype));
        }
        if a.dtype != b.dtype {
            return Err(OpError::DTypes);
        }
        // The builder broadcasts, so the shapes are equal.
        if condition.shape == a.shape && a.shape == b.shape {
            Ok(a.clone())
        } else {
            Err(OpError::Broadcast)
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [condition, a, b] = operands else { unreachable!("select has three operands") };
        let chosen = condition.data.iter().zip(a.data.iter().zip(&b.data));
        let data = chosen.map(|(&holds, (&a, &b))| if holds != 0.0 { a } else { b }).collect();
        Array64 { meta: a.meta.clone(), data }
    }

    fn vjp<'g>(&self, x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        let zero = ct.full_like(0.0);
        vec![None, Some(x[0].select(ct, zero)), Some(x[0].select(zero, ct))]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Pointwise(Pointwise::Select)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::elementwise(1.0, operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype| {
            let condition = Meta::new([3, 7], DType::Bool);
            let value = Meta::new([3, 7], dtype);
            Sample::new(Select, [condition, value.clone(), value])
                .bound(Bound::Exact, "one of the operands")
        };
        let samples = vec![
            of(DType::F32),
            of(DType::I32),
            of(DType::Bool),
            of(DType::F32)
                .operand(1, Domain::Values(&[1.0, f64::NAN, f64::INFINITY]))
                .without_gradient()
                .named("NaN"),
        ];
        with_halves(samples, &["", "NaN"])
    }
}
