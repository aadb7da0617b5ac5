//! Reductions along axes: sum, product, maximum and minimum.

use super::scalar::Wgsl;
use super::*;
use crate::{
    dtype::DType,
    shape::{Axes, Shape},
};

/// Combines the elements along axes, which are kept with extent 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    pub(crate) function: ReduceFn,
    /// In increasing order.
    pub(crate) axes: Vec<usize>,
}

/// How two elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceFn {
    /// `a + b`; integers wrap.
    Sum,
    /// `a b`; integers wrap.
    Prod,
    /// The larger one; NaN if either is.
    Max,
    /// The smaller one; NaN if either is.
    Min,
}
use ReduceFn::*;

/// Number of partial results that [`ReduceFn::fold_words`] keeps side by side.
const LANES: usize = 16;

/// Calls a generic function with the given arguments and the combining function.
macro_rules! with_combine {
    ($function:expr, $dtype:expr, $call:ident($($argument:expr),*)) => {
        match ($function, $dtype) {
            (Sum, DType::F32 | DType::F16) => $call($($argument,)* |a: f32, b: f32| a + b),
            (Prod, DType::F32 | DType::F16) => $call($($argument,)* |a: f32, b: f32| a * b),
            (Max, DType::F32 | DType::F16) => {
                $call($($argument,)* |a: f32, b: f32| if a > b || a.is_nan() { a } else { b })
            }
            (Min, DType::F32 | DType::F16) => {
                $call($($argument,)* |a: f32, b: f32| if a < b || a.is_nan() { a } else { b })
            }
            (Sum, _) => $call($($argument,)* u32::wrapping_add),
            (Prod, _) => $call($($argument,)* u32::wrapping_mul),
            (Max, DType::I32) => $call($($argument,)* |a: i32, b: i32| a.max(b)),
            (Min, DType::I32) => $call($($argument,)* |a: i32, b: i32| a.min(b)),
            (Max, _) => $call($($argument,)* |a: u32, b: u32| a.max(b)),
            (Min, _) => $call($($argument,)* |a: u32, b: u32| a.min(b)),
        }
    };
}

impl ReduceFn {
    pub(crate) const ALL: [ReduceFn; 4] = [Sum, Prod, Max, Min];

