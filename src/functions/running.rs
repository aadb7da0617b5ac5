//! Running extremes, and running logarithms of sums.

use super::{definition::f32s, precision::in_f32};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Domain, Function, Sample},
    shape::{Meta, resolve_axis},
};

impl<'g> Tensor<'g> {
    /// The largest element so far along `axis`, and its index, as u32: the last one of equal
    /// elements. From the first NaN on it is NaN, with the index of the last one so far.
    ///
    /// # Gradient
    ///
    /// Elements get the cotangents of all places whose largest they are; indices have none.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `cummax`.
    #[doc(alias("cumulative_max", "maximum.accumulate"))]
    #[track_caller]
    pub fn cummax(self, axis: i32) -> (Tensor<'g>, Tensor<'g>) {
        let least = match self.dtype() {
            DType::I32 => f64::from(i32::MIN),
            DType::U32 => 0.0,
            _ => f64::NEG_INFINITY,
        };
        self.running("cummax", axis, least, |later, earlier| later.greater_equal(earlier))
    }

    /// The smallest element so far along `axis`, and its index, as u32: the last one of equal
    /// elements. From the first NaN on it is NaN, with the index of the last one so far.
    ///
    /// # Gradient
    ///
    /// Elements get the cotangents of all places whose smallest they are; indices have none.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `cummin`.
    #[doc(alias("cumulative_min", "minimum.accumulate"))]
    #[track_caller]
    pub fn cummin(self, axis: i32) -> (Tensor<'g>, Tensor<'g>) {
        let largest = match self.dtype() {
            DType::I32 => f64::from(i32::MAX),
            DType::U32 => f64::from(u32::MAX),
            _ => f64::INFINITY,
        };
        self.running("cummin", axis, largest, |later, earlier| later.less_equal(earlier))
    }

    /// Elements that none before them exceeds, by comparisons of neighbors 1, 2, 4, .. apart.
    #[track_caller]
    fn running(
        self,
        function: &'static str,
        axis: i32,
        neutral: f64,
        holds: impl Fn(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    ) -> (Tensor<'g>, Tensor<'g>) {
        if self.failed() {
            return (self, self);
        }
        let resolved = match resolve_axis(axis, self.rank()) {
            Ok(_) if self.dtype() == DType::Bool => Err(OpError::DType(DType::Bool)),
            resolved => resolved.map_err(OpError::from),
        };
        let number = match resolved {
            Ok(axis) => axis,
            Err(reason) => {
                let failed = self.graph().refuse(function, &[self], reason);
                return (failed, failed);
            }
        };
        let extent = self.shape().dims()[number];
        let mut best = self.detach();
        let mut index = self.graph().iota(self.shape(), axis, DType::U32);
        let mut reach = 1;
        while reach < extent {
            let mut pads = vec![(0, 0); self.rank()];
            pads[number].0 = reach;
            let before = |x: Tensor<'g>, value| x.slice(axis, ..extent - reach).pad(&pads, value);
            let (earlier, place) = (before(best, neutral), before(index, 0.0));
            let stays = holds(best, earlier);
            let stays = if self.dtype().is_float() { stays.or(best.is_nan()) } else { stays };
            best = stays.select(best, earlier);
            index = stays.select(index, place);
            reach *= 2;
        }
        (self.take_along_axis(index, axis), index)
    }

    /// `ln` of the cumulative sum of `e^x` along `axis`, without overflow.
    ///
    /// # Numerics
    ///
    /// Built from those of 2, 4, 8, .. neighbors by [`log_add_exp`](Self::log_add_exp). Negative
    /// infinities add nothing.
    ///
    /// # Gradient
    ///
    /// The softmax of the elements so far; 0 where the result is infinite, for which PyTorch's is NaN.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's `logcumsumexp`.
    #[doc(alias("logcumsumexp", "cumulative_logsumexp", "cumlogsumexp"))]
    #[track_caller]
    pub fn log_cumsum_exp(self, axis: i32) -> Tensor<'g> {
        let number = match resolve_axis(axis, self.rank()) {
            Ok(axis) => axis,
            Err(reason) => return self.graph().refuse("log_cumsum_exp", &[self], reason),
        };
        in_f32("log_cumsum_exp", [self], |[x]| {
            let (mut y, mut reach, extent) = (x, 1, x.dim(axis));
            while reach < extent {
                let mut pads = vec![(0, 0); y.rank()];
                pads[number].0 = reach;
                let earlier = y.slice(axis, ..extent - reach).pad(&pads, f64::NEG_INFINITY);
                y = y.log_add_exp(earlier);
                reach *= 2;
            }
            y
        })
    }
}

