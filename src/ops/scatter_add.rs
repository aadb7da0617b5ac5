//! Sums by index along one axis: the adjoint of [`Gather`].

use super::*;
use super::{
    argsort::Argsort,
    gather::{Gather, Indices, Lines, Outside},
    kernel::{CpuKernel, Kernel, Shader, fold, shader_file},
    reduce::ReduceFn::Sum,
    segment::{self, SegmentSum, SegmentTails},
};
use crate::ops::params::params;
use crate::{
    dtype::DType,
    shape::{Shape, resolve_axis},
};

/// Sums of the elements with the same index, at that position of `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterAdd {
    pub(crate) axis: usize,
    /// Extent of the axis in the result.
    pub(crate) extent: usize,
    pub(crate) indices: Indices,
}

/// Invocations per workgroup of `shaders/scatter_add.wgsl`.
const INVOCATIONS: usize = 64;

/// Up to this many indices, every element of the result always walks all of them.
const FEW_INDICES: usize = 64;
/// Maximum number of indices to walk: beyond that sorting is cheaper.
const MOST_INDICES: usize = 1024;
/// Maximum total number of steps of all walks.
const MOST_STEPS: usize = 1 << 26;

impl<'g> Tensor<'g> {
    /// Sums slices along `axis` by index:
    /// `y[.., e, ..] = sum of self[.., k.., ..] over indices[k..] = e`.
    ///
    /// PyTorch's `scatter_add`, which has an index for each element, is
    /// [`scatter_add_along_axis`](Self::scatter_add_along_axis).
    ///
    /// The adjoint of [`Tensor::index_select`]. An index that is not below `extent` is an error if it is
    /// visible to the host, in an input or a constant; on a device, its update is dropped.
    ///
    /// # Shapes
    ///
    /// This tensor has the axes of `indices` from `axis` on, which become one of `extent`:
    /// `[4, 2, 3, 5]` and indices `[2, 3]` give `[4, extent, 5]` along axis 1.
    ///
    /// # Numerics
    ///
    /// The same bits in every run: updates of one index are added in their order, in blocks if
    /// there are many. Integers wrap.
    ///
    /// # Gradient
    ///
    /// [`Tensor::index_select`] of the cotangent.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans, or unless the indices are u32;
    /// [`OpError::Target`] if their shape does not occur in this one.
    ///
    /// # Source
    ///
    /// PyTorch's `index_add`.
    #[doc(alias("index_add", "index_add_", "segment_sum", "unsorted_segment_sum"))]
    #[track_caller]
    pub fn scatter_add(self, indices: Tensor<'g>, axis: i32, extent: usize) -> Tensor<'g> {
        // The axis refers to the result.
        let rank = (self.rank() + 1).saturating_sub(indices.rank());
        self.scatter_by(Indices::Shared, indices, axis, rank, extent)
    }

    /// Sums elements along `axis` by index, with separate indices for each line: for axis 1,
    /// `y[i, e] = sum of self[i, k] over indices[i, k] = e`.
    ///
    /// The adjoint of [`Tensor::take_along_axis`]; indices that are not below `extent` are treated
    /// as in [`Tensor::scatter_add`].
    ///
    /// # Shapes
    ///
    /// The result has the shape of this tensor with `extent` in place of `axis`. The indices have that of
    /// this tensor, or are shorter along any axis: elements that have no index are not added.
    ///
    /// # Numerics
    ///
    /// As for [`Tensor::scatter_add`].
    ///
    /// # Gradient
    ///
    /// [`Tensor::take_along_axis`] of the cotangent.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] for booleans, or unless the indices are u32;
    /// [`OpError::Target`] if they are longer than this tensor, or have another number of axes.
    ///
    /// # Source
    ///
    /// PyTorch's `scatter_add`.
    #[doc(alias("scatter_add", "torch.scatter_add"))]
    #[track_caller]
    pub fn scatter_add_along_axis(
        self,
        indices: Tensor<'g>,
        axis: i32,
        extent: usize,
    ) -> Tensor<'g> {
        let (shape, at) = (self.shape(), indices.shape());
        let is_shorter = at.dims().iter().zip(shape.dims()).all(|(at, extent)| at <= extent);
        let fits = !self.failed() && !indices.failed() && at.rank() == shape.rank() && is_shorter;
        if !fits || at == shape {
            return self.scatter_by(Indices::PerLine, indices, axis, self.rank(), extent);
        }
        let updates = self.first(at.dims());
        let y = updates.scatter_by(Indices::PerLine, indices, axis, at.rank(), extent);
        if y.failed() {
            return y;
        }
        let missing = shape.dims().iter().zip(at.dims()).map(|(extent, at)| (0, extent - at));
        let mut pads: Vec<_> = missing.collect();
        if let Ok(axis) = resolve_axis(axis, pads.len()) {
            pads[axis] = (0, 0);
        }
        y.pad_constant(&pads, 0.0)
    }

