//! Moving, repeating and replacing elements.

use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Tensor, indices::Which},
    ops::contract::{Bound, Domain, Function, Sample},
    shape::{AxisError, Meta, resolve_axis},
};

/// Which side of a diagonal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Triangle {
    /// The diagonal and the elements to its left.
    Lower,
    /// The diagonal and the elements to its right.
    Upper,
}

impl<'g> Tensor<'g> {
    /// The extents with that of one axis replaced; `None` if there is no such axis.
    fn with_extents(self, axis: i32, extents: &[usize]) -> Option<Vec<usize>> {
        let shape = self.shape();
        let axis = resolve_axis(axis, shape.rank()).ok()?;
        Some([&shape.dims()[..axis], extents, &shape.dims()[axis + 1..]].concat())
    }

    #[track_caller]
    fn no_axis(self, function: &'static str, axis: i32) -> Tensor<'g> {
        let reason = AxisError::Missing { axis, rank: self.rank() };
        self.graph().refuse(function, &[self], reason)
    }

    /// One-hot encoding in f32: 1 at the class of the label, 0 elsewhere.
    ///
    /// A label that is not a class is an error if it is visible to the host, in an input or a
    /// constant; if computed on a device, it gives zeros.
    ///
    /// # Shapes
    ///
    /// Labels `[..]` in u32; the result is `[.., classes]`.
    ///
    /// # Source
    ///
    /// PyTorch's `one_hot`.
    #[doc(alias = "to_categorical")]
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Tensor<'g> {
        let shape = [self.shape().dims(), &[classes]].concat();
        let class = self.graph().iota(shape, -1, DType::U32);
        let hot = self.unsqueeze(-1).equal(class).cast(DType::F32);
        self.expect_below("one_hot", classes, Which::All, hot)
    }

