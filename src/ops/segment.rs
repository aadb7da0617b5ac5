//! Sums of runs of equal keys, in two steps; [`ScatterAdd`](super::scatter_add::ScatterAdd) expands
//! to these for many indices.
//!
//! Keys are sorted and divided into blocks. [`SegmentTails`] sums the last run of every block;
//! [`SegmentSum`] finds the run of each key, which covers whole blocks except at its ends, and sums
//! the tails of those blocks and the rest. So no invocation walks a run of many blocks element by
//! element, however the keys are distributed, and the longest chain of roundings is a block plus
//! the number of blocks.
//!
//! Both are created by rewriting, after differentiation: they have no derivative of their own.

use super::*;
use super::{
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold, shader_file},
    reduce::ReduceFn::Sum,
};
use crate::dtype::DType::{self, F32};
use crate::ops::params::params;

/// `y[r, b, c] = sum of x[r, order[r, j], c]` over the last run of equal `keys[r, j]` in block
/// `b`. Operands: `x`, `[rows, count, cols]`; sorted keys, and their original positions, both
/// `[rows, count]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentTails {
    /// Keys per block.
    pub(crate) block: usize,
}

/// `y[r, e, c] = sum of x[r, order[r, j], c] over keys[r, j] = e`, for keys below `extent`; blocks
/// that end within a run are taken from the tails. Operands: those of [`SegmentTails`], and its
/// result.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentSum {
    /// Number of valid keys.
    pub(crate) extent: usize,
    /// Keys per block.
    pub(crate) block: usize,
}

/// Keys per block: about as many as there are blocks.
pub(super) fn block(count: usize) -> usize {
    count.isqrt().next_power_of_two().max(64)
}

/// Invocations per workgroup of both shaders.
const INVOCATIONS: usize = 64;

/// Rows, keys per row, and columns of `x`.
fn extents(x: &Meta) -> [usize; 3] {
    let dims = x.shape.dims();
    [dims[0], dims[1], dims[2]]
}

/// Checks the operands of [`SegmentTails`].
fn check(operands: &[Meta]) -> Result<(), OpError> {
    let (x, keys, order) = (&operands[0], &operands[1], &operands[2]);
    if x.dtype == DType::Bool {
        return Err(OpError::DType(x.dtype));
    }
    if x.shape.rank() != 3 {
        return Err(OpError::Rank { least: 3 });
    }
    let [rows, count, _] = extents(x);
    let expected = Meta::new([rows, count], DType::U32);
    if *keys == expected && *order == expected {
        Ok(())
    } else {
        Err(OpError::Target(expected.shape))
    }
}

/// The shader, and the loop over the lines of the result: `add` gets each line of `cols` zeroed
/// words, with the index of its row and its index along the middle axis.
fn kernel(
    file: ShaderFile,
    [x, result]: [&Meta; 2],
    block: usize,
    add: impl Fn(&[&[u32]], [usize; 2], &mut [u32]) + Send + Sync + 'static,
    probe: Probe,
) -> Kernel {
    let ([_, count, cols], [_, extent, _]) = (extents(x), extents(result));
    let len = result.shape.len();
    let params = params! {
        len,
        extent,
        count,
        cols,
        block,
    };
    let shader =
        Shader { file, overrides: vec![], params, workgroups: fold(len.div_ceil(INVOCATIONS)) };
    let granule = cols.max(1);
    let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
        out.fill(0);
        for (line, y) in (start / granule..).zip(out.chunks_exact_mut(granule)) {
            add(operands, [line / extent, line % extent], y);
        }
    };
    let work = 1 + count.div_ceil(extent.max(1));
    let cpu = CpuKernel::new(granule, work, compute);
    let probe = probe.along_all([0]);
    Kernel::new(vec![shader], cpu, probe)
}

/// Consistent numbers, sorted keys below `below`, and order.
fn sorted(x: &Meta, below: usize) -> Vec<Array64> {
    let [rows, count, _] = extents(x);
    let keys = Meta::new([rows, count], DType::U32);
    // Runs of different lengths, across blocks and within them.
    let key = |j: usize| (j * j / count.max(1) * below / count.max(1)).min(below - 1);
    vec![
        Domain::everyday(x.dtype).fill(x, 1),
        Array64::from_fn(keys.clone(), |c| key(c[1]) as f64),
        Array64::from_fn(keys, |c| (count - 1 - c[1]) as f64),
    ]
}

