//! Constant tensors.

use super::*;
use crate::{dtype::DType, graph::Graph, shape::Shape};

/// A tensor whose elements are all equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Full {
    /// As written by [`DType::to_word`], so that equal bits make equal operations.
    pub(crate) word: u32,
    pub(crate) meta: Meta,
}

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "full[{}]", self.meta.dtype.from_word(self.word))
    }
}

impl Graph {
    /// A tensor whose elements are all `value`, rounded to `dtype` if that has floats.
    ///
    /// # Errors
    ///
    /// [`OpError::TooLarge`]; [`OpError::Unrepresentable`] for a number that an integer type does
    /// not have: a negative u32, a fraction.
    #[doc(alias("zeros", "ones", "fill"))]
    #[track_caller]
    pub fn full(&self, shape: impl Into<Shape>, dtype: DType, value: f64) -> Tensor<'_> {
        let meta = Meta::new(shape, dtype);
        if !dtype.holds(value) {
            return self.refuse("full", &[], OpError::Unrepresentable { value, dtype });
        }
        self.push(Full { word: dtype.to_word(value), meta }, &[])
    }
}

impl<'g> Tensor<'g> {
    /// A tensor of the same shape and type whose elements are all `value`.
    ///
    /// # Errors
    ///
    /// Same as [`full`](Graph::full).
    #[doc(alias("zeros_like", "ones_like"))]
    #[track_caller]
    pub fn full_like(self, value: f64) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        self.graph.full(self.shape(), self.dtype(), value)
    }
}

impl Operation for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn infer(&self, _: &[Meta]) -> Result<Meta, OpError> {
        Ok(self.meta.clone())
    }

    fn eval(&self, _: &[&Array64]) -> Array64 {
        let value = self.meta.dtype.from_word(self.word);
        Array64 { meta: self.meta.clone(), data: vec![value; self.meta.shape.len()] }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Full(self.word)
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost::moved(operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype: DType, value: f64| {
            let op = Full { word: dtype.to_word(value), meta: Meta::new([3, 5], dtype) };
            Sample::new(op, []).bound(Bound::Exact, "a constant is stored as it is")
        };
        vec![
            of(DType::F32, 0.1),
            of(DType::F16, 0.1),
            of(DType::F16, -65_504.0).named("least"),
            of(DType::F32, f64::from(f32::MAX)).named("largest"),
            of(DType::F32, f64::NEG_INFINITY).named("infinite"),
            of(DType::I32, -7.0),
            of(DType::U32, 4e9).named("past i32"),
            of(DType::Bool, 1.0),
        ]
    }
}

/// A constant like `x`, as a sum of two if an f32 cannot represent it: the reference then has it
/// to 48 bits; devices fold it into one.
#[track_caller]
pub(crate) fn constant(x: Tensor<'_>, number: f64) -> Tensor<'_> {
    let high = f64::from(number as f32);
    if high == number || !high.is_finite() {
        x.full_like(number)
    } else {
        x.full_like(high) + (number - high)
    }
}