    /// Shifts elements by `shift` along an axis, wrapping around at the ends.
    ///
    /// # Source
    ///
    /// PyTorch's `roll`.
    #[track_caller]
    pub fn roll(self, shift: i64, axis: i32) -> Tensor<'g> {
        let extent = self.dim(axis);
        match shift.rem_euclid(extent.max(1) as i64) as usize {
            0 if resolve_axis(axis, self.rank()).is_ok() => self,
            by => {
                let (front, back) =
                    (self.slice(axis, ..extent - by), self.slice(axis, extent - by..));
                self.graph().concat(&[back, front], axis)
            }
        }
    }

    /// Repeats the whole tensor `times` along an axis.
    ///
    /// # Source
    ///
    /// PyTorch's `tile`.
    #[doc(alias = "torch.repeat")]
    #[track_caller]
    pub fn tile(self, times: usize, axis: i32) -> Tensor<'g> {
        self.repeated("tile", times, axis, |extent| [times, extent], |axis| axis)
    }

    /// Repeats each element `times` along an axis.
    ///
    /// # Source
    ///
    /// PyTorch's `repeat_interleave`.
    #[doc(alias("repeat", "np.repeat"))]
    #[track_caller]
    pub fn repeat_interleave(self, times: usize, axis: i32) -> Tensor<'g> {
        self.repeated("repeat_interleave", times, axis, |extent| [extent, times], |axis| axis + 1)
    }

    #[track_caller]
    fn repeated(
        self,
        function: &'static str,
        times: usize,
        axis: i32,
        extents: impl Fn(usize) -> [usize; 2],
        new: impl Fn(i32) -> i32,
    ) -> Tensor<'g> {
        let Ok(at) = resolve_axis(axis, self.rank()) else { return self.no_axis(function, axis) };
        let extent = self.dim(axis);
        let Some(total) = extent.checked_mul(times) else {
            return self.graph().refuse(function, &[self], OpError::TooLarge);
        };
        let wide = self.with_extents(axis, &extents(extent)).unwrap_or_default();
        let flat = self.with_extents(axis, &[total]).unwrap_or_default();
        self.unsqueeze(new(at as i32)).broadcast_to(wide).reshape(flat)
    }

    /// One triangle of the matrices in the last two axes, and 0 elsewhere. `diagonal` is an offset
    /// to the right of the main diagonal.
    ///
    /// # Source
    ///
    /// PyTorch's `tril` and `triu`.
    #[doc(alias("tril", "triu"))]
    #[track_caller]
    pub fn triangle(self, side: Triangle, diagonal: i32) -> Tensor<'g> {
        if self.rank() < 2 {
            return self.graph().refuse("triangle", &[self], OpError::Rank { least: 2 });
        }
        let graph = self.graph();
        // A diagonal further out is outside of every matrix, and the sum must fit.
        let [rows, columns] = [-2, -1].map(|axis| self.dim(axis) as i32);
        let diagonal = diagonal.max(-rows).min(columns);
        let [row, column] = [-2, -1].map(|axis| graph.iota(self.shape(), axis, DType::I32));
        let stays = match side {
            Triangle::Lower => column.less_equal(row + diagonal),
            Triangle::Upper => column.greater_equal(row + diagonal),
        };
        stays.select(self, self.full_like(0.0))
    }

    /// Replaces elements by `value` where the mask is true, which is broadcast to this shape.
    ///
    /// # Source
    ///
    /// PyTorch's `masked_fill`.
    #[doc(alias = "where")]
    #[track_caller]
    pub fn masked_fill(self, mask: Tensor<'g>, value: f64) -> Tensor<'g> {
        mask.broadcast_to(self.shape()).select(self.full_like(value), self)
    }

    /// The main diagonal of the matrices in the last two axes.
    ///
    /// # Shapes
    ///
    /// `[.., m, n]`; the result is `[.., min(m, n)]`.
    ///
    /// # Source
    ///
    /// PyTorch's `diagonal`.
    #[track_caller]
    pub fn diagonal(self) -> Tensor<'g> {
        self.diagonal_at(0)
    }

    /// The diagonal at `offset` to the right of the main one, or to its left if negative.
    ///
    /// # Shapes
    ///
    /// `[.., m, n]`; the result has the elements `[.., i, i + offset]`, and none if the offset is
    /// outside of the matrices.
    ///
    /// # Source
    ///
    /// PyTorch's `diagonal`.
    #[doc(alias = "diag")]
    #[track_caller]
    pub fn diagonal_at(self, offset: i32) -> Tensor<'g> {
        let shape = self.shape();
        let &[ref outer @ .., rows, columns] = shape.dims() else {
            return self.graph().refuse("diagonal", &[self], OpError::Rank { least: 2 });
        };
        let by = offset.unsigned_abs() as usize;
        let (row, column) = if offset < 0 { (by, 0) } else { (0, by) };
        let len = rows.saturating_sub(row).min(columns.saturating_sub(column));
        let flat = self.reshape([outer, &[rows * columns]].concat());
        match len {
            0 => flat.slice(-1, ..0),
            _ => {
                let first = row * columns + column;
                flat.slice_step(-1, first..first + (len - 1) * (columns + 1) + 1, columns + 1)
            }
        }
    }

    /// The sum of the main diagonal of the matrices in the last two axes.
    #[track_caller]
    pub fn trace(self) -> Tensor<'g> {
        self.diagonal().sum(-1)
    }

    /// Outer product of two vectors, `y[i, j] = a[i] b[j]`.
    ///
    /// # Source
    ///
    /// PyTorch's `outer`.
    #[doc(alias = "ger")]
    #[track_caller]
    pub fn outer(self, other: Tensor<'g>) -> Tensor<'g> {
        if (self.rank(), other.rank()) != (1, 1) {
            let reason = OpError::Argument("needs two vectors");
            return self.graph().refuse("outer", &[self, other], reason);
        }
        self.unsqueeze(1) * other.unsqueeze(0)
    }

    /// Moves channels to pixels: `[n, c r r, h, w]` to `[n, c, h r, w r]`, as PyTorch's
    /// `PixelShuffle`.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] unless there are four axes; [`OpError::Number`] for an `r` larger than
    /// any image, or 0; [`OpError::Indivisible`].
    #[doc(alias("pixel_shuffle", "PixelShuffle"))]
    #[track_caller]
    pub fn depth_to_space(self, r: usize) -> Tensor<'g> {
        let shape = self.shape();
        let &[n, channels, h, w] = shape.dims() else {
            let reason = OpError::Argument("needs [n, channels, height, width]");
            return self.graph().refuse("depth_to_space", &[self], reason);
        };
        if let Err(reason) = check_block(r) {
            return self.graph().refuse("depth_to_space", &[self], reason);
        }
        if !channels.is_multiple_of(r * r) {
            let reason = OpError::Indivisible { what: "channels", number: channels, by: r * r };
            return self.graph().refuse("depth_to_space", &[self], reason);
        }
        let c = channels / (r * r);
        let parts = self.reshape([n, c, r, r, h, w]).transpose([0, 1, 4, 2, 5, 3]);
        parts.reshape([n, c, h * r, w * r])
    }

    /// Moves pixels to channels: the inverse of [`depth_to_space`](Self::depth_to_space).
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] unless there are four axes; [`OpError::Number`] for an `r` larger than
    /// any image, or 0; [`OpError::Indivisible`].
    ///
    /// # Source
    ///
    /// PyTorch's `pixel_unshuffle`.
    #[doc(alias("pixel_unshuffle", "PixelUnshuffle"))]
    #[track_caller]
    pub fn space_to_depth(self, r: usize) -> Tensor<'g> {
        let shape = self.shape();
        let &[n, c, height, width] = shape.dims() else {
            let reason = OpError::Argument("needs [n, channels, height, width]");
            return self.graph().refuse("space_to_depth", &[self], reason);
        };
        if let Err(reason) = check_block(r) {
            return self.graph().refuse("space_to_depth", &[self], reason);
        }
        let odd = [height, width].into_iter().find(|side| !side.is_multiple_of(r));
        if let Some(number) = odd {
            let reason = OpError::Indivisible { what: "pixels", number, by: r };
            return self.graph().refuse("space_to_depth", &[self], reason);
        }
        let (h, w) = (height / r, width / r);
        let parts = self.reshape([n, c, h, r, w, r]).transpose([0, 1, 3, 5, 2, 4]);
        parts.reshape([n, c * r * r, h, w])
    }

    /// Pads an axis by reflection at its end elements, which are not repeated.
    ///
    /// # Errors
    ///
    /// [`OpError::Argument`] unless there are more elements than padding on each side.
    ///
    /// # Source
    ///
    /// PyTorch's `pad` with mode `reflect`.
    #[doc(alias = "ReflectionPad2d")]
    #[track_caller]
    pub fn pad_reflect(self, axis: i32, (low, high): (usize, usize)) -> Tensor<'g> {
        let extent = self.dim(axis);
        if low.max(high) >= extent.max(1) && low.max(high) > 0 {
            let reason = OpError::Argument("the padding exceeds the elements to reflect");
            return self.graph().refuse("pad_reflect", &[self], reason);
        }
        let last = extent as i32 - 1;
        let at = self.positions(extent, (low, high)).abs();
        self.index_select((-((-at + last).abs()) + last).cast(DType::U32), axis)
    }

    /// Pads an axis by repeating the elements at its ends.
    ///
    /// # Errors
    ///
    /// [`OpError::Empty`] for an axis without elements.
    ///
    /// # Source
    ///
    /// PyTorch's `pad` with mode `replicate`.
    #[doc(alias = "ReplicationPad2d")]
    #[track_caller]
    pub fn pad_replicate(self, axis: i32, (low, high): (usize, usize)) -> Tensor<'g> {
        let extent = self.dim(axis);
        if extent == 0 {
            return self.graph().refuse("pad_replicate", &[self], OpError::Empty);
        }
        let at = self.positions(extent, (low, high));
        self.index_select(at.maximum(0).minimum(extent as i32 - 1).cast(DType::U32), axis)
    }

    /// Coordinates of a padded axis, relative to the first element before padding.
    #[track_caller]
    fn positions(self, extent: usize, (low, high): (usize, usize)) -> Tensor<'g> {
        self.graph().iota([low.saturating_add(extent).saturating_add(high)], 0, DType::I32)
            - low as i32
    }

    /// Splits an axis into consecutive pieces of these extents.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless they add up to that of the axis.
    #[doc(alias = "chunk")]
    #[track_caller]
    pub fn split(self, axis: i32, extents: &[usize]) -> Vec<Tensor<'g>> {
        let total = extents.iter().fold(0usize, |sum, extent| sum.saturating_add(*extent));
        if total != self.dim(axis) {
            let (what, lhs) = ("sum of the pieces and extent of the axis", total);
            let reason = OpError::Extents { what, lhs, rhs: self.dim(axis) };
            return vec![self.graph().refuse("split", &[self], reason); extents.len()];
        }
        let mut start = 0;
        let mut pieces = Vec::new();
        for extent in extents {
            pieces.push(self.slice(axis, start..start + extent));
            start += extent;
        }
        pieces
    }
}