/// Error bound for sums of this many updates.
fn accuracy(dtype: DType, updates: usize) -> Bound {
    if dtype.is_float() { Bound::Terms(updates as f64) } else { Bound::Exact }
}

impl std::fmt::Display for SegmentTails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment_tails[{}]", self.block)
    }
}

impl Operation for SegmentTails {
    fn name(&self) -> &'static str {
        "segment_tails"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        check(operands)?;
        let [rows, count, cols] = extents(&operands[0]);
        Ok(Meta::new([rows, count.div_ceil(self.block), cols], operands[0].dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, keys, order] = operands else { unreachable!("it has three operands") };
        let [rows, count, cols] = extents(&x.meta);
        let meta = Meta::new([rows, count.div_ceil(self.block), cols], x.meta.dtype);
        Array64::from_fn(meta, |c| {
            let (start, end) = (c[1] * self.block, count.min((c[1] + 1) * self.block));
            let last = keys.at(&[c[0], end - 1]);
            let run = (start..end).filter(|&j| keys.at(&[c[0], j]) == last);
            run.map(|j| x.at(&[c[0], order.at(&[c[0], j]) as usize, c[2]])).sum()
        })
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let ([_, count, cols], block, dtype) = (extents(x), self.block, x.dtype);
        let file = shader_file!("segment_tails", []);
        let seeded = x.clone();
        let probe = Probe::new(self.clone(), operands, accuracy(dtype, block))
            .operands(move || sorted(&seeded, count.max(1)))
            .along_all([0])
            .along(2, [Some(2), None, None]);
        let add = move |operands: &[&[u32]], [row, number]: [usize; 2], y: &mut [u32]| {
            let [keys, order] = [1, 2].map(|k| &operands[k][row * count..][..count]);
            let (start, end) = (number * block, count.min((number + 1) * block));
            let first = start + keys[start..end].partition_point(|&key| key < keys[end - 1]);
            for &place in &order[first..end] {
                let place = row * count + place as usize;
                Sum.combine_words(dtype, y, &operands[0][place * cols..][..cols]);
            }
        };
        Some(kernel(file, [x, result], block, add, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |block| operands(SegmentTails { block }, &KEYS, F32, 3, &[]);
        vec![
            of(4),
            of(10).named("one block"),
            of(64).named("less than a block"),
            of(1).named("blocks of one"),
            operands(SegmentTails { block: 4 }, &[7.0; 10], F32, 1, &[]).named("equal keys"),
            operands(SegmentTails { block: 4 }, &KEYS, F32, 0, &[]).named("no columns"),
            operands(SegmentTails { block: 4 }, &KEYS, DType::I32, 2, &[])
                .bound(Bound::Exact, "integers are exact"),
        ]
    }
}

/// Ten sorted keys: runs within a block of four, across one boundary, and across two.
const KEYS: [f64; 10] = [0.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 8.0];
/// Their original positions.
const ORDER: [f64; 10] = [5.0, 0.0, 9.0, 1.0, 2.0, 4.0, 6.0, 7.0, 8.0, 3.0];

/// Two rows of ten keys.
fn operands(
    op: impl Into<Op>,
    keys: &'static [f64],
    dtype: DType,
    cols: usize,
    more: &[usize],
) -> Sample {
    let keyed = Meta::new([2, 10], DType::U32);
    let mut operands = vec![Meta::new([2, 10, cols], dtype), keyed.clone(), keyed];
    operands.extend(more.first().map(|&blocks| Meta::new([2, blocks, cols], dtype)));
    Sample::new(op, operands)
        .operand(1, Domain::Values(keys))
        .operand(2, Domain::Values(&ORDER))
        .bound(Bound::Terms(10.0), "one rounding an element")
        .without_gradient()
}

impl std::fmt::Display for SegmentSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment_sum[extent {}, {}]", self.extent, self.block)
    }
}