    /// Its name in errors and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Sum => "sum",
            Prod => "prod",
            Max => "amax",
            Min => "amin",
        }
    }

    /// Error bound for combining `count` exact floats, and its justification.
    pub(crate) fn accuracy(self, count: usize) -> (Bound, &'static str) {
        match self {
            // Sums of more than 64 terms use at least 16 lanes, or chunks.
            Sum => {
                let roundings = if count <= 64 { count } else { count / 16 + 16 };
                (Bound::Terms(roundings as f64), "one rounding a term of a lane")
            }
            Prod => (Bound::Ulp(count as u32 + 1), "one rounding a factor"),
            Max | Min => (Bound::Exact, "one of the elements"),
        }
    }

    /// The neutral word of the reduction.
    pub(crate) fn identity(self, dtype: DType) -> u32 {
        // Conversion to an integer saturates: the smallest and the largest number.
        dtype.to_word(match self {
            Sum => 0.0,
            Prod => 1.0,
            Max => f64::NEG_INFINITY,
            Min => f64::INFINITY,
        })
    }

    /// The definition on floats.
    pub(crate) fn combine(self, a: f64, b: f64) -> f64 {
        match self {
            Sum => a + b,
            Prod => a * b,
            _ if a.is_nan() || b.is_nan() => f64::NAN,
            Max => a.max(b),
            Min => a.min(b),
        }
    }

    /// The definition on integers, before truncation to 32 bits.
    pub(crate) fn combine_int(self, a: i64, b: i64) -> i64 {
        match self {
            Sum => a + b,
            Prod => a.wrapping_mul(b),
            Max => a.max(b),
            Min => a.min(b),
        }
    }

    /// `fn combine(a: Acc, b: Acc) -> Acc`, with `Acc` an alias of this type.
    pub(crate) fn wgsl_combine(self, dtype: DType) -> Wgsl {
        let function = |expression: &str, lib| {
            let text = format!("fn combine(a: Acc, b: Acc) -> Acc {{ return {expression}; }}");
            Wgsl::with(text, lib)
        };
        match (self, dtype.is_float()) {
            (Sum, _) => function("a + b", &[]),
            (Prod, _) => function("a * b", &[]),
            (Max, true) => function("max_or_nan(a, b)", &["nan"]),
            (Min, true) => function("min_or_nan(a, b)", &["nan"]),
            (Max, false) => function("max(a, b)", &[]),
            (Min, false) => function("min(a, b)", &[]),
        }
    }

    /// `acc[i] = combine(acc[i], values[i])`, on words of this type.
    pub(crate) fn combine_words(self, dtype: DType, acc: &mut [u32], values: &[u32]) {
        fn run<T: bytemuck::Pod>(acc: &mut [u32], values: &[u32], combine: impl Fn(T, T) -> T) {
            let acc = bytemuck::cast_slice_mut::<u32, T>(acc);
            for (a, &b) in acc.iter_mut().zip(bytemuck::cast_slice::<u32, T>(values)) {
                *a = combine(*a, b);
            }
        }
        with_combine!(self, dtype, run(acc, values));
    }

    /// Combines `init` with all of `values`, words of this type.
    ///
    /// The order is fixed, so the result is the same everywhere: lane `l` of 16 takes values
    /// `l, l + 16, ..` in turn, then lane `l` takes lane `l + 8`, and so on by halves, and `init`
    /// is the first operand of the final combination.
    pub(crate) fn fold_words(self, dtype: DType, init: u32, values: &[u32]) -> u32 {
        fn run<T: bytemuck::Pod>(
            init: u32,
            identity: u32,
            values: &[u32],
            combine: impl Fn(T, T) -> T,
        ) -> u32 {
            let mut lanes = [bytemuck::cast::<u32, T>(identity); LANES];
            let (blocks, rest) = bytemuck::cast_slice::<u32, T>(values).as_chunks::<LANES>();
            for block in blocks {
                for (lane, &value) in lanes.iter_mut().zip(block) {
                    *lane = combine(*lane, value);
                }
            }
            for (lane, &value) in lanes.iter_mut().zip(rest) {
                *lane = combine(*lane, value);
            }
            let mut width = LANES / 2;
            while width > 0 {
                let (low, high) = lanes.split_at_mut(width);
                for (a, &b) in low.iter_mut().zip(&*high) {
                    *a = combine(*a, b);
                }
                width /= 2;
            }
            bytemuck::cast(combine(bytemuck::cast(init), lanes[0]))
        }
        with_combine!(self, dtype, run(init, self.identity(dtype), values))
    }
}

impl<'g> Tensor<'g> {
    #[track_caller]
    fn reduce(self, function: ReduceFn, axes: impl Axes, keepdims: bool) -> Tensor<'g> {
        let shape = self.shape();
        let axes = match axes.resolve(shape.rank()) {
            Ok(axes) => axes,
            Err(reason) => return self.graph.refuse(function.name(), &[self], reason),
        };
        let dropped = shape.without(&axes);
        let y = self.graph.push(Reduce { function, axes }, &[self]);
        if keepdims { y } else { y.reshape(dropped) }
    }

    /// Sum along `axes`, which are dropped; 0 over no elements. Integers wrap.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    #[doc(alias = "reduce_sum")]
    #[track_caller]
    pub fn sum(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Sum, axes, false)
    }

    /// Like [`Tensor::sum`], but keeps the axes with extent 1.
    #[doc(alias = "keepdim")]
    #[track_caller]
    pub fn sum_keepdims(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Sum, axes, true)
    }

    /// Product along `axes`, which are dropped; 1 over no elements. Integers wrap.
    ///
    /// # Gradient
    ///
    /// For each element the product of the others, correct even if elements are 0. It takes memory
    /// quadratic in each extent.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    #[doc(alias = "reduce_prod")]
    #[track_caller]
    pub fn prod(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Prod, axes, false)
    }

    /// Like [`Tensor::prod`], but keeps the axes with extent 1.
    #[doc(alias = "keepdim")]
    #[track_caller]
    pub fn prod_keepdims(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Prod, axes, true)
    }

    /// The largest element along `axes`, which are dropped; NaN if there is one. The indices that
    /// PyTorch's `max(dim)` returns as well are those of [`argmax`](Self::argmax); of two tensors it
    /// is [`maximum`](Self::maximum).
    ///
    /// # Gradient
    ///
    /// Shared evenly among the largest elements, as with PyTorch's `amax`; that of its `max(dim)`
    /// goes to one of them.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements;
    /// [`OpError::DType`] for booleans.
    #[doc(alias("max", "reduce_max"))]
    #[track_caller]
    pub fn amax(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Max, axes, false)
    }

    /// Like [`Tensor::amax`], but keeps the axes with extent 1.
    #[doc(alias = "keepdim")]
    #[track_caller]
    pub fn amax_keepdims(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Max, axes, true)
    }

    /// The smallest element along `axes`, which are dropped; NaN if there is one. The indices that
    /// PyTorch's `min(dim)` returns as well are those of [`argmin`](Self::argmin); of two tensors it
    /// is [`minimum`](Self::minimum).
    ///
    /// # Gradient
    ///
    /// Shared evenly among the smallest elements, as with PyTorch's `amin`; that of its `min(dim)`
    /// goes to one of them.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements;
    /// [`OpError::DType`] for booleans.
    #[doc(alias("min", "reduce_min"))]
    #[track_caller]
    pub fn amin(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Min, axes, false)
    }

    /// Like [`Tensor::amin`], but keeps the axes with extent 1.
    #[doc(alias = "keepdim")]
    #[track_caller]
    pub fn amin_keepdims(self, axes: impl Axes) -> Tensor<'g> {
        self.reduce(Min, axes, true)
    }
}

