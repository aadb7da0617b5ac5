//! Elements and slices that are replaced by index, or combined with what is there.

use super::{
    definition::{f32s, u32s},
    precision::rounded_once,
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Tensor, indices::Which},
    ops::{
        binary::Operand,
        contract::{Bound, Domain, Function, Sample},
        reduce::ReduceFn,
        scatter_extreme::{Runs, ScatterExtreme},
    },
    shape::{Meta, resolve_axis},
};

/// How [`Tensor::scatter_reduce`] combines what goes to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScatterReduction {
    /// Their sum. Integers wrap.
    Sum,
    /// Their product. Integers wrap.
    #[doc(alias = "prod")]
    Product,
    /// Their mean; of integers, rounded down.
    Mean,
    /// The largest; NaN if any is.
    #[doc(alias = "amax")]
    Max,
    /// The smallest; NaN if any is.
    #[doc(alias = "amin")]
    Min,
}

/// A place for each update: a row-major index of the elements or slices that are replaced.
struct Places<'g> {
    /// `[count]`, in u32; `extent` where an index is out of range.
    flat: Tensor<'g>,
    extent: usize,
}

impl<'g> Tensor<'g> {
    /// This tensor with some elements along `axis` replaced: for axis 1, element `indices[i, k]` of
    /// line `i` becomes `updates[i, k]`. The inverse of
    /// [`gather_elements`](Self::gather_elements).
    ///
    /// Where an index occurs more than once in a line, its last update counts: the result is the same
    /// in every run, where PyTorch's is any of them. An index that is not below the extent is
    /// an error if it is visible to the host, in an input or a constant; if computed on a device,
    /// its update is ignored.
    ///
    /// # Shapes
    ///
    /// Indices and updates have as many axes as this tensor, and may be of any extent along `axis`.
    /// Along the others they may be shorter: what lies behind them stays as it is. Updates may be
    /// longer than the indices, or one number.
    ///
    /// # Gradient
    ///
    /// To the update that counts, and to the elements that remain.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] unless the indices are u32; [`OpError::DTypes`] if
    /// updates are of another type; [`OpError::Target`] if indices or updates do not fit.
    ///
    /// # Source
    ///
    /// PyTorch's `scatter`, ONNX's `ScatterElements`, NumPy's `put_along_axis`.
    #[doc(alias("scatter", "torch.scatter", "scatter_", "put_along_axis", "ScatterElements"))]
    #[track_caller]
    pub fn scatter_elements<T: Operand<'g>>(
        self,
        indices: Tensor<'g>,
        axis: i32,
        updates: T,
    ) -> Tensor<'g> {
        match self.scattered("scatter_elements", indices, axis, updates) {
            Ok((updates, places)) => {
                let flat = self.reshape([places.extent]);
                flat.replaced(0, &places, updates).reshape(self.shape())
            }
            Err(failed) => failed,
        }
    }

    /// This tensor with updates combined by index: for axis 1, element `e` of line `i` and all
    /// `updates[i, k]` with `indices[i, k] = e`, or the updates alone unless `include_self`.
    /// Elements without updates stay as they are.
    ///
    /// Indices out of range are treated as by [`scatter_elements`](Self::scatter_elements).
    ///
    /// # Shapes
    ///
    /// As for [`scatter_elements`](Self::scatter_elements).
    ///
    /// # Numerics
    ///
    /// The same bits in every run, as for [`scatter_add`](Self::scatter_add).
    ///
    /// # Gradient
    ///
    /// Each place has the derivative of its reduction: a product's without division, and the largest
    /// element's shared evenly among those that are equal.
    ///
    /// # Errors
    ///
    /// As for [`scatter_elements`](Self::scatter_elements); [`OpError::DType`] for booleans.
    ///
    /// # Source
    ///
    /// PyTorch's `scatter_reduce`.
    #[doc(alias(
        "scatter_reduce_",
        "segment_reduce",
        "segment_max",
        "scatter_max",
        "scatter_mean"
    ))]
    #[track_caller]
    pub fn scatter_reduce<T: Operand<'g>>(
        self,
        indices: Tensor<'g>,
        axis: i32,
        updates: T,
        reduction: ScatterReduction,
        include_self: bool,
    ) -> Tensor<'g> {
        let (updates, places) = match self.scattered("scatter_reduce", indices, axis, updates) {
            Ok(both) => both,
            Err(failed) => return failed,
        };
        if self.dtype() == DType::Bool {
            let reason = OpError::DType(DType::Bool);
            return self.graph().refuse("scatter_reduce", &[self], reason);
        }
        rounded_once("scatter_reduce", &[self, updates], |wide| {
            let x = wide[0].reshape([places.extent]);
            x.reduced(&places, wide[1], reduction, include_self).reshape(self.shape())
        })
    }

    /// This tensor with the slices at `indices` along `axis` replaced by those of `updates`. The
    /// inverse of [`index_select`](Self::index_select); for sums see
    /// [`scatter_add`](Self::scatter_add).
    ///
    /// Repeated indices and indices out of range are treated as by
    /// [`scatter_elements`](Self::scatter_elements).
    ///
    /// # Shapes
    ///
    /// Indices are `[count]`, and updates have the shape of this tensor with `count` in place of
    /// `axis`.
    ///
    /// # Gradient
    ///
    /// To the updates that count, and to the slices that remain.
    ///
    /// # Errors
    ///
    /// As for [`scatter_elements`](Self::scatter_elements); [`OpError::Rank`] unless indices have an
    /// axis.
    ///
    /// # Source
    ///
    /// PyTorch's `index_copy`.
    #[doc(alias("index_copy_", "index_update"))]
    #[track_caller]
    pub fn index_copy(self, indices: Tensor<'g>, axis: i32, updates: Tensor<'g>) -> Tensor<'g> {
        let operands = [self, indices, updates];
        if let Some(failed) = operands.into_iter().find(|operand| operand.failed()) {
            return failed;
        }
        let refuse = |reason| self.graph().refuse("index_copy", &operands, reason);
        let axis = match resolve_axis(axis, self.rank()) {
            Ok(axis) => axis,
            Err(reason) => return refuse(reason.into()),
        };
        if indices.rank() != 1 {
            return refuse(OpError::Rank { least: 1 });
        }
        let mut expected = self.shape().dims().to_vec();
        let extent = expected[axis];
        expected[axis] = indices.dim(0);
        if updates.shape().dims() != expected {
            return refuse(OpError::Target(expected.into()));
        }
        if self.dtype() != updates.dtype() {
            return refuse(OpError::DTypes);
        }
        if indices.dtype() != DType::U32 {
            return refuse(OpError::DType(indices.dtype()));
        }
        let indices = indices.expect_below("index_copy", extent, Which::All, indices);
        let outside = indices.full_like(extent as f64);
        let flat = indices.less(outside).select(indices, outside);
        self.replaced(axis, &Places { flat, extent }, updates)
    }

    /// Updates of one axis, and their places among the elements of this tensor.
    #[track_caller]
    fn scattered<T: Operand<'g>>(
        self,
        function: &'static str,
        indices: Tensor<'g>,
        axis: i32,
        updates: T,
    ) -> Result<(Tensor<'g>, Places<'g>), Tensor<'g>> {
        let graph = self.graph();
        let updates = match updates.number() {
            Some(number) if !self.failed() && !indices.failed() => {
                graph.full(indices.shape(), self.dtype(), number)
            }
            _ => updates.tensor_like(self),
        };
        let operands = [self, indices, updates];
        if let Some(&failed) = operands.iter().find(|operand| operand.failed()) {
            return Err(failed);
        }
        let (x, at) = (self.shape(), indices.shape());
        let checked = match resolve_axis(axis, x.rank()) {
            Err(reason) => Err(reason.into()),
            Ok(_) if indices.dtype() != DType::U32 => Err(OpError::DType(indices.dtype())),
            Ok(_) if updates.dtype() != self.dtype() => Err(OpError::DTypes),
            Ok(axis) => {
                let is_within = |extents: &[usize], but: Option<usize>| {
                    let mut pairs = at.dims().iter().zip(extents).enumerate();
                    pairs.all(|(own, (at, extent))| at <= extent || but == Some(own))
                };
                let ranks = at.rank() == x.rank() && updates.rank() == x.rank();
                let fits = ranks
                    && is_within(x.dims(), Some(axis))
                    && is_within(updates.shape().dims(), None);
                if fits { Ok(axis) } else { Err(OpError::Target(at.clone())) }
            }
        };
        let axis = match checked {
            Ok(axis) => axis,
            Err(reason) => return Err(graph.refuse(function, &operands, reason)),
        };
        let (extent, along, count) = (x.len(), x.dims()[axis], at.len());
        let indices = indices.expect_below(function, along, Which::All, indices);
        let mut flat = indices * x.dims()[axis + 1..].iter().product::<usize>() as u32;
        for other in (0..x.rank()).filter(|&other| other != axis) {
            let stride: usize = x.dims()[other + 1..].iter().product();
            flat = flat + graph.iota(at.clone(), other as i32, DType::U32) * stride as u32;
        }
        let is_inside = indices.less(along as u32);
        let flat = is_inside.select(flat, flat.full_like(extent as f64)).reshape([count]);
        Ok((updates.first(at.dims()).reshape([count]), Places { flat, extent }))
    }

    /// Slices along `axis`, replaced by the last update of each.
    #[track_caller]
    pub(super) fn replaced_at(
        self,
        axis: usize,
        flat: Tensor<'g>,
        extent: usize,
        updates: Tensor<'g>,
    ) -> Tensor<'g> {
        if flat.failed() || flat.dim(0) == 0 {
            return if flat.failed() { flat } else { self };
        }
        let runs = Runs::new(flat, extent);
        let mut dims = vec![1; self.rank()];
        dims[axis] = extent;
        let is_written = runs.is_written().reshape(dims);
        is_written.select(updates.index_select(runs.last(), axis as i32), self)
    }

    #[track_caller]
    fn replaced(self, axis: usize, places: &Places<'g>, updates: Tensor<'g>) -> Tensor<'g> {
        self.replaced_at(axis, places.flat, places.extent, updates)
    }

    /// [`scatter_reduce`](Self::scatter_reduce) of elements in one line.
    #[track_caller]
    fn reduced(
        self,
        &Places { flat, extent }: &Places<'g>,
        updates: Tensor<'g>,
        reduction: ScatterReduction,
        include_self: bool,
    ) -> Tensor<'g> {
        if flat.failed() || flat.dim(0) == 0 {
            return if flat.failed() { flat } else { self };
        }
        let extreme = |function| {
            let op = ScatterExtreme { function, include_self };
            self.graph().push(op, &[self, updates, flat])
        };
        let count = flat.full_like(1.0).scatter_add(flat, 0, extent);
        let is_written = count.not_equal(0u32);
        let with_own = |of_updates: Tensor<'g>| {
            if include_self { self + of_updates } else { of_updates }
        };
        let y = match reduction {
            ScatterReduction::Max => return extreme(ReduceFn::Max),
            ScatterReduction::Min => return extreme(ReduceFn::Min),
            ScatterReduction::Sum => with_own(updates.scatter_add(flat, 0, extent)),
            ScatterReduction::Mean => {
                let sum = with_own(updates.scatter_add(flat, 0, extent));
                let more = if include_self { count + 1u32 } else { count.maximum(1u32) };
                let more = more.cast(sum.dtype());
                if sum.dtype().is_float() { sum / more } else { sum.floor_divide(more) }
            }
            ScatterReduction::Product => {
                let product = Runs::new(flat, extent).combined(updates, 1.0, |a, b| a * b);
                if include_self { self * product } else { product }
            }
        };
        is_written.select(y, self)
    }
}

