//! Index of the maximum or minimum along axes.

use super::kernel::{CpuKernel, Kernel, Shader, fold, shader_file};
use super::*;
use crate::ops::params::params;
use crate::{
    dtype::DType,
    shape::{Axes, Shape},
};

/// Row-major index, within the axes, of the first extremum along them; the axes are dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgReduce {
    pub(crate) function: ArgFn,
    /// In increasing order.
    pub(crate) axes: Vec<usize>,
}

/// Which extremum is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgFn {
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl ArgFn {
    fn name(self) -> &'static str {
        match self {
            ArgFn::Max => "argmax",
            ArgFn::Min => "argmin",
        }
    }

    /// Whether `b`, which comes later, replaces `a`.
    fn replaces<T: PartialOrd>(self, a: T, b: T) -> bool {
        // Generic integers have no is_nan; only NaN is unordered with itself.
        let [a_is_nan, b_is_nan] = [&a, &b].map(|x| x.partial_cmp(x).is_none());
        let beyond = match self {
            ArgFn::Max => b > a,
            ArgFn::Min => b < a,
        };
        !a_is_nan && (b_is_nan || beyond)
    }

    /// Index of the first extremum of a row.
    fn first<T: PartialOrd + Copy>(self, row: &[T]) -> u32 {
        let mut best = 0;
        for index in 1..row.len() {
            if self.replaces(row[best], row[index]) {
                best = index;
            }
        }
        best as u32
    }
}

impl<'g> Tensor<'g> {
    #[track_caller]
    fn arg_reduce(self, function: ArgFn, axes: impl Axes) -> Tensor<'g> {
        match axes.resolve(self.rank()) {
            Ok(axes) => self.graph.push(ArgReduce { function, axes }, &[self]),
            Err(reason) => self.graph.refuse(function.name(), &[self], reason),
        }
    }

    /// Index of the largest element along `axes`, which are dropped: row-major within them, as
    /// u32. The first of equal elements; NaN counts as the largest, as in PyTorch.
    ///
    /// # Gradient
    ///
    /// None.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements;
    /// [`OpError::DType`] for booleans.
    #[track_caller]
    pub fn argmax(self, axes: impl Axes) -> Tensor<'g> {
        self.arg_reduce(ArgFn::Max, axes)
    }

    /// Index of the smallest element along `axes`, which are dropped: row-major within them, as
    /// u32. The first of equal elements; NaN counts as the smallest, as in PyTorch.
    ///
    /// # Gradient
    ///
    /// None.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::Empty`] over no elements;
    /// [`OpError::DType`] for booleans.
    #[track_caller]
    pub fn argmin(self, axes: impl Axes) -> Tensor<'g> {
        self.arg_reduce(ArgFn::Min, axes)
    }
}

impl ArgReduce {
    /// Whether the axes are the last ones, so that each row is contiguous.
    fn is_trailing(&self, rank: usize) -> bool {
        self.axes.iter().rev().zip((0..rank).rev()).all(|(&axis, last)| axis == last)
    }
}

impl std::fmt::Display for ArgReduce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.function.name(), self.axes)
    }
}

