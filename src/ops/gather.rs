//! Indexing along one axis.

use super::*;
use super::{
    kernel::{CpuKernel, Kernel, Shader, fold, shader_file},
    library::divisor,
    scatter_add::ScatterAdd,
};
use crate::ops::params::params;
use crate::{
    dtype::DType,
    shape::{AxisError, Shape, resolve_axis},
};

/// Elements along `axis` by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    pub(crate) axis: usize,
    pub(crate) indices: Indices,
    pub(crate) outside: Outside,
}

/// The result of an index out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    /// 0.
    Zero,
    /// NaN, of floats: a label that is not a class spoils the loss.
    Nan,
}

/// How a tensor of indices is shared between lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Indices {
    /// One list for all lines along the axis; its shape replaces the axis.
    Shared,
    /// Separate indices for every line along the axis; they have the shape of the result.
    PerLine,
}

/// Extents of two tensors that differ at one axis only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    /// Product of the extents before the axis.
    pub outer: usize,
    /// Extent of the indexed axis.
    pub extent: usize,
    /// Number of indices.
    pub count: usize,
    /// Product of the extents after the axis.
    pub inner: usize,
}

impl Lines {
    /// From the shape of a tensor with the axis, and the number of indices.
    pub fn new(dims: &[usize], axis: usize, count: usize) -> Self {
        let product = |dims: &[usize]| Shape::from(dims).len();
        let (outer, inner) = (product(&dims[..axis]), product(&dims[axis + 1..]));
        Lines { outer, extent: dims[axis], count, inner }
    }
}

impl Indices {
    /// Number of indices per line.
    pub(super) fn count(self, indices: &Shape, axis: usize) -> usize {
        match self {
            Indices::Shared => indices.len(),
            Indices::PerLine => indices.dims().get(axis).copied().unwrap_or(1),
        }
    }

    /// Position of the index for element `[outer, k, i]`.
    pub(super) fn place(self, lines: Lines, outer: usize, k: usize, i: usize) -> usize {
        match self {
            Indices::Shared => k,
            Indices::PerLine => (outer * lines.count + k) * lines.inner + i,
        }
    }

    /// The shape with `axis` replaced according to the indices; `None` if they do not fit.
    fn replace(self, shape: &Shape, axis: usize, indices: &Shape) -> Option<Shape> {
        let (outer, rest) = shape.dims().split_at(axis);
        match self {
            Indices::Shared => Some([outer, indices.dims(), &rest[1..]].concat().into()),
            Indices::PerLine => {
                let fits = shape.keepdims(&[axis]) == indices.keepdims(&[axis]);
                fits.then(|| indices.clone())
            }
        }
    }
}

impl Outside {
    fn value(self) -> f64 {
        match self {
            Outside::Zero => 0.0,
            Outside::Nan => f64::NAN,
        }
    }
}

/// Invocations per workgroup of `shaders/gather.wgsl`.
const INVOCATIONS: usize = 256;