/// Indices of the last extremes so far of a line.
fn extremes(line: &[f64], exceeds: fn(f64, f64) -> bool) -> Vec<usize> {
    let mut best = 0;
    (0..line.len())
        .map(|k| {
            if line[k].is_nan() || !line[best].is_nan() && !exceeds(line[best], line[k]) {
                best = k;
            }
            best
        })
        .collect()
}

/// The lines along an axis of three, each replaced.
fn along(x: &Array64, axis: usize, dtype: DType, of: impl Fn(&[f64]) -> Vec<f64>) -> Array64 {
    Array64::from_fn(Meta::new(x.shape().clone(), dtype), |c| {
        let line: Vec<f64> = (0..x.shape().dims()[axis])
            .map(|k| {
                let mut c = c.clone();
                c[axis] = k;
                x.at(&c)
            })
            .collect();
        of(&line)[c[axis]]
    })
}

/// Samples along each axis, with ties, NaN and infinities, and of integers.
pub(super) fn samples() -> Vec<Sample> {
    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    type Exceeds = fn(f64, f64) -> bool;
    let running = |is_max: bool, axis: usize, indices: bool| {
        let exceeds: Exceeds = if is_max { |a, b| a > b } else { |a, b| a < b };
        Function::new(
            if is_max { "cummax" } else { "cummin" },
            move |x| {
                let at = axis as i32;
                let (values, places) = if is_max { x[0].cummax(at) } else { x[0].cummin(at) };
                if indices { places } else { values }
            },
            move |x| {
                let dtype = if indices { DType::U32 } else { x[0].meta.dtype };
                along(x[0], axis, dtype, |line| {
                    let value = |k: usize| if indices { k as f64 } else { line[k] };
                    extremes(line, exceeds).into_iter().map(value).collect()
                })
            },
        )
    };
    let sums = |axis: usize| {
        Function::new(
            "log_cumsum_exp",
            move |x| x[0].log_cumsum_exp(axis as i32),
            move |x| {
                along(x[0], axis, x[0].meta.dtype, |line| {
                    (1..=line.len())
                        .map(|end| {
                            let max = line[..end].iter().copied().fold(-INF, f64::max);
                            if max.is_infinite() {
                                return max;
                            }
                            let sum = line[..end].iter().map(|x| (x - max).exp()).sum::<f64>();
                            max + sum.ln()
                        })
                        .collect()
                })
            },
        )
    };
    let exact = |function: Function, operand: Meta| {
        Sample::new(function, [operand]).bound(Bound::Exact, "moves elements")
    };
    const TIES: &[f64] = &[1.0, -INF, 1.0, 3.0, 3.0, 2.0, NAN, 5.0, NAN, INF, -INF];
    let mut samples = Vec::new();
    for is_max in [true, false] {
        samples.extend([
            exact(running(is_max, 1, false), f32s(&[3, 7, 2])).operand(0, Domain::Distinct),
            exact(running(is_max, 0, false), f32s(&[9, 2, 1]))
                .operand(0, Domain::Distinct)
                .named("first axis"),
            exact(running(is_max, 1, false), f32s(&[2, 33, 1]))
                .operand(0, Domain::Values(TIES))
                .without_gradient()
                .named("NaN and infinite"),
            exact(running(is_max, 1, true), f32s(&[2, 33, 1]))
                .operand(0, Domain::Values(TIES))
                .without_gradient()
                .named("indices"),
            exact(running(is_max, 1, false), f32s(&[2, 0, 1])).named("empty rows"),
            exact(running(is_max, 1, false), Meta::new([2, 9, 1], DType::I32))
                .operand(0, Domain::Values(&[-7.0, 3.0, -9.0, 5.0])),
            exact(running(is_max, 1, false), Meta::new([2, 9, 1], DType::U32)),
        ]);
    }
    let sum = |axis, dims: &[usize]| {
        let bound = (Bound::Abs(4e-6), "functions within 2 units of numbers up to 5, a few times");
        Sample::new(sums(axis), [f32s(dims)]).bound(bound.0, bound.1)
    };
    samples.extend([
        sum(1, &[3, 7, 2]),
        sum(0, &[6, 2, 1]).named("first axis"),
        sum(1, &[2, 40, 1]).named("long"),
        sum(1, &[2, 0, 1]).named("empty rows"),
        sum(1, &[2, 11, 1])
            .operand(0, Domain::Values(&[-INF, -INF, 1.0, 1e4, -1e4, 1e4, 3.0, 1e30]))
            .bound(Bound::Ulp(4), "as elsewhere")
            .without_gradient()
            .named("far out"),
        sum(1, &[1, 4, 1])
            .operand(0, Domain::Values(&[-INF, -INF, 0.5, 0.5]))
            .convention(0, [0.0, 0.0, 1.5, 0.5])
            .named("leading infinities"),
    ]);
    samples
}
