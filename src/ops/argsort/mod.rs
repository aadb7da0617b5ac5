//! Sorting order along an axis.

use super::*;
use super::{
    kernel::{CpuKernel, Kernel, Shader, fold, shader_file},
    radix::{self, RadixCount, RadixScatter},
    rows::Rows,
};
use crate::{
    dtype::DType,
    shape::{AxisError, resolve_axis},
};
use std::cmp::Ordering;

/// Original indices of the elements sorted along `axis`; the sort is stable.
#[derive(Clone, Debug, PartialEq)]
pub struct Argsort {
    pub(crate) axis: usize,
    pub(crate) descending: bool,
    /// Number of low bits in which [`sort_key`]s may differ: 32 unless fewer are known.
    pub(crate) bits: u32,
}

/// Longest row that is sorted in workgroup memory: 16 KiB, which every adapter has.
const LONGEST: usize = 2048;

/// The u32 key by which elements of this type are sorted: the host version of
/// `shaders/lib/sort_key.wgsl`.
pub(super) fn sort_key(word: u32, dtype: DType, descending: bool) -> u32 {
    const SIGN: u32 = 1 << 31;
    let key = match dtype {
        DType::U32 | DType::Bool => word,
        DType::I32 => word ^ SIGN,
        DType::F32 | DType::F16 => match word & !SIGN {
            magnitude if magnitude > f32::INFINITY.to_bits() => u32::MAX,
            0 => SIGN,
            _ if word & SIGN != 0 => !word,
            _ => word ^ SIGN,
        },
    };
    if descending { !key } else { key }
}

/// The number of the type in `sort_key` of the shaders.
pub(super) fn kind(dtype: DType) -> f64 {
    match dtype {
        DType::U32 | DType::Bool => 0.0,
        DType::I32 => 1.0,
        DType::F32 | DType::F16 => 2.0,
    }
}

/// The definition of the order: numbers by value, NaN as the largest.
fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl<'g> Tensor<'g> {
    /// Indices that sort the elements along `axis`, as u32: ascending, or descending if
    /// `descending`. The sort is stable in both cases.
    ///
    /// # Numerics
    ///
    /// -0 equals 0. NaN counts as the largest, as in PyTorch: it is last, or first if
    /// `descending`.
    ///
    /// # Gradient
    ///
    /// None.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`].
    ///
    /// # Source
    ///
    /// PyTorch's `argsort`.
    #[doc(alias = "sort indices")]
    #[track_caller]
    pub fn argsort(self, axis: i32, descending: bool) -> Tensor<'g> {
        match resolve_axis(axis, self.rank()) {
            Ok(axis) => {
                let bits = if self.dtype() == DType::Bool { 1 } else { u32::BITS };
                self.graph.push(Argsort { axis, descending, bits }, &[self])
            }
            Err(reason) => self.graph.refuse("argsort", &[self], reason),
        }
    }
}

impl std::fmt::Display for Argsort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let descending = if self.descending { ", descending" } else { "" };
        write!(f, "argsort[{}{descending}]", self.axis)?;
        match self.bits {
            u32::BITS => Ok(()),
            bits => write!(f, " of {bits} bits"),
        }
    }
}

impl Argsort {
    /// The rows, if one workgroup can sort each.
    fn rows(&self, x: &Meta) -> Option<Rows> {
        Rows::along(x, self.axis).filter(|rows| rows.cols as usize <= LONGEST)
    }
}