    #[track_caller]
    fn scatter_by(
        self,
        of: Indices,
        indices: Tensor<'g>,
        axis: i32,
        rank: usize,
        extent: usize,
    ) -> Tensor<'g> {
        match resolve_axis(axis, rank) {
            Ok(axis) => self.graph.push(ScatterAdd { axis, extent, indices: of }, &[self, indices]),
            Err(reason) => self.graph.refuse("scatter_add", &[self, indices], reason),
        }
    }
}

impl ScatterAdd {
    /// Whether the kernel applies: each of its results looks at every index.
    fn is_served(&self, lines: Lines, len: usize) -> bool {
        let Lines { count, .. } = lines;
        let is_short = count <= MOST_INDICES && count.saturating_mul(len) <= MOST_STEPS;
        count <= FEW_INDICES || is_short || len == 0
    }

    /// Number of axes of the updates that are those of the indices.
    fn axes(&self, indices: &Shape) -> usize {
        match self.indices {
            Indices::Shared => indices.rank(),
            Indices::PerLine => 1,
        }
    }

    /// The shape of the result; `None` if the indices do not fit.
    fn shape(&self, updates: &Shape, indices: &Shape) -> Option<Shape> {
        let end = self.axis + self.axes(indices);
        let (outer, inner) = (updates.dims().get(..self.axis)?, updates.dims().get(end..)?);
        let fits = match self.indices {
            Indices::Shared => updates.dims()[self.axis..end] == *indices.dims(),
            Indices::PerLine => updates == indices,
        };
        fits.then(|| [outer, &[self.extent], inner].concat().into())
    }

    fn lines(&self, indices: &Meta, result: &Meta) -> Lines {
        let count = self.indices.count(&indices.shape, self.axis);
        Lines::new(result.shape.dims(), self.axis, count)
    }

    /// Adds the updates of some rows of the result, numbered `outer * extent + e` from `first` on,
    /// to `out`.
    fn add_rows(
        &self,
        lines: Lines,
        dtype: DType,
        operands: &[&[u32]],
        first: usize,
        out: &mut [u32],
    ) {
        let Lines { extent, count, inner, .. } = lines;
        let end = first + out.len() / inner;
        let add = |acc: &mut [u32], words: &[u32]| Sum.combine_words(dtype, acc, words);
        for outer in first / extent..end.div_ceil(extent) {
            let start = outer * extent;
            let wanted = first.max(start) - start..end.min(start + extent) - start;
            for k in 0..count {
                let updates = &operands[0][(outer * count + k) * inner..][..inner];
                let index = |i| operands[1][self.indices.place(lines, outer, k, i)] as usize;
                let row = |index| (start + index - first) * inner;
                match self.indices {
                    Indices::Shared if wanted.contains(&index(0)) => {
                        add(&mut out[row(index(0))..][..inner], updates);
                    }
                    Indices::Shared => {}
                    Indices::PerLine => {
                        let chosen = (0..inner).filter(|&i| wanted.contains(&index(i)));
                        chosen.for_each(|i| {
                            add(&mut out[row(index(i)) + i..][..1], &updates[i..][..1])
                        });
                    }
                }
            }
        }
    }
}

/// Swaps axes `axis` and `axis + 1` of a tensor of these extents; returns it unchanged if one
/// of them is 1, since no element moves.
fn swapped<'g>(x: Tensor<'g>, dims: [usize; 3], axis: usize) -> Tensor<'g> {
    if dims[axis] == 1 || dims[axis + 1] == 1 {
        return x;
    }
    let mut axes = [0, 1, 2];
    axes.swap(axis, axis + 1);
    x.reshape(dims).transpose(axes)
}

impl std::fmt::Display for ScatterAdd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per_line = if self.indices == Indices::PerLine { ", per line" } else { "" };
        write!(f, "scatter_add[{}, extent {}{per_line}]", self.axis, self.extent)
    }
}

