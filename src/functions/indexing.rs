//! Indexing of single elements, and by the coordinates of several axes.

use super::{
    definition::{f32s, u32s},
    precision::rounded_once,
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Tensor, indices::Which},
    ops::contract::{Bound, Domain, Function, Sample},
    shape::{Meta, resolve_axis},
};

impl<'g> Tensor<'g> {
    /// Elements along `axis`, with an index for each of them: for axis 1,
    /// `y[i, k] = self[i, indices[i, k]]`.
    ///
    /// An index that is not below the extent is treated as in
    /// [`take_along_axis`](Self::take_along_axis), which differs in that it broadcasts.
    ///
    /// # Shapes
    ///
    /// The result has the shape of `indices`, which have as many axes as this tensor and may be of any
    /// extent along `axis`. Along the others they may be shorter: the lines behind them are left out.
    ///
    /// # Gradient
    ///
    /// [`scatter_add_along_axis`](Self::scatter_add_along_axis) of the cotangent; 0 for elements that
    /// have no index.
    ///
    /// # Errors
    ///
    /// [`OpError::Axis`]; [`OpError::DType`] unless the indices are u32; [`OpError::Target`] if they
    /// are longer than this tensor along another axis, or have another number of axes.
    ///
    /// # Source
    ///
    /// PyTorch's `gather`, ONNX's `GatherElements`.
    #[doc(alias("gather", "torch.gather", "GatherElements"))]
    #[track_caller]
    pub fn gather_elements(self, indices: Tensor<'g>, axis: i32) -> Tensor<'g> {
        let axis_of_lines = match resolve_axis(axis, self.rank()) {
            Ok(lines) if !self.failed() && !indices.failed() => lines,
            _ => return self.take_along_axis(indices, axis),
        };
        let (x, at) = (self.shape(), indices.shape());
        let mut lines = at.dims().to_vec();
        let fits = x.rank() == at.rank() && {
            lines[axis_of_lines] = x.dims()[axis_of_lines];
            lines.iter().zip(x.dims()).all(|(own, extent)| own <= extent)
        };
        if !fits {
            return self.graph().refuse("gather", &[self, indices], OpError::Target(x));
        }
        self.first(&lines).take_along_axis(indices, axis)
    }

    /// Slices at coordinates of the first axes: `y[k.., :] = self[i[k.., 0], i[k.., 1], .., :]`.
    ///
    /// Coordinates out of range are an error if they are visible to the host, in an input or a
    /// constant; if computed on a device, they give zeros.
    ///
    /// # Shapes
    ///
    /// `[a, b, .., ..rest]` and indices `[..k, axes]` in u32 give `[..k, ..rest]`; ONNX's
    /// `GatherND`.
    ///
    /// # Gradient
    ///
    /// [`scatter_nd`](Self::scatter_nd) of the cotangent into zeros.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`] if there are more coordinates than axes; [`OpError::DType`] unless they
    /// are u32.
    ///
    /// # Source
    ///
    /// ONNX's `GatherND`.
    #[track_caller]
    pub fn gather_nd(self, indices: Tensor<'g>) -> Tensor<'g> {
        let axes = match coordinates(self, indices) {
            Ok(axes) => axes,
            Err(reason) => return self.graph().refuse("gather_nd", &[self, indices], reason),
        };
        let (flat, extent) = self.places("gather_nd", indices, axes);
        let shape = self.shape();
        self.reshape([&[extent], &shape.dims()[axes..]].concat()).index_select(flat, 0)
    }

    /// This tensor with the slices at coordinates of the first axes replaced. For sums see
    /// [`scatter_nd`](Self::scatter_nd).
    ///
    /// Where coordinates occur more than once, the last update counts, in every run. Coordinates out
    /// of range are an error if they are visible to the host, in an input or a constant; if computed
    /// on a device, their updates are ignored.
    ///
    /// # Shapes
    ///
    /// As for [`gather_nd`](Self::gather_nd), with updates of the shape of its result.
    ///
    /// # Gradient
    ///
    /// To the updates that count, and to the slices that remain.
    ///
    /// # Errors
    ///
    /// As for [`scatter_nd`](Self::scatter_nd); [`OpError::DTypes`] if updates are of another type.
    ///
    /// # Source
    ///
    /// PyTorch's `index_put`, ONNX's `ScatterND`.
    #[doc(alias("index_put_", "ScatterND", "tensor_scatter_nd_update"))]
    #[track_caller]
    pub fn index_put(self, indices: Tensor<'g>, updates: Tensor<'g>) -> Tensor<'g> {
        let axes = match self.checked_updates(indices, updates) {
            Ok(_) if self.dtype() != updates.dtype() => Err(OpError::DTypes),
            axes => axes,
        };
        let axes = match axes {
            Ok(axes) => axes,
            Err(reason) => {
                return self.graph().refuse("index_put", &[self, indices, updates], reason);
            }
        };
        let (flat, extent) = self.places("index_put", indices, axes);
        let (shape, count) = (self.shape(), indices.shape());
        let count = count.dims()[..count.rank() - 1].iter().product();
        let rows = |count: usize| [&[count], &shape.dims()[axes..]].concat();
        let updates = updates.reshape(rows(count));
        self.reshape(rows(extent))
            .replaced_at(0, flat.reshape([count]), extent, updates)
            .reshape(&shape)
    }

    /// The number of axes that the indices address, if they and the updates fit.
    fn checked_updates(self, indices: Tensor<'g>, updates: Tensor<'g>) -> Result<usize, OpError> {
        let axes = coordinates(self, indices)?;
        let (shape, at) = (self.shape(), indices.shape());
        let expected = [&at.dims()[..at.rank() - 1], &shape.dims()[axes..]].concat();
        if !updates.failed() && updates.shape().dims() != expected {
            return Err(OpError::Target(expected.into()));
        }
        Ok(axes)
    }

    /// This tensor plus updates at coordinates of the first axes. To replace what is there see
    /// [`index_put`](Self::index_put).
    ///
    /// Coordinates out of range are an error if they are visible to the host, in an input or a
    /// constant; if computed on a device, their updates are ignored.
    ///
    /// # Shapes
    ///
    /// As for [`gather_nd`](Self::gather_nd), with updates of the shape of its result; ONNX's
    /// `ScatterND` with addition.
    ///
    /// # Errors
    ///
    /// As for [`gather_nd`](Self::gather_nd); [`OpError::Target`] if the updates have another
    /// shape.
    ///
    /// # Source
    ///
    /// ONNX's `ScatterND`, with sums.
    #[doc(alias("index_put with accumulate", "tensor_scatter_nd_add"))]
    #[track_caller]
    pub fn scatter_nd(self, indices: Tensor<'g>, updates: Tensor<'g>) -> Tensor<'g> {
        let operands = [self, indices, updates];
        let axes = match self.checked_updates(indices, updates) {
            Ok(axes) => axes,
            Err(reason) => return self.graph().refuse("scatter_nd", &operands, reason),
        };
        let shape = self.shape();
        let (flat, extent) = self.places("scatter_nd", indices, axes);
        rounded_once("scatter_nd", &[self, updates], |wide| {
            wide[0] + wide[1].scatter_add(flat, 0, extent).reshape(shape)
        })
    }