impl Operation for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let shape = &operands[0].shape;
        if self.axis < shape.rank() {
            Ok(Meta::new(shape, DType::U32))
        } else {
            Err(AxisError::missing(self.axis, shape.rank()).into())
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let x = operands[0];
        let mut y = x.map(DType::U32, |_| 0.0);
        let extent = x.shape().dims()[self.axis];
        for c in x.shape().keepdims(&[self.axis]).coordinates().filter(|_| extent > 0) {
            let at = |index: usize| {
                let mut c = c.clone();
                c[self.axis] = index;
                c
            };
            let mut order: Vec<usize> = (0..extent).collect();
            order.sort_by(|&a, &b| {
                let ordering = compare(x.at(&at(a)), x.at(&at(b)));
                if self.descending { ordering.reverse() } else { ordering }
            });
            for (place, index) in order.into_iter().enumerate() {
                y.data[x.shape().index(&at(place))] = index as f64;
            }
        }
        y
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None]
    }

    /// Moves the axis last; sorts long rows by the digits of the keys, least significant first,
    /// with stable steps.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let x = operands[0];
        let shape = x.shape();
        let Some(rows) = Rows::along(&x.meta(), self.axis) else {
            let last = shape.rank() - 1;
            let op = Argsort { axis: last, ..self.clone() };
            let (axis, last) = (self.axis as i32, last as i32);
            let y = x.graph.push(op, &[x.swap_axes(axis, last)]);
            return Some(y.swap_axes(axis, last));
        };
        let x = x.reshape([rows.rows as usize, rows.cols as usize]);
        let mut order = x.graph.iota(x.shape(), 1, DType::U32);
        for shift in (0..self.bits).step_by(radix::DIGIT_BITS as usize) {
            let digit = radix::Digit { shift, descending: self.descending };
            let counts = x.graph.push(RadixCount(digit), &[x, order]);
            // By digit, then by block: the number of elements that come before.
            let starts = counts.flatten(1).cumsum_from(-1, true, false).reshape(counts.shape());
            order = x.graph.push(RadixScatter(digit), &[x, order, starts]);
        }
        Some(order.reshape(shape))
    }

    fn class(&self, operands: &[&Meta], _: &Meta) -> Class {
        Class::kernel_if(self.rows(operands[0]).is_some())
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let rows = self.rows(x)?;
        let size = rows.cols.next_power_of_two();
        let shader = Shader {
            file: shader_file!("argsort/argsort", ["sort_key"]),
            overrides: vec![
                ("WG_SIZE", f64::from((size / 2).clamp(32, 256))),
                ("SIZE", f64::from(size)),
                ("KIND", kind(x.dtype)),
                ("DESCENDING", f64::from(u8::from(self.descending))),
            ],
            params: rows.params(),
            workgroups: fold(rows.rows as usize),
        };
        let (dtype, descending, cols) = (x.dtype, self.descending, rows.cols as usize);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let mut pairs: Vec<u64> = Vec::with_capacity(cols);
            let rows = operands[0][start..].chunks_exact(cols);
            for (row, y) in rows.zip(out.chunks_exact_mut(cols)) {
                // The index in the low bits makes the order stable.
                let keyed = (0..).zip(row).map(|(index, &word)| {
                    u64::from(sort_key(word, dtype, descending)) << 32 | index
                });
                pairs.clear();
                pairs.extend(keyed);
                pairs.sort_unstable();
                y.iter_mut().zip(&pairs).for_each(|(y, &pair)| *y = pair as u32);
            }
        };
        let work = 4 * (1 + size.ilog2() as usize);
        let cpu = CpuKernel::new(cols, work, compute);
        let axes = (0..x.shape.rank()).filter(|&axis| axis != self.axis);
        let probe = Probe::new(self.clone(), operands, Bound::Exact).along_all(axes);
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let extent = result.shape.dims()[self.axis].max(1);
        Cost::elementwise(f64::from(extent.ilog2() + 1), operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype, dims: &[usize], axis, descending| {
            let bits = if dtype == DType::Bool { 1 } else { u32::BITS };
            Sample::new(Argsort { axis, descending, bits }, [Meta::new(dims, dtype)])
                .bound(Bound::Exact, "indices")
        };
        const STRANGE: &[f64] = &[
            1.0,
            f64::NAN,
            -0.0,
            f64::INFINITY,
            0.0,
            -2e-38,
            -3e38,
            f64::NEG_INFINITY,
            0.0,
            f64::NAN,
            -0.0,
        ];
        let mut samples = Vec::new();
        for descending in [false, true] {
            let floats = |dims: &[usize], axis| of(DType::F32, dims, axis, descending);
            samples.extend([
                floats(&[3, 7], 1),
                floats(&[5, 3], 0).named("columns"),
                floats(&[2, 3, 4], 1).named("middle axis"),
                floats(&[2, 9], 1).operand(0, Domain::Ties).named("ties"),
                floats(&[3, 300], 1).operand(0, Domain::Ties).named("many ties"),
                floats(&[2, 11], 1).operand(0, Domain::Values(STRANGE)).named("NaN, zeros"),
                floats(&[2, 2200], 1).operand(0, Domain::Values(STRANGE)).named("NaN, long"),
                floats(&[2, LONGEST], 1).named("the longest short row"),
                of(DType::I32, &[3, 9], 1, descending),
                of(DType::I32, &[1, LONGEST + 1], 1, descending).named("long"),
                of(DType::U32, &[2, 7], 1, descending)
                    .operand(0, Domain::Values(&[4e9, 3e9, 1.0, 4e9, 0.0, 2e9, 0.0])),
                of(DType::Bool, &[2, 9], 1, descending),
                of(DType::Bool, &[2, 2100], 1, descending).named("long"),
            ]);
        }
        let floats = |dims: &[usize], axis| of(DType::F32, dims, axis, false);
        samples.extend([
            floats(&[3, 1], 1).named("rows of one"),
            floats(&[1], 0).named("one"),
            floats(&[0, 3], 1).named("no rows"),
            floats(&[3, 0], 1).named("empty rows"),
            floats(&[2, 0, 3], 1).named("empty middle axis"),
            floats(&[2500, 2], 0).operand(0, Domain::Distinct).named("long columns"),
        ]);
        let samples = samples.into_iter().map(Sample::without_gradient).collect();
        with_halves(samples, &["", "columns", "ties", "NaN, zeros", "NaN, long"])
    }
}

#[cfg(test)]
mod tests;