impl Operation for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [updates, indices] = operands else { unreachable!("it has two operands") };
        if indices.dtype != DType::U32 {
            return Err(OpError::DType(indices.dtype));
        }
        if updates.dtype == DType::Bool {
            return Err(OpError::DType(updates.dtype));
        }
        let shape = self.shape(&updates.shape, &indices.shape);
        let shape = shape.ok_or_else(|| OpError::Target(updates.shape.clone()))?;
        Ok(Meta::new(shape, updates.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [updates, indices] = operands else { unreachable!("it has two operands") };
        let shape = self.shape(updates.shape(), indices.shape()).unwrap_or_default();
        let axes = self.axis..self.axis + self.axes(indices.shape());
        let mut data = vec![0.0; shape.len()];
        for (mut c, &update) in updates.shape().coordinates().zip(&updates.data) {
            let index = match self.indices {
                Indices::Shared => indices.at(&c[axes.clone()]),
                Indices::PerLine => indices.at(&c),
            } as usize;
            if index < self.extent {
                c.splice(axes.clone(), [index]);
                data[shape.index(&c)] += update;
            }
        }
        let dtype = updates.meta.dtype;
        if !dtype.is_float() {
            data.iter_mut().for_each(|y| *y = dtype.from_word((*y as i64) as u32));
        }
        Array64 { meta: Meta::new(shape, dtype), data }
    }

    fn vjp<'g>(&self, x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        let op = Gather { axis: self.axis, indices: self.indices, outside: Outside::Zero };
        vec![Some(ct.graph.push(op, &[ct, x[1]])), None]
    }

    /// Sorts: the updates of one index become neighbors, in their order, and are added in
    /// blocks.
    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let [updates, indices] = *operands else { unreachable!("it has two operands") };
        let graph = updates.graph;
        let shape = self.shape(&updates.shape(), &indices.shape())?;
        let result = Meta::new(shape, updates.dtype());
        let Lines { outer, extent, count, inner } = self.lines(&indices.meta(), &result);
        // Each row of indices applies to the columns of a matrix of updates.
        let (rows, cols) = match self.indices {
            Indices::Shared => (1, outer * inner),
            Indices::PerLine => (outer * inner, 1),
        };
        let dims = [outer, count, inner];
        let (keys, updates) = match self.indices {
            Indices::Shared => (indices, swapped(updates, dims, 0)),
            Indices::PerLine => (swapped(indices, dims, 1), swapped(updates, dims, 1)),
        };
        // Indices out of range sort last, and bits that no index has need no sorting.
        let keys = keys.reshape([rows, count]);
        let keys = keys.minimum(keys.full_like(extent as f64));
        let bits = usize::BITS - extent.leading_zeros();
        let order = graph.push(Argsort { axis: 1, descending: false, bits }, &[keys]);
        let keys = keys.take_along_axis(order, 1);
        let updates = updates.reshape([rows, count, cols]);
        let block = segment::block(count);
        let tails = graph.push(SegmentTails { block }, &[updates, keys, order]);
        let sums = graph.push(SegmentSum { extent, block }, &[updates, keys, order, tails]);
        let sums = match self.indices {
            Indices::Shared => swapped(sums, [extent, outer, inner], 0),
            Indices::PerLine => swapped(sums, [outer, inner, extent], 1),
        };
        Some(sums.reshape(result.shape))
    }

    fn class(&self, operands: &[&Meta], result: &Meta) -> Class {
        Class::kernel_if(self.is_served(self.lines(operands[1], result), result.shape.len()))
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let lines = self.lines(operands[1], result);
        let Lines { extent, count, inner, .. } = lines;
        let len = result.shape.len();
        if !self.is_served(lines, len) {
            return None;
        }
        let params = params! {
            len,
            extent,
            count,
            inner,
        };
        let per_line = f64::from(u8::from(self.indices == Indices::PerLine));
        let shader = Shader {
            file: shader_file!("scatter_add", []),
            overrides: vec![("PER_LINE", per_line)],
            params,
            workgroups: fold(len.div_ceil(INVOCATIONS)),
        };
        let (op, dtype, granule) = (self.clone(), result.dtype, inner.max(1));
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            out.fill(0);
            op.add_rows(lines, dtype, operands, start / granule, out);
        };
        let work = 1 + count.div_ceil(extent.max(1));
        let cpu = CpuKernel::new(granule, work, compute);
        let (axis, rank) = (self.axis, result.shape.rank());
        let bound = if dtype.is_float() { Bound::Terms(count as f64) } else { Bound::Exact };
        let probe = Probe::new(self.clone(), operands, bound)
            // Some are out of range.
            .operand(1, Domain::Below(extent as u32 + 1));
        let others = (0..rank).filter(|&other| other != axis);
        let probe = match self.indices {
            Indices::PerLine => probe.along_all(others),
            Indices::Shared => others.fold(probe, |probe, d| {
                let of_updates = if d < axis { d } else { d + operands[1].shape.rank() - 1 };
                probe.along(d, [Some(of_updates), None])
            }),
        };
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        Cost { flops: operands[0].shape.len() as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype, dims: &[usize], op: ScatterAdd, indices: &[usize], below| {
            Sample::new(op, [Meta::new(dims, dtype), Meta::new(indices, DType::U32)])
                .operand(1, Domain::Below(below))
                .bound(Bound::Exact, "integers are exact")
        };
        let shared = |axis, extent| ScatterAdd { axis, extent, indices: Indices::Shared };
        let per_line = |axis, extent| ScatterAdd { axis, extent, indices: Indices::PerLine };
        let summed = |sample: Sample, count: usize| {
            if count <= MOST_INDICES {
                sample.bound(Bound::Terms(count as f64), "one rounding an update")
            } else {
                let (block, reason) = (segment::block(count), "blocks, their sums, and a rest");
                sample.bound(Bound::Terms((2 * block + count / block + 2) as f64), reason)
            }
        };
        let put = |dims: &[usize], axis, indices: &[usize], extent, below| {
            let sample = of(DType::F32, dims, shared(axis, extent), indices, below);
            summed(sample, Shape::from(indices).len())
        };
        let along = |dims: &[usize], axis: usize, extent, below| {
            summed(of(DType::F32, dims, per_line(axis, extent), dims, below), dims[axis])
        };
        let samples = vec![
            put(&[4, 5], 0, &[4], 7, 7),
            put(&[2, 2, 5, 3], 1, &[2, 5], 7, 7).named("middle axis, a matrix of indices"),
            put(&[3, 257], 1, &[257], 7, 7).named("last axis, duplicates"),
            put(&[6, 50], 0, &[6], 7, 7).named("past a workgroup"),
            put(&[3], 0, &[], 6, 6).named("one index"),
            put(&[9, 3], 0, &[9], 5, 9).named("out of range"),
            put(&[4, 3], 0, &[4], 5, 5)
                .operand(1, Domain::Values(&[4_294_967_295.0, 2_147_483_648.0, 4.0, 5.0]))
                .named("far out of range"),
            put(&[5, 3], 0, &[5], 1, 2).named("extent 1"),
            put(&[5, 3], 0, &[5], 0, 2).named("extent 0"),
            put(&[0, 3], 0, &[0], 4, 1).named("no updates"),
            put(&[4, 0], 0, &[4], 3, 3).named("empty slices"),
            put(&[1024, 2], 0, &[1024], 5, 5).named("as many as are walked"),
            put(&[1025, 2], 0, &[1025], 5, 6).named("one more"),
            put(&[2, 50, 50, 3], 1, &[50, 50], 40, 45).named("sorted by digits"),
            put(&[1025, 2], 0, &[1025], 1, 2).named("sorted, extent 1"),
            put(&[100_000, 1], 0, &[100_000], 3, 3)
                .operand(1, Domain::Values(&[1.0]))
                .named("100,000 equal indices"),
            of(DType::I32, &[9, 3], shared(0, 4), &[9], 5).without_gradient(),
            of(DType::U32, &[9, 3], shared(0, 4), &[9], 5)
                .operand(0, Domain::Values(&[4e9, 3e9, 7.0, 2e9, 65_537.0]))
                .without_gradient()
                .named("past u32"),
            of(DType::I32, &[1500, 2], shared(0, 4), &[1500], 5).without_gradient().named("sorted"),
            along(&[4, 5], 0, 7, 7),
            along(&[2, 9, 3], 1, 7, 9).named("middle axis, out of range"),
            along(&[3, 7], 1, 2, 2).named("duplicates"),
            along(&[2, 1030, 2], 1, 9, 10).named("sorted"),
        ];
        with_halves(samples, &["", "last axis, duplicates", "sorted by digits", "duplicates"])
    }
}