impl<'g> Tensor<'g> {
    /// Slices along `axis`, selected by index: `y[.., k.., ..] = self[.., indices[k..], ..]`.
    ///
    /// PyTorch's `gather`, which has an index for each element, is
    /// [`gather_elements`](Self::gather_elements).
    ///
    /// An index that is not below the extent is an error if it is visible to the host, in an
    /// input or a constant; if computed on a device, it gives 0 and reads no memory.
    ///
    /// # Shapes
    ///
    /// The shape of `indices` replaces the axis: `[4, 9, 5]` and indices `[2, 3]` give
    /// `[4, 2, 3, 5]` along axis 1, as with NumPy's `take`.
    ///
    /// # Gradient
    ///
    /// [`Tensor::scatter_add`] of the cotangent.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] unless the indices are u32; [`OpError::Index`] for a
    /// constant, and [`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange) for an input.
    ///
    /// # Source
    ///
    /// PyTorch's `index_select`.
    #[doc(alias("take", "np.take", "embedding", "tf.gather"))]
    #[track_caller]
    pub fn index_select(self, indices: Tensor<'g>, axis: i32) -> Tensor<'g> {
        self.gather_by(Indices::Shared, indices, axis)
    }

    /// Elements along `axis`, with separate indices for each line: for axis 1,
    /// `y[i, k] = self[i, indices[i, k]]`.
    ///
    /// An index that is not below the extent is an error if it is visible to the host, in an
    /// input or a constant; if computed on a device, it gives 0 and reads no memory.
    ///
    /// # Shapes
    ///
    /// The result has the shape of `indices`. They have as many axes as this tensor, and the two
    /// are broadcast along the others. Indices that are only shorter are for
    /// [`gather_elements`](Tensor::gather_elements).
    ///
    /// # Gradient
    ///
    /// [`Tensor::scatter_add_along_axis`] of the cotangent.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] unless the indices are u32; [`OpError::Target`]
    /// if they have another number of axes; [`OpError::Broadcast`].
    ///
    /// # Source
    ///
    /// NumPy's `take_along_axis`, PyTorch's `take_along_dim`.
    #[doc(alias = "take_along_dim")]
    #[track_caller]
    pub fn take_along_axis(self, indices: Tensor<'g>, axis: i32) -> Tensor<'g> {
        let (x, at) = (self.shape(), indices.shape());
        let axis_of_lines = match resolve_axis(axis, x.rank()) {
            Ok(axis) if !self.failed() && !indices.failed() && at.rank() == x.rank() => axis,
            _ => return self.gather_by(Indices::PerLine, indices, axis),
        };
        let [mut whole, mut asked] = [&x, &at].map(|shape| shape.dims().to_vec());
        for k in (0..whole.len()).filter(|&k| k != axis_of_lines) {
            match [whole[k], asked[k]] {
                [1, extent] => whole[k] = extent,
                [extent, 1] => asked[k] = extent,
                [extent, other] if extent == other => {}
                _ => return self.graph.refuse("gather", &[self, indices], OpError::Broadcast),
            }
        }
        let (x, indices) = (self.broadcast_to(whole), indices.broadcast_to(asked));
        x.gather_by(Indices::PerLine, indices, axis)
    }

    /// [`take_along_axis`](Self::take_along_axis) of floats, but NaN for an index out of range that
    /// a device computed.
    #[track_caller]
    pub(crate) fn take_along_axis_or_nan(self, indices: Tensor<'g>, axis: usize) -> Tensor<'g> {
        let op = Gather { axis, indices: Indices::PerLine, outside: Outside::Nan };
        self.graph.push(op, &[self, indices])
    }

    /// 1 where these indices are below `extent`, and NaN elsewhere.
    #[track_caller]
    pub(crate) fn nan_unless_below(self, extent: usize, dtype: DType) -> Tensor<'g> {
        let op = Gather { axis: 0, indices: Indices::Shared, outside: Outside::Nan };
        self.graph.push(op, &[self.graph.full([extent], dtype, 1.0), self])
    }

    #[track_caller]
    fn gather_by(self, of: Indices, indices: Tensor<'g>, axis: i32) -> Tensor<'g> {
        match resolve_axis(axis, self.rank()) {
            Ok(axis) => {
                let op = Gather { axis, indices: of, outside: Outside::Zero };
                self.graph.push(op, &[self, indices])
            }
            Err(reason) => self.graph.refuse("gather", &[self, indices], reason),
        }
    }
}

impl std::fmt::Display for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outside = if self.outside == Outside::Nan { ", or NaN" } else { "" };
        match self.indices {
            Indices::Shared => write!(f, "gather[{}{outside}]", self.axis),
            Indices::PerLine => write!(f, "gather[{}, per line{outside}]", self.axis),
        }
    }
}

impl Operation for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [x, indices] = operands else { unreachable!("gather has two operands") };
        let rank = x.shape.rank();
        if self.axis >= rank {
            return Err(AxisError::missing(self.axis, rank).into());
        }
        if indices.dtype != DType::U32 {
            return Err(OpError::DType(indices.dtype));
        }
        let shape = self.indices.replace(&x.shape, self.axis, &indices.shape);
        let shape = shape.ok_or_else(|| OpError::Target(x.shape.clone()))?;
        if self.outside == Outside::Nan && !x.dtype.is_float() {
            return Err(OpError::DType(x.dtype));
        }
        Ok(Meta::new(shape, x.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [x, indices] = operands else { unreachable!("gather has two operands") };
        let axis = self.axis;
        let shape = self.indices.replace(x.shape(), axis, indices.shape());
        let shape = shape.unwrap_or_default();
        let axes = axis..axis + shape.rank() + 1 - x.shape().rank();
        Array64::from_fn(Meta::new(shape, x.meta.dtype), |mut c| {
            let index = match self.indices {
                Indices::Shared => indices.at(&c[axes.clone()]),
                Indices::PerLine => indices.at(&c),
            } as usize;
            c.splice(axes.clone(), [index]);
            if index < x.shape().dims()[axis] { x.at(&c) } else { self.outside.value() }
        })
    }

    fn vjp<'g>(&self, x: &[Tensor<'g>], _: Tensor<'g>, ct: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        let extent = x[0].dim(self.axis as i32);
        let op = ScatterAdd { axis: self.axis, extent, indices: self.indices };
        vec![Some(ct.graph.push(op, &[ct, x[1]])), None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let [x, indices] = operands else { unreachable!("gather has two operands") };
        let of = self.indices;
        let lines = Lines::new(x.shape.dims(), self.axis, of.count(&indices.shape, self.axis));
        let Lines { extent, count, inner, .. } = lines;
        let [(count_multiplier, count_shift), (inner_multiplier, inner_shift)] =
            [count, inner].map(|extent| divisor(extent as u32));
        let params = params! {
            len: result.shape.len(),
            extent,
            count,
            inner,
            count_multiplier,
            count_shift,
            inner_multiplier,
            inner_shift,
        };
        let shader = Shader {
            file: shader_file!("gather", ["divide", "nan"]),
            overrides: vec![
                ("PER_LINE", f64::from(u8::from(of == Indices::PerLine))),
                ("NAN_OUTSIDE", f64::from(u8::from(self.outside == Outside::Nan))),
            ],
            params,
            workgroups: fold(result.shape.len().div_ceil(INVOCATIONS)),
        };
        let granule = inner.max(1);
        let outside = x.dtype.to_word(self.outside.value());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            for (pair, y) in (start / granule..).zip(out.chunks_exact_mut(granule)) {
                let (outer, k) = (pair / count, pair % count);
                let at = |i| operands[1][of.place(lines, outer, k, i)] as usize;
                let row = |index| (outer * extent + index) * inner;
                match of {
                    Indices::Shared if at(0) < extent => {
                        y.copy_from_slice(&operands[0][row(at(0))..][..inner]);
                    }
                    Indices::Shared => y.fill(outside),
                    Indices::PerLine => {
                        for (i, y) in y.iter_mut().enumerate() {
                            *y = if at(i) < extent { operands[0][row(at(i)) + i] } else { outside };
                        }
                    }
                }
            }
        };
        let cpu = CpuKernel::new(granule, 2, compute);
        let (axis, rank) = (self.axis, x.shape.rank());
        let added = result.shape.rank() + 1 - rank;
        let probe = Probe::new(self.clone(), operands, Bound::Exact)
            // Some are out of range.
            .operand(1, Domain::Below(extent as u32 + 1));
        let probe = match of {
            Indices::PerLine => (0..rank)
                .filter(|&other| other != axis)
                .fold(probe, |probe, other| probe.along_all([other]))
                .along(axis, [None, Some(axis)]),
            Indices::Shared => {
                let outer = (0..axis).fold(probe, |probe, d| probe.along(d, [Some(d), None]));
                let inner = (axis + 1..rank)
                    .fold(outer, |probe, d| probe.along(d + added - 1, [Some(d), None]));
                (0..added).fold(inner, |probe, d| probe.along(axis + d, [None, Some(d)]))
            }
        };
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        // Only the selected elements are read.
        let words = operands[1].shape.len() + 2 * result.shape.len();
        Cost { flops: 0.0, bytes: 4.0 * words as f64 }
    }

    fn samples() -> Vec<Sample> {
        let of = |dtype, dims: &[usize], op: Gather, indices: &[usize], below| {
            Sample::new(op, [Meta::new(dims, dtype), Meta::new(indices, DType::U32)])
                .operand(1, Domain::Below(below))
                .bound(Bound::Exact, "an element, or 0")
        };
        let outside = Outside::Zero;
        let shared = |axis| Gather { axis, indices: Indices::Shared, outside };
        let per_line = |axis| Gather { axis, indices: Indices::PerLine, outside };
        let or_nan = |axis| Gather { outside: Outside::Nan, ..per_line(axis) };
        let take = |dims: &[usize], axis, indices: &[usize], below| {
            of(DType::F32, dims, shared(axis), indices, below)
        };
        let along = |dims: &[usize], axis, indices: &[usize], below| {
            of(DType::F32, dims, per_line(axis), indices, below)
        };
        let samples = vec![
            take(&[7, 5], 0, &[4], 7),
            take(&[2, 7, 3], 1, &[2, 5], 7).named("middle axis, a matrix of indices"),
            take(&[3, 7], 1, &[257], 7).named("last axis, duplicates"),
            take(&[7, 90], 0, &[9], 7).named("past a workgroup"),
            take(&[6], 0, &[], 6).named("one index"),
            take(&[5, 3], 0, &[9], 9).named("out of range"),
            take(&[5, 3], 0, &[4], 5)
                .operand(1, Domain::Values(&[4_294_967_295.0, 2_147_483_648.0, 4.0, 5.0]))
                .named("far out of range"),
            take(&[1, 3], 0, &[5], 2).named("extent 1"),
            take(&[0, 3], 0, &[5], 2).named("nothing to choose from"),
            take(&[4, 3], 0, &[0], 4).named("no indices"),
            take(&[4, 0], 0, &[3], 4).named("empty slices"),
            take(&[3, 2], 0, &[4], 3)
                .operand(0, Domain::Values(&[f64::NAN, 1.0, f64::INFINITY, -0.0, 3e38]))
                .without_gradient()
                .named("NaN and infinite"),
            of(DType::I32, &[4, 3], shared(0), &[6], 5),
            of(DType::Bool, &[4, 3], shared(1), &[6], 3),
            along(&[7, 5], 0, &[4, 5], 7),
            along(&[2, 7, 3], 1, &[2, 9, 3], 7).named("middle axis, duplicates"),
            along(&[3, 7], 1, &[3, 2], 9).named("out of range"),
            along(&[3, 1], 1, &[3, 4], 1).named("extent 1"),
            along(&[3, 0], 1, &[3, 4], 1).named("nothing to choose from"),
            of(DType::U32, &[3, 7], per_line(1), &[3, 7], 7),
            of(DType::F32, &[9, 5], or_nan(1), &[9, 1], 8).without_gradient().named("or NaN"),
        ];
        let halves = ["", "middle axis, a matrix of indices", "NaN and infinite", "or NaN"];
        with_halves(samples, &halves)
    }
}
