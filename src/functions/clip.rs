//! Clipping to bounds that are numbers or tensors.

use super::{
    definition::elementwise,
    precision::{in_f32, rounded_once},
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::{
        binary::Operand,
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// `x` clipped to the range from `low` to `high`, each of them a number or a tensor. An infinite
    /// number is no bound: `x.clip(0.0, f64::INFINITY)`; for one bound see also
    /// [`maximum`](Self::maximum) and [`minimum`](Self::minimum).
    ///
    /// # Shapes
    ///
    /// Bounds and `x` broadcast.
    ///
    /// # Numerics
    ///
    /// NaN where any of them is. Where a tensor of lower bounds exceeds the upper one, the upper one
    /// counts.
    ///
    /// # Gradient
    ///
    /// As PyTorch has it. Between numbers: 1 inside, and 0 at the ends and beyond. With a tensor: 1
    /// for `x` inside, 1 for a bound that `x` is beyond, half for either where they are equal; where
    /// both bounds are equal to `x`, 1 for `x` alone. Where one is NaN, the cotangent of
    /// [`maximum`](Self::maximum) and [`minimum`](Self::minimum).
    ///
    /// # Errors
    ///
    /// [`OpError::Number`] if a number is NaN; [`OpError::Argument`] if `low` and `high` are
    /// numbers and `low` exceeds `high`; [`OpError::Broadcast`]; [`OpError::DTypes`];
    /// [`OpError::Unrepresentable`] for a number that an integer type does not have.
    ///
    /// # Source
    ///
    /// PyTorch's `clamp`.
    #[doc(alias("clamp", "clip_by_value", "clamp_min", "clamp_max"))]
    #[track_caller]
    pub fn clip<L: Operand<'g>, H: Operand<'g>>(self, low: L, high: H) -> Tensor<'g> {
        match (low.number(), high.number()) {
            (Some(low), Some(high)) => self.clip_to_numbers("clip", low, high),
            _ => self.clip_to_tensors(low, high),
        }
    }

    #[track_caller]
    pub(super) fn clip_to_numbers(self, function: &'static str, low: f64, high: f64) -> Tensor<'g> {
        let bounds = [("low", low, Must::BeANumber), ("high", high, Must::BeANumber)];
        if let Some(refused) = self.graph().refuse_invalid(function, &[self], &bounds) {
            return refused;
        }
        if low > high {
            let reason = OpError::Argument("the lower bound exceeds the upper one");
            return self.graph().refuse(function, &[self], reason);
        }
        if self.dtype().is_int() {
            let low = if low == f64::NEG_INFINITY { self } else { self.maximum(low) };
            return if high == f64::INFINITY { low } else { low.minimum(high) };
        }
        in_f32(function, [self], |[x]| {
            let (low, high) = (constant(x, low), constant(x, high));
            x.less_equal(low).select(low, x.greater_equal(high).select(high, x))
        })
    }

    #[track_caller]
    fn clip_to_tensors<L: Operand<'g>, H: Operand<'g>>(self, low: L, high: H) -> Tensor<'g> {
        let numbers = [("low", low.number()), ("high", high.number())];
        let given = numbers.map(|(what, number)| (what, number.unwrap_or(0.0), Must::BeANumber));
        if let Some(refused) = self.graph().refuse_invalid("clip", &[self], &given) {
            return refused;
        }
        let mut operands = vec![self];
        // Numbers are none of the operands: they stay f32 beside halves.
        if L::NUMBER.is_none() {
            operands.push(low.tensor_like(self));
        }
        if H::NUMBER.is_none() {
            operands.push(high.tensor_like(self));
        }
        let shape = operands
            .iter()
            .try_fold(self.shape(), |shape, operand| shape.broadcast_with(&operand.shape()));
        if shape.is_none() {
            return self.graph().refuse("clip", &operands, OpError::Broadcast);
        }
        rounded_once("clip", &operands, |wide| {
            let (x, mut tensors) = (wide[0], wide[1..].iter().copied());
            let [low, high] = numbers.map(|(_, number)| match number {
                None => tensors.next(),
                Some(number) => number.is_finite().then(|| x.full_like(number)),
            });
            match (low, high) {
                (Some(low), Some(high)) => between(x, low, high),
                (Some(low), None) => x.maximum(low),
                (None, Some(high)) => x.minimum(high),
                (None, None) => x,
            }
        })
    }
}

