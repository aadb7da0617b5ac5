//! Largest or smallest updates by index, beside the elements that are there.

use super::*;
use super::{composite::Composite, reduce::ReduceFn};
use crate::dtype::DType;

/// Runs of updates that go to one place: their order, and where each run ends.
///
/// Combining neighbors 1, 2, 4, .. apart, but none across the begin of a run, leaves at the end of
/// each run what all of it combines to, in an order that follows from the places alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'g> {
    /// The updates, those of one place side by side and in their order.
    order: Tensor<'g>,
    /// The place of each, in this order.
    keys: Tensor<'g>,
    /// For each place, one more than the position of the last of its updates in this order; 0 where
    /// it has none.
    ends: Tensor<'g>,
}

impl<'g> Runs<'g> {
    /// Of at least one update; those whose places are not below `extent` are left out.
    #[track_caller]
    pub(crate) fn new(places: Tensor<'g>, extent: usize) -> Self {
        let order = places.argsort(0, false);
        let keys = places.index_select(order, 0);
        let next = keys.slice(0, 1..).pad([(0, 1)], f64::from(u32::MAX));
        let outside = keys.full_like(extent as f64);
        let ends = keys.not_equal(next).select(keys, outside);
        let position = places.graph().iota(places.shape(), 0, DType::U32) + 1u32;
        Runs { order, keys, ends: position.scatter_add(ends, 0, extent) }
    }

    /// Whether there are updates for each place.
    #[track_caller]
    pub(crate) fn is_written(self) -> Tensor<'g> {
        self.ends.not_equal(0u32)
    }

    /// The number of the last update of each place; any where there is none.
    #[track_caller]
    pub(crate) fn last(self) -> Tensor<'g> {
        self.order.index_select(self.ends - 1u32, 0)
    }

    /// What the updates of each place combine to; `neutral` changes nothing.
    #[track_caller]
    pub(crate) fn combined(
        self,
        updates: Tensor<'g>,
        neutral: f64,
        combine: impl Fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let mut y = updates.index_select(self.order, 0);
        let (count, mut reach) = (y.dim(0), 1);
        while reach < count {
            let before =
                |x: Tensor<'g>, value| x.slice(0, ..count - reach).pad([(reach, 0)], value);
            let is_same = self.keys.equal(before(self.keys, f64::from(u32::MAX)));
            let other = before(y, neutral);
            y = combine(y, is_same.select(other, other.full_like(neutral)));
            reach *= 2;
        }
        let y = y.index_select(self.ends - 1u32, 0);
        self.is_written().select(y, y.full_like(neutral))
    }
}

/// The largest or smallest of an element and its updates, or of the updates alone where there are
/// some. Operands: elements `[extent]`, updates and their places in u32, both `[count]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterExtreme {
    /// Max or Min.
    pub(crate) function: ReduceFn,
    pub(crate) include_self: bool,
}

impl ScatterExtreme {
    /// What exceeds nothing.
    fn neutral(&self, dtype: DType) -> f64 {
        let (least, largest) = match dtype {
            DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            DType::U32 => (0.0, f64::from(u32::MAX)),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        if self.function == ReduceFn::Max { least } else { largest }
    }

    #[track_caller]
    fn combine<'g>(&self, a: Tensor<'g>, b: Tensor<'g>) -> Tensor<'g> {
        if self.function == ReduceFn::Max { a.maximum(b) } else { a.minimum(b) }
    }
}

impl std::fmt::Display for ScatterExtreme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let alone = if self.include_self { "" } else { "[updates alone]" };
        write!(f, "{}{alone}", Composite::name(self))
    }
}

impl Composite for ScatterExtreme {
    fn name(&self) -> &'static str {
        if self.function == ReduceFn::Max { "scatter_amax" } else { "scatter_amin" }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, updates, places] = operands else { unreachable!("it has three operands") };
        if places.dtype != DType::U32 {
            return Err(OpError::DType(places.dtype));
        }
        if x.dtype == DType::Bool {
            return Err(OpError::DType(x.dtype));
        }
        if x.dtype != updates.dtype {
            return Err(OpError::DTypes);
        }
        match (x.shape.rank(), updates.shape == places.shape) {
            (1, true) if places.shape.rank() == 1 => Ok(x.clone()),
            _ => Err(OpError::Target(places.shape.clone())),
        }
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [x, updates, places] = *operands else { unreachable!("it has three operands") };
        if places.dim(0) == 0 {
            return x;
        }
        let runs = Runs::new(places, x.dim(0));
        let neutral = self.neutral(x.dtype());
        let extreme = runs.combined(updates, neutral, |a, b| self.combine(a, b));
        let y = if self.include_self { self.combine(x, extreme) } else { extreme };
        runs.is_written().select(y, x)
    }

    /// Shared evenly among those that are equal to the result, as by a reduction.
    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [x, updates, places] = *operands else { unreachable!("it has three operands") };
        let extent = x.dim(0);
        let of_updates = updates.equal(y.index_select(places, 0)).cast(ct.dtype());
        let own = if self.include_self {
            x.equal(y)
        } else {
            let count = places.full_like(1.0).scatter_add(places, 0, extent);
            count.equal(0u32).and(x.equal(y))
        };
        let own = own.cast(ct.dtype());
        let share = ct / (own + of_updates.scatter_add(places, 0, extent));
        let to_updates = share.index_select(places, 0) * of_updates;
        Some(vec![Some(share * own), Some(to_updates), None])
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[1].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |function, include_self, count: usize, dtype| {
            let operands =
                [Meta::new([5], dtype), Meta::new([count], dtype), Meta::new([count], DType::U32)];
            let sample = Sample::new(ScatterExtreme { function, include_self }, operands);
            sample
                .operand(2, Domain::Values(&[3.0, 0.0, 3.0, 7.0, 1.0, 0.0, 3.0]))
                .bound(Bound::Exact, "one of the operands")
        };
        use ReduceFn::{Max, Min};
        let distinct = |sample: Sample| {
            sample
                .operand(0, Domain::Values(&[0.5, -1.5, 0.25, 2.0, -0.75]))
                .operand(1, Domain::Values(&[0.125, -0.5, 1.5, 3.0, -2.0, 0.75, 2.5, -3.0, 1.0]))
        };
        let floats = |function, include_self| distinct(of(function, include_self, 9, DType::F32));
        let samples = vec![
            floats(Max, true),
            floats(Min, true),
            floats(Max, false),
            floats(Min, false),
            of(Max, true, 7, DType::F32)
                .operand(0, Domain::Values(&[1.0, 1.0, 1.0, 2.0, 1.0]))
                .operand(1, Domain::Values(&[2.0, 0.5, 2.0, 9.0, 1.0]))
                .convention(0, [0.0, 0.5, 1.0, 1.0 / 3.0, 1.0])
                .named("ties"),
            of(Max, true, 0, DType::F32).named("no updates"),
            of(Max, true, 7, DType::F32)
                .operand(0, Domain::Values(&[f64::NAN, f64::NEG_INFINITY, 1.0]))
                .operand(1, Domain::Values(&[f64::INFINITY, 0.5, f64::NAN, 9.0, f64::NEG_INFINITY]))
                .without_gradient()
                .named("NaN and infinite"),
            of(Max, true, 9, DType::I32),
            of(Min, false, 9, DType::U32),
        ];
        with_halves(samples, &["", "NaN and infinite"])
    }
}