impl Operation for SegmentSum {
    fn name(&self) -> &'static str {
        "segment_sum"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        check(operands)?;
        let (x, tails) = (&operands[0], &operands[3]);
        let [rows, count, cols] = extents(x);
        let expected = Meta::new([rows, count.div_ceil(self.block), cols], x.dtype);
        if *tails == expected {
            Ok(Meta::new([rows, self.extent, cols], x.dtype))
        } else {
            Err(OpError::Target(expected.shape))
        }
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, keys, order, tails] = operands else { unreachable!("it has four operands") };
        let [rows, count, cols] = extents(&x.meta);
        let mut y = Array64::from_fn(Meta::new([rows, self.extent, cols], x.meta.dtype), |_| 0.0);
        for (row, j) in (0..rows).flat_map(|row| (0..count).map(move |j| (row, j))) {
            let key = keys.at(&[row, j]);
            let (number, last) = (j / self.block, (j / self.block + 1) * self.block - 1);
            let is_in_tail = last < count && keys.at(&[row, last]) == key;
            if key >= self.extent as f64 || (is_in_tail && j < last) {
                continue;
            }
            for c in 0..cols {
                let at = y.shape().index(&[row, key as usize, c]);
                y.data[at] += if is_in_tail {
                    tails.at(&[row, number, c])
                } else {
                    x.at(&[row, order.at(&[row, j]) as usize, c])
                };
            }
        }
        y
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None, None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let x = operands[0];
        let ([_, count, cols], block, dtype) = (extents(x), self.block, x.dtype);
        let blocks = count.div_ceil(block);
        let file = shader_file!("segment_sum", []);
        let (seeded, tails) = (x.clone(), SegmentTails { block });
        let bound = accuracy(dtype, 2 * block + blocks);
        let keys = self.extent + 1;
        let probe = Probe::new(self.clone(), operands, bound)
            .operands(move || {
                let mut operands = sorted(&seeded, keys);
                operands.push(tails.eval(&operands.iter().collect::<Vec<_>>()));
                operands
            })
            .along_all([0])
            .along(2, [Some(2), None, None, Some(2)]);
        let add = move |operands: &[&[u32]], [row, index]: [usize; 2], y: &mut [u32]| {
            let [keys, order] = [1, 2].map(|k| &operands[k][row * count..][..count]);
            let first = keys.partition_point(|&key| (key as usize) < index);
            let end = first + keys[first..].partition_point(|&key| key as usize == index);
            for number in first / block..end / block {
                let tail = &operands[3][(row * blocks + number) * cols..][..cols];
                Sum.combine_words(dtype, y, tail);
            }
            for &place in &order[first.max(end / block * block)..end] {
                let place = row * count + place as usize;
                Sum.combine_words(dtype, y, &operands[0][place * cols..][..cols]);
            }
        };
        Some(kernel(file, [x, result], block, add, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // An update is added once, here or in a tail; the search compares.
        let [_, count, _] = extents(operands[0]);
        Cost::elementwise(f64::from(2 * (count.max(1).ilog2() + 1)), operands, result)
    }

    fn samples() -> Vec<Sample> {
        let of = |extent, block: usize, cols| {
            operands(SegmentSum { extent, block }, &KEYS, F32, cols, &[10usize.div_ceil(block)])
        };
        vec![
            of(5, 4, 3),
            of(9, 4, 1).named("the last key counts"),
            of(5, 3, 2).named("a run that ends with a block"),
            of(5, 64, 2).named("less than a block"),
            of(5, 1, 2).named("blocks of one"),
            of(1, 4, 2).named("extent 1"),
            of(0, 4, 2).named("extent 0"),
            of(5, 4, 0).named("no columns"),
            operands(SegmentSum { extent: 8, block: 4 }, &[7.0; 10], F32, 1, &[3])
                .named("equal keys"),
            operands(SegmentSum { extent: 5, block: 4 }, &KEYS, DType::I32, 2, &[3])
                .bound(Bound::Exact, "integers are exact"),
        ]
    }
}