/// `x` between two tensors.
#[track_caller]
fn between<'g>(x: Tensor<'g>, low: Tensor<'g>, high: Tensor<'g>) -> Tensor<'g> {
    // Shares at ties are those of maximum and minimum, except where nothing lies in between.
    let pinned = x.less(low).select(low, x.greater(high).select(high, x));
    low.equal(high).select(pinned, x.maximum(low).minimum(high))
}

/// The definition.
fn clipped(x: f64, low: f64, high: f64) -> f64 {
    if x.is_nan() || low.is_nan() || high.is_nan() { f64::NAN } else { x.max(low).min(high) }
}

/// Samples of numbers, of tensors, of one of each, and of integers.
pub(super) fn samples() -> Vec<Sample> {
    let numbers = elementwise("clip", |x| x.clip(-0.5, 0.7), |x| x.clamp(-0.5, 0.7));
    let tensors = Function::new(
        "clip",
        |x| x[0].clip(x[1], x[2]),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                clipped(x[0].at(&c), x[1].at(&c[1..]), x[2].at(&c))
            })
        },
    );
    let below = Function::new(
        "clip",
        |x| x[0].clip(-0.25, x[1]),
        |x| Array64::from_fn(x[0].meta.clone(), |c| clipped(x[0].at(&c), -0.25, x[1].at(&c))),
    );
    let above = Function::new(
        "clip",
        |x| x[0].clip(x[1], f64::INFINITY),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                clipped(x[0].at(&c), x[1].at(&c), f64::INFINITY)
            })
        },
    );
    let of = |dims: &[usize], dtype| Meta::new(dims, dtype);
    let floats = |dims: &[usize]| of(dims, DType::F32);
    let chosen = (Bound::Exact, "one of the operands");
    let x = Domain::Values(&[-2.0, 0.125, 2.25, -1.5, 0.25, 0.0, 1.75]);
    let three = |dtype| {
        let operands = [of(&[3, 7], dtype), of(&[7], dtype), of(&[3, 7], dtype)];
        Sample::new(tensors.clone(), operands).bound(chosen.0, chosen.1)
    };
    let two = |function: &Function| {
        let sample = Sample::new(function.clone(), [floats(&[3, 7]), floats(&[3, 7])]);
        sample.operand(0, x.clone()).bound(chosen.0, chosen.1)
    };
    let low = Domain::Values(&[-1.0, -0.5, 0.0, f64::NAN, 1.0]);
    let integers = |function: Function, dtype| {
        let sample = Sample::new(function, [of(&[9], dtype)]);
        sample.operand(0, Domain::Below(12)).bound(Bound::Exact, "integers are exact")
    };
    vec![
        Sample::new(numbers, [floats(&[4, 17])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(1), "constants are rounded"),
        three(DType::F32)
            .operand(0, x.clone())
            .operand(1, Domain::Range(-1.0, -0.5))
            .operand(2, Domain::Range(0.5, 1.0))
            .named("tensors"),
        two(&below).operand(1, Domain::Range(0.5, 1.0)).named("number and tensor"),
        two(&above).operand(1, Domain::Range(-1.0, -0.5)).named("no upper bound"),
        three(DType::F32)
            .operand(0, Domain::Values(&[-1.0, 0.5, 1.0, f64::INFINITY]))
            .operand(1, low)
            .operand(2, Domain::Values(&[1.0, 0.5, f64::INFINITY, 0.5, f64::NAN, 1.0]))
            .without_gradient()
            .named("ties, crossed bounds and NaN"),
        Sample::new(tensors.clone(), [floats(&[1, 5]), floats(&[5]), floats(&[1, 5])])
            .operand(0, Domain::Values(&[-1.0, -1.0, 1.0, 0.5, 2.0]))
            .operand(1, Domain::Values(&[-1.0, -1.0, -1.0, 0.5, 3.0]))
            .operand(2, Domain::Values(&[1.0, -1.0, 1.0, 0.5, 1.0]))
            .bound(chosen.0, chosen.1)
            .convention(0, [0.5, 1.0, 0.5, 1.0, 0.0])
            .named("ends"),
        three(DType::I32).operand(1, Domain::Below(5)).operand(2, Domain::Below(50)),
        integers(elementwise("clip", |x| x.clip(2, 7), |x| x.clamp(2.0, 7.0)), DType::I32),
        integers(elementwise("clip", |x| x.clip(3u32, f64::INFINITY), |x| x.max(3.0)), DType::U32),
    ]
}