    /// Row-major indices over the first axes, one past the end if a coordinate is out of range; and
    /// the number of positions.
    #[track_caller]
    fn places(
        self,
        function: &'static str,
        indices: Tensor<'g>,
        axes: usize,
    ) -> (Tensor<'g>, usize) {
        let shape = self.shape();
        let dims = &shape.dims()[..axes];
        let extent: usize = dims.iter().product();
        let mut flat = indices.slice(-1, ..0).sum(-1);
        let mut inside = flat.equal(0u32);
        for (axis, &dim) in dims.iter().enumerate() {
            let coordinate = indices.slice(-1, axis..axis + 1).squeeze(-1);
            coordinate.expect_below(function, dim, Which::All, coordinate);
            inside = inside.and(coordinate.less(dim as u32));
            flat = flat * dim as u32 + coordinate;
        }
        (inside.select(flat, flat.full_like(extent as f64)), extent)
    }
}

/// Number of axes that the indices address.
fn coordinates(x: Tensor<'_>, indices: Tensor<'_>) -> Result<usize, OpError> {
    if indices.dtype() != DType::U32 {
        return Err(OpError::DType(indices.dtype()));
    }
    let Some(&axes) = indices.shape().dims().last() else {
        return Err(OpError::Rank { least: 1 });
    };
    if axes > x.rank() { Err(OpError::Rank { least: axes }) } else { Ok(axes) }
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let take = Function::new(
        "take_along_axis",
        |x| x[0].take_along_axis(x[1], 1),
        |x| {
            Array64::from_fn(Meta::new([3, 4], x[0].meta.dtype), |c| {
                x[0].at(&[c[0], x[1].at(&c) as usize])
            })
        },
    );
    let scatter = Function::new(
        "scatter_add_along_axis",
        |x| x[0].scatter_add_along_axis(x[1], 1, 5),
        |x| {
            Array64::from_fn(Meta::new([3, 5], x[0].meta.dtype), |c| {
                let here = (0..4).filter(|&k| x[1].at(&[c[0], k]) as usize == c[1]);
                here.map(|k| x[0].at(&[c[0], k])).sum()
            })
        },
    );
    // Fewer rows than there are, and an index twice.
    let short = Function::new(
        "gather_elements",
        |x| x[0].gather_elements(x[1], 1),
        |x| {
            Array64::from_fn(Meta::new([2, 4, 2], x[0].meta.dtype), |c| {
                x[0].at(&[c[0], x[1].at(&c) as usize, c[2]])
            })
        },
    );
    let few = Function::new(
        "scatter_add_along_axis",
        |x| x[0].scatter_add_along_axis(x[1], 1, 5),
        |x| {
            Array64::from_fn(Meta::new([3, 5], x[0].meta.dtype), |c| {
                let here = (0..3).filter(|&k| c[0] < 2 && x[1].at(&[c[0], k]) as usize == c[1]);
                here.map(|k| x[0].at(&[c[0], k])).sum()
            })
        },
    );
    let repeated = Function::new(
        "take_along_axis",
        |x| x[0].take_along_axis(x[1], 1),
        |x| {
            Array64::from_fn(Meta::new([3, 4, 2], x[0].meta.dtype), |c| {
                x[0].at(&[c[0], x[1].at(&[0, c[1], c[2]]) as usize, 0])
            })
        },
    );
    let at = Domain::Values(&[0.0, 2.0, 1.0, 1.0, 2.0, 3.0, 0.0, 2.0, 9.0, 0.0]);
    let place = |indices: &Array64, k: usize| {
        let [row, column] = [0, 1].map(|axis| indices.at(&[k, axis]) as usize);
        (row < 3 && column < 4).then_some([row, column])
    };
    let gather = Function::new(
        "gather_nd",
        // Some are out of range and must reach the device: the host does not know computed indices.
        |x| x[0].gather_nd(x[1] + 0u32),
        move |x| {
            Array64::from_fn(Meta::new([5, 2], x[0].meta.dtype), |c| {
                place(x[1], c[0]).map_or(0.0, |[row, column]| x[0].at(&[row, column, c[1]]))
            })
        },
    );
    let scatter_nd = Function::new(
        "scatter_nd",
        |x| x[0].scatter_nd(x[1] + 0u32, x[2]),
        move |x| {
            let mut y = x[0].clone();
            for c in x[2].shape().coordinates() {
                if let Some([row, column]) = place(x[1], c[0]) {
                    let at = y.shape().index(&[row, column, c[1]]);
                    y.data[at] += x[2].at(&c);
                }
            }
            y
        },
    );
    let index_put = Function::new(
        "index_put",
        |x| x[0].index_put(x[1] + 0u32, x[2]),
        move |x| {
            let mut y = x[0].clone();
            for c in x[2].shape().coordinates() {
                if let Some([row, column]) = place(x[1], c[0]) {
                    let at = y.shape().index(&[row, column, c[1]]);
                    y.data[at] = x[2].at(&c);
                }
            }
            y
        },
    );
    let (x, indices) = (f32s(&[3, 4, 2]), Meta::new([5, 2], DType::U32));
    vec![
        Sample::new(take, [f32s(&[3, 6]), u32s(&[3, 4])])
            .operand(1, Domain::Below(6))
            .bound(Bound::Exact, "moves elements"),
        Sample::new(repeated, [f32s(&[3, 6, 1]), u32s(&[1, 4, 2])])
            .operand(1, Domain::Below(6))
            .bound(Bound::Exact, "moves elements")
            .named("broadcast"),
        Sample::new(short, [f32s(&[3, 6, 4]), u32s(&[2, 4, 2])])
            .operand(1, Domain::Below(6))
            .bound(Bound::Exact, "moves elements"),
        Sample::new(scatter, [f32s(&[3, 4]), u32s(&[3, 4])])
            .operand(1, Domain::Below(5))
            .bound(Bound::Terms(4.0), "a sum of a few"),
        Sample::new(few, [f32s(&[3, 4]), u32s(&[2, 3])])
            .operand(1, Domain::Below(5))
            .bound(Bound::Terms(4.0), "a sum of a few")
            .named("fewer indices"),
        Sample::new(gather, [x.clone(), indices.clone()])
            .operand(1, at.clone())
            .bound(Bound::Exact, "moves elements"),
        Sample::new(index_put.clone(), [x.clone(), indices.clone(), f32s(&[5, 2])])
            .operand(1, at.clone())
            .bound(Bound::Exact, "moves elements"),
        Sample::new(index_put, [f32s(&[3, 4, 2]), u32s(&[4, 2]), f32s(&[4, 2])])
            .operand(1, Domain::Values(&[2.0, 1.0]))
            .bound(Bound::Exact, "moves elements")
            .named("one place"),
        Sample::new(scatter_nd, [x, indices, f32s(&[5, 2])])
            .operand(1, at)
            .bound(Bound::Terms(4.0), "a sum of a few"),
    ]
}