/// The updates of one place of `[3, 4]`, along axis 1, in order.
fn at(x: &[&Array64], c: &[usize]) -> Vec<f64> {
    let [rows, columns] = [x[1].shape().dims()[0], x[1].shape().dims()[1]];
    let here = (0..columns).filter(|&k| c[0] < rows && x[1].at(&[c[0], k]) as usize == c[1]);
    here.map(|k| x[2].at(&[c[0], k])).collect()
}

/// Samples, defined by loops over the updates.
pub(super) fn samples() -> Vec<Sample> {
    let elements = Function::new(
        "scatter_elements",
        // Some are out of range and must reach the device: the host does not know computed indices.
        |x| x[0].scatter_elements(x[1] + 0u32, 1, x[2]),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                at(x, &c).last().copied().unwrap_or(x[0].at(&c))
            })
        },
    );
    let number = Function::new(
        "scatter_elements",
        |x| x[0].scatter_elements(x[1], 1, 0.5),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let hit = (0..3).any(|k| x[1].at(&[c[0], k]) as usize == c[1]);
                if hit { 0.5 } else { x[0].at(&c) }
            })
        },
    );
    let copy = Function::new(
        "index_copy",
        |x| x[0].index_copy(x[1] + 0u32, 1, x[2]),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let last = (0..5).rev().find(|&k| x[1].at(&[k]) as usize == c[1]);
                last.map_or(x[0].at(&c), |k| x[2].at(&[c[0], k, c[2]]))
            })
        },
    );
    let reduce = |reduction: ScatterReduction, include_self: bool| {
        let function = Function::new(
            "scatter_reduce",
            move |x| x[0].scatter_reduce(x[1] + 0u32, 1, x[2], reduction, include_self),
            move |x| {
                Array64::from_fn(x[0].meta.clone(), |c| {
                    let updates = at(x, &c);
                    if updates.is_empty() {
                        return x[0].at(&c);
                    }
                    let own = include_self.then(|| x[0].at(&c));
                    let all = || own.into_iter().chain(updates.iter().copied());
                    let count = all().count() as f64;
                    match reduction {
                        ScatterReduction::Sum => all().sum(),
                        ScatterReduction::Product => all().product(),
                        ScatterReduction::Mean => {
                            let mean = all().sum::<f64>() / count;
                            if x[0].meta.dtype.is_float() { mean } else { mean.floor() }
                        }
                        ScatterReduction::Max => all().fold(f64::NEG_INFINITY, f64::max),
                        ScatterReduction::Min => all().fold(f64::INFINITY, f64::min),
                    }
                })
            },
        );
        let alone = if include_self { "" } else { ", updates alone" };
        function.with(format!("[{reduction:?}{alone}]"))
    };
    let indices = Domain::Values(&[3.0, 0.0, 3.0, 9.0, 1.0, 1.0, 0.0]);
    let of = |function: Function, dtype| {
        let operands = [Meta::new([3, 4], dtype), u32s(&[2, 6]), Meta::new([3, 6], dtype)];
        Sample::new(function, operands).operand(1, indices.clone())
    };
    let exact = (Bound::Exact, "moves elements");
    let mut samples = vec![
        of(elements.clone(), DType::F32).bound(exact.0, exact.1),
        of(elements.clone(), DType::I32).bound(exact.0, exact.1),
        of(elements.clone(), DType::Bool).bound(exact.0, exact.1),
        of(elements, DType::F32)
            .operand(2, Domain::Values(&[f64::NAN, -0.0, f64::INFINITY, 1.0]))
            .without_gradient()
            .bound(exact.0, exact.1)
            .named("NaN and infinite"),
        Sample::new(number, [f32s(&[3, 4]), u32s(&[3, 3])])
            .operand(1, Domain::Below(4))
            .bound(exact.0, exact.1)
            .named("a number"),
        Sample::new(copy, [f32s(&[2, 4, 3]), u32s(&[5]), f32s(&[2, 5, 3])])
            .operand(1, Domain::Values(&[3.0, 0.0, 3.0, 9.0, 1.0]))
            .bound(exact.0, exact.1),
    ];
    for include_self in [true, false] {
        for (reduction, bound) in [
            (ScatterReduction::Sum, (Bound::Terms(5.0), "a sum of a few")),
            (ScatterReduction::Mean, (Bound::Terms(8.0), "a sum of a few, and a quotient")),
            (ScatterReduction::Product, (Bound::Ulp(6), "a rounding a factor")),
            (ScatterReduction::Max, exact),
            (ScatterReduction::Min, exact),
        ] {
            let function = reduce(reduction, include_self);
            let floats = of(function.clone(), DType::F32)
                .operand(0, Domain::Values(&[0.5, -1.5, 0.25, 1.75, -0.75]))
                .operand(2, Domain::Values(&[0.125, -0.625, 1.5, 1.25, -2.0, 0.875, -1.125]));
            samples.push(floats.bound(bound.0, bound.1));
            let integers = of(function, DType::I32).bound(Bound::Exact, "integers are exact");
            samples.push(integers);
        }
    }
    let zeros = of(reduce(ScatterReduction::Product, true), DType::F32)
        .operand(0, Domain::Values(&[0.0, 1.5, -2.0]))
        .operand(2, Domain::Values(&[0.0, 1.5, 0.5, 2.0, 0.0]))
        .bound(Bound::Ulp(6), "a rounding a factor")
        .named("zeros");
    samples.push(zeros);
    samples
}