/// Checks the block size: small enough that products of extents do not overflow.
fn check_block(r: usize) -> Result<(), OpError> {
    match r {
        1..=32_768 => Ok(()),
        _ => Err(OpError::Number { what: "r", must: "from 1 to 32768", is: r as f64 }),
    }
}

/// Maps a coordinate of the result to its source; `None` for a constant.
type Source = fn(&[usize]) -> Option<Vec<usize>>;

/// A function of one tensor that moves its elements, or inserts 0.
fn moving(
    name: &'static str,
    dims: &'static [usize],
    build: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    source: Source,
) -> Function {
    Function::new(
        name,
        move |x| build(x[0]),
        move |x| {
            Array64::from_fn(Meta::new(dims, x[0].meta.dtype), |c| {
                source(&c).map_or(0.0, |from| x[0].at(&from))
            })
        },
    )
}

/// Samples of every function, defined by where its elements come from.
pub(super) fn samples() -> Vec<Sample> {
    let moves = |dims: &[usize], function: Function| {
        Sample::new(function, [f32s(dims)]).bound(Bound::Exact, "moves elements")
    };
    let stack = Function::new(
        "stack",
        |x| x[0].graph().stack(x, 1),
        |x| Array64::from_fn(Meta::new([3, 2, 4], x[0].meta.dtype), |c| x[c[1]].at(&[c[0], c[2]])),
    );
    let diagonal_at = |offset: i32| {
        Function::new(
            "diagonal_at",
            move |x| x[0].diagonal_at(offset),
            move |x| {
                let (row, column) = (0.max(-offset) as usize, 0.max(offset) as usize);
                let len = (3 - row.min(3)).min(5 - column.min(5));
                let meta = Meta::new([2, len], x[0].meta.dtype);
                Array64::from_fn(meta, |c| x[0].at(&[c[0], c[1] + row, c[1] + column]))
            },
        )
    };
    let few = (Bound::Terms(4.0), "a sum of products");
    let one_hot = Function::new(
        "one_hot",
        // Some labels are no class; they must reach the device.
        |x| (x[0] + 0u32).one_hot(4),
        |x| {
            let meta = Meta::new([x[0].data.len(), 4], DType::F32);
            Array64::from_fn(meta, |c| f64::from(u8::from(x[0].data[c[0]] == c[1] as f64)))
        },
    );
    let masked = Function::new(
        "masked_fill",
        |x| x[0].masked_fill(x[1], -7.0),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                if x[1].data[c[1]] == 0.0 { x[0].at(&c) } else { -7.0 }
            })
        },
    );
    let trace = Function::new(
        "trace",
        |x| x[0].trace(),
        |x| {
            Array64::from_fn(Meta::new([2], x[0].meta.dtype), |c| {
                (0..3).map(|k| x[0].at(&[c[0], k, k])).sum()
            })
        },
    );
    let outer = Function::new(
        "outer",
        |x| x[0].outer(x[1]),
        |x| {
            Array64::from_fn(Meta::new([3, 5], x[0].meta.dtype), |c| {
                x[0].data[c[0]] * x[1].data[c[1]]
            })
        },
    );
    vec![
        Sample::new(stack, [f32s(&[3, 4]), f32s(&[3, 4])]).bound(Bound::Exact, "moves elements"),
        moves(&[2, 3, 5], diagonal_at(2)),
        moves(&[2, 3, 5], diagonal_at(-1)),
        moves(&[2, 3, 5], diagonal_at(7)).named("beside"),
        Sample::new(one_hot, [Meta::new([6], DType::U32)])
            .operand(0, Domain::Below(5))
            .bound(Bound::Exact, "compares integers")
            .without_gradient(),
        moves(
            &[3, 5],
            moving("roll", &[3, 5], |x| x.roll(2, 1), |c| Some(vec![c[0], (c[1] + 3) % 5])),
        ),
        moves(
            &[3, 5],
            moving("roll", &[3, 5], |x| x.roll(-1, 0), |c| Some(vec![(c[0] + 1) % 3, c[1]])),
        ),
        moves(&[3, 4], moving("tile", &[3, 8], |x| x.tile(2, 1), |c| Some(vec![c[0], c[1] % 4]))),
        moves(
            &[3, 4],
            moving(
                "repeat_interleave",
                &[9, 4],
                |x| x.repeat_interleave(3, 0),
                |c| Some(vec![c[0] / 3, c[1]]),
            ),
        ),
        moves(
            &[2, 4, 3],
            moving(
                "triangle",
                &[2, 4, 3],
                |x| x.triangle(Triangle::Lower, 1),
                |c| (c[2] <= c[1] + 1).then(|| c.to_vec()),
            ),
        ),
        moves(
            &[3, 4],
            moving(
                "triangle",
                &[3, 4],
                |x| x.triangle(Triangle::Upper, 0),
                |c| (c[1] >= c[0]).then(|| c.to_vec()),
            ),
        ),
        Sample::new(masked, [f32s(&[3, 4]), Meta::new([4], DType::Bool)])
            .bound(Bound::Exact, "moves elements"),
        moves(&[3, 5], moving("diagonal", &[3], |x| x.diagonal(), |c| Some(vec![c[0], c[0]]))),
        Sample::new(trace, [f32s(&[2, 4, 3])]).bound(few.0, few.1),
        Sample::new(outer, [f32s(&[3]), f32s(&[5])]).bound(few.0, few.1),
        moves(
            &[1, 8, 2, 3],
            moving(
                "depth_to_space",
                &[1, 2, 4, 6],
                |x| x.depth_to_space(2),
                |c| Some(vec![0, 4 * c[1] + 2 * (c[2] % 2) + c[3] % 2, c[2] / 2, c[3] / 2]),
            ),
        ),
        moves(
            &[1, 2, 4, 6],
            moving(
                "space_to_depth",
                &[1, 8, 2, 3],
                |x| x.space_to_depth(2),
                |c| Some(vec![0, c[1] / 4, 2 * c[2] + c[1] / 2 % 2, 2 * c[3] + c[1] % 2]),
            ),
        ),
        moves(
            &[2, 4],
            moving(
                "pad_reflect",
                &[2, 9],
                |x| x.pad_reflect(1, (3, 2)),
                |c| Some(vec![c[0], [3, 2, 1, 0, 1, 2, 3, 2, 1][c[1]]]),
            ),
        ),
        moves(
            &[3, 2],
            moving(
                "pad_replicate",
                &[6, 2],
                |x| x.pad_replicate(0, (2, 1)),
                |c| Some(vec![[0, 0, 0, 1, 2, 2][c[0]], c[1]]),
            ),
        ),
        moves(
            &[2, 6],
            moving("split", &[2, 3], |x| x.split(1, &[1, 3, 2])[1], |c| Some(vec![c[0], c[1] + 1])),
        ),
    ]
}

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}