impl Operation for ArgReduce {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let x = &operands[0];
        if x.dtype == DType::Bool {
            return Err(OpError::DType(x.dtype));
        }
        let shape = x.shape.without(&self.axes);
        if x.shape.is_empty() && !shape.is_empty() {
            Err(OpError::Empty)
        } else {
            Ok(Meta::new(shape, DType::U32))
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let within = x.shape().dims().iter().enumerate();
        let within = within.filter(|(axis, _)| self.axes.contains(axis)).map(|(_, &dim)| dim);
        let within = Shape::from(within.collect::<Vec<_>>());
        let meta = Meta::new(x.shape().without(&self.axes), DType::U32);
        let mut best: Vec<Option<(f64, usize)>> = vec![None; meta.shape.len()];
        for (c, &value) in x.shape().coordinates().zip(&x.data) {
            let (mut outside, mut inside) = (Vec::new(), Vec::new());
            for (axis, c) in c.into_iter().enumerate() {
                if self.axes.contains(&axis) { inside.push(c) } else { outside.push(c) }
            }
            let best = &mut best[meta.shape.index(&outside)];
            if best.is_none_or(|(largest, _)| self.function.replaces(largest, value)) {
                *best = Some((value, within.index(&inside)));
            }
        }
        let data = best.into_iter().map(|best| best.map_or(0.0, |(_, index)| index as f64));
        Array64 { meta, data: data.collect() }
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None]
    }

    /// Moves the axes last.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let x = operands[0];
        let rank = x.rank();
        let (mut axes, mut dropped): (Vec<usize>, Vec<usize>) =
            (0..rank).partition(|axis| !self.axes.contains(axis));
        let kept = axes.len();
        axes.append(&mut dropped);
        let op = ArgReduce { function: self.function, axes: (kept..rank).collect() };
        Some(x.graph.push(op, &[x.transpose(axes)]))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        Class::kernel_if(self.is_trailing(operands[0].shape.rank()))
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let x = operands[0];
        if !self.is_trailing(x.shape.rank()) {
            return None;
        }
        let rows = result.shape.len();
        let cols = x.shape.len().checked_div(rows).unwrap_or(0);
        let largest = self.function == ArgFn::Max;
        let params = params! { rows, cols };
        let shader = Shader {
            file: shader_file!("arg_reduce", []),
            overrides: vec![
                ("WG_SIZE", cols.next_power_of_two().clamp(32, 256) as f64),
                ("LARGEST", f64::from(u8::from(largest))),
            ],
            params,
            workgroups: fold(rows),
        };
        let (function, dtype) = (self.function, x.dtype);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (row, y) in (start..).zip(out) {
                let row = &operands[0][row * cols..(row + 1) * cols];
                *y = match dtype {
                    DType::F32 | DType::F16 => {
                        function.first(bytemuck::cast_slice::<u32, f32>(row))
                    }
                    DType::I32 => function.first(bytemuck::cast_slice::<u32, i32>(row)),
                    DType::U32 | DType::Bool => function.first(row),
                };
            }
        };
        let cpu = CpuKernel::new(1, cols, compute);
        let probe =
            Probe::new(self.clone(), operands, Bound::Exact).along_all(0..result.shape.rank());
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |function, shape: Shape, axes: &[usize], dtype| {
            Sample::new(ArgReduce { function, axes: axes.to_vec() }, [Meta::new(shape, dtype)])
                .bound(Bound::Exact, "an index")
                .without_gradient()
        };
        let mut samples = Vec::new();
        for function in [ArgFn::Max, ArgFn::Min] {
            let floats = |shape: Shape, axes: &[usize]| of(function, shape, axes, DType::F32);
            samples.extend([
                floats([3, 7].into(), &[1]),
                floats([5, 3].into(), &[0]).named("columns"),
                floats([2, 3, 4].into(), &[0, 2]).named("outer axes"),
                floats([2, 3, 5].into(), &[1, 2]).named("trailing axes"),
                floats([2, 3].into(), &[]).named("no axis"),
                floats([0, 3].into(), &[1]).named("no rows"),
                floats([3, 300].into(), &[1]).operand(0, Domain::Ties).named("ties"),
                floats([2, 4].into(), &[1])
                    .operand(
                        0,
                        Domain::Values(&[
                            1.0,
                            f64::NAN,
                            3e38,
                            f64::NAN,
                            f64::NEG_INFINITY,
                            f64::INFINITY,
                            f64::NEG_INFINITY,
                            f64::INFINITY,
                        ]),
                    )
                    .named("NaN and infinite"),
                of(function, [4, 9].into(), &[1], DType::I32),
                of(function, [4, 9].into(), &[1], DType::U32)
                    .operand(0, Domain::Values(&[4e9, 3e9, 1.0, 4e9, 0.0, 2e9, 0.0])),
            ]);
        }
        samples
            .push(of(ArgFn::Max, [65_537, 2].into(), &[1], DType::F32).named("past 65,535 groups"));
        with_halves(samples, &["", "columns", "NaN and infinite"])
    }
}