/// For each element along the axes, the product of the others: repeats one axis after another
/// along a new one, with the diagonal replaced by 1. No division, so zeros do not matter.
fn prod_vjp<'g>(x: Tensor<'g>, axes: &[usize], ct: Tensor<'g>) -> Option<Tensor<'g>> {
    match *axes {
        [] => Some(ct),
        [axis] => {
            let shape = x.shape();
            let mut square = shape.dims().to_vec();
            let extent = square[axis];
            square.insert(axis, extent);
            let coordinate = |axis| x.graph.iota(square.as_slice(), axis as i32, DType::U32);
            let own = coordinate(axis).equal(coordinate(axis + 1));
            let beside = x.unsqueeze(axis as i32).broadcast_to(square.as_slice());
            let others = own.select(1.0, beside).prod(axis as i32 + 1);
            Some(ct.broadcast_to(shape) * others)
        }
        _ => {
            let y = axes.iter().fold(x, |y, &axis| y.prod_keepdims(axis as i32));
            crate::autodiff::vjp(y, ct, &[x]).pop().flatten()
        }
    }
}

impl std::fmt::Display for Reduce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.function.name(), self.axes)
    }
}

impl Operation for Reduce {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        if x.dtype == DType::Bool {
            return Err(OpError::DType(x.dtype));
        }
        let shape = x.shape.keepdims(&self.axes);
        if matches!(self.function, Max | Min) && x.shape.is_empty() && !shape.is_empty() {
            return Err(OpError::Empty);
        }
        Ok(Meta::new(shape, x.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let dtype = x.meta.dtype;
        let meta = Meta::new(x.shape().keepdims(&self.axes), dtype);
        let identity = dtype.from_word(self.function.identity(dtype));
        let mut data = vec![identity; meta.shape.len()];
        for (mut c, &value) in x.shape().coordinates().zip(&x.data) {
            self.axes.iter().for_each(|&axis| c[axis] = 0);
            let y = &mut data[meta.shape.index(&c)];
            *y = if dtype.is_float() {
                self.function.combine(*y, value)
            } else {
                let exact = self.function.combine_int(*y as i64, value as i64);
                dtype.from_word(exact as u32)
            };
        }
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let x = operands[0];
        let shape = x.shape();
        vec![match self.function {
            Sum => Some(ct.broadcast_to(shape)),
            Prod => prod_vjp(x, &self.axes, ct),
            Max | Min => {
                let hit = x.equal(y.broadcast_to(&shape));
                let hit = hit.select(1.0, x.full_like(0.0));
                let axes: Vec<_> = self.axes.iter().map(|&axis| axis as i32).collect();
                let share = ct / hit.sum_keepdims(axes.as_slice());
                Some(share.broadcast_to(shape) * hit)
            }
        }]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Reduce { function: self.function, axes: self.axes.clone() }
    }

    fn kernel(&self, _: &[&Meta], _: &Meta) -> Option<Kernel> {
        None
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |function, shape: Shape, axes: &[usize], dtype| {
            Sample::new(Reduce { function, axes: axes.to_vec() }, [Meta::new(shape, dtype)])
        };
        let sum = |shape: Shape, axes: &[usize]| {
            let terms = axes.iter().map(|&axis| shape.dims()[axis]).product();
            let (bound, reason) = Sum.accuracy(terms);
            of(Sum, shape, axes, DType::F32).bound(bound, reason)
        };
        let mut samples = vec![
            sum([3, 5].into(), &[1]),
            sum([7, 3].into(), &[0]).named("columns"),
            sum([2, 3, 4].into(), &[0, 2]).named("outer axes"),
            sum([1, 1000].into(), &[1]).named("long row"),
            sum([3, 32].into(), &[1]).named("a workgroup"),
            sum([2, 1024].into(), &[1]).named("four workgroups"),
            sum([2, 1025].into(), &[1]).named("past four workgroups"),
            sum([2, 5000].into(), &[1]).named("parts of rows"),
            sum([257, 3].into(), &[0]).named("long columns"),
            sum([300, 70].into(), &[0]).named("parts of columns"),
            sum([3, 259].into(), &[0, 1]).named("everything"),
            sum([].into(), &[]).named("scalar"),
            sum([2, 3].into(), &[]).named("no axis"),
            sum([0, 3].into(), &[0]).named("no elements"),
        ];
        for function in ReduceFn::ALL {
            for dtype in [DType::I32, DType::U32] {
                let sample = of(function, [4, 9].into(), &[1], dtype)
                    .bound(Bound::Exact, "integers are exact")
                    .without_gradient();
                samples.push(sample);
            }
        }
        let big = Domain::Values(&[4e9, 3e9, 7.0, 2e9, 65_537.0]);
        for function in [Sum, Prod] {
            let sample = of(function, [3, 5].into(), &[1], DType::U32)
                .operand(0, big.clone())
                .bound(Bound::Exact, "integers wrap")
                .without_gradient();
            samples.push(sample.named("past u32"));
        }
        let prod = |shape: Shape, axes: &[usize]| {
            of(Prod, shape, axes, DType::F32)
                .operand(0, Domain::Range(0.5, 1.5))
                .bound(Bound::Ulp(16), "one rounding a factor, of 15 at most")
        };
        samples.extend([
            prod([3, 5].into(), &[1]),
            prod([5, 1, 3].into(), &[0, 2]).named("outer axes"),
            prod([3, 0].into(), &[1]).named("no elements"),
            prod([3, 3].into(), &[1])
                .operand(0, Domain::Values(&[0.0, 2.0, -3.0, 0.0, 0.0, 1.5, -1.0, 2.0, 0.5]))
                .named("zeros"),
        ]);
        for function in [Max, Min] {
            let extremum = |shape: Shape, axes: &[usize]| {
                of(function, shape, axes, DType::F32)
                    .operand(0, Domain::Distinct)
                    .bound(Bound::Exact, "one of the elements")
            };
            const INFINITE: [f64; 8] = {
                let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
                [low, high, -3e38, 3e38, low, low, low, low]
            };
            let among = |values| extremum([2, 4].into(), &[1]).operand(0, Domain::Values(values));
            let (tie, rest) = if function == Max { (0.5, 0.0) } else { (0.0, 1.0) };
            samples.extend([
                extremum([3, 7].into(), &[1]),
                extremum([5, 2, 3].into(), &[0, 1]).named("leading axes"),
                extremum([1, 1000].into(), &[1]).without_gradient().named("long row"),
                extremum([0, 3].into(), &[1]).named("no rows"),
                among(&[1.0, 3.0, 3.0, 0.0, -2.0, -2.0, -2.0, -2.0])
                    .convention(0, [0.0, tie, tie, rest, 0.25, 0.25, 0.25, 0.25])
                    .named("ties"),
                among(&[f64::NAN, 1.0, 2.0, 3.0, 1.0, 2.0, f64::NAN, -4.0])
                    .without_gradient()
                    .named("NaN"),
                among(&INFINITE).without_gradient().named("infinite"),
            ]);
        }
        with_halves(
            samples,
            &[
                "",
                "columns",
                "long row",
                "everything",
                "scalar",
                "no elements",
                "zeros",
                "ties",
                "NaN",
            ],
        )
    }
}
