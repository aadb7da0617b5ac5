//! Sliding windows over images: unfolding, folding, and poolings without a kernel.

use super::precision::in_f32;
use crate::{
    array64::Array64,
    autodiff,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::{
        Window,
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Every window of images as a column (im2col).
    ///
    /// # Shapes
    ///
    /// `[n, channels, h, w]` to `[n, channels rows columns, windows]`, for windows of `rows` and
    /// `columns` cells.
    ///
    /// # Gradient
    ///
    /// [`fold`](Self::fold) of the cotangent.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Window`] if no window fits; [`OpError::Argument`] for windows
    /// with `ceil_mode`.
    ///
    /// # Source
    ///
    /// PyTorch's `unfold`.
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn unfold(self, windows: [Window; 2]) -> Tensor<'g> {
        let &[n, channels, h, w] = self.shape().dims() else {
            return self.graph().refuse("unfold", &[self], OpError::Rank { least: 4 });
        };
        let counts = match counts(windows, [h, w]) {
            Ok(counts) => counts,
            Err(reason) => return self.graph().refuse("unfold", &[self], reason),
        };
        let [tall, wide] = windows;
        let padded = self.pad([(0, 0), (0, 0), (tall.low, tall.high), (wide.low, wide.high)], 0.0);
        let mut cells = Vec::with_capacity(tall.extent * wide.extent);
        for row in 0..tall.extent {
            for column in 0..wide.extent {
                let mut cell = padded;
                for (axis, window, at, count) in
                    [(2, tall, row, counts[0]), (3, wide, column, counts[1])]
                {
                    let first = at * window.dilation;
                    let end = first + (count - 1) * window.stride + 1;
                    cell = cell.slice_step(axis, first..end, window.stride);
                }
                cells.push(cell);
            }
        }
        let stacked = self.graph().stack(&cells, 2);
        stacked.reshape([n, channels * tall.extent * wide.extent, counts[0] * counts[1]])
    }

    /// Adds columns back into images at their windows, summing where windows overlap (col2im):
    /// the adjoint of [`unfold`](Self::unfold).
    ///
    /// # Shapes
    ///
    /// `[n, channels rows columns, windows]` to `[n, channels, sizes[0], sizes[1]]`.
    ///
    /// # Errors
    ///
    /// As for [`unfold`](Self::unfold); [`OpError::Indivisible`]; [`OpError::Extents`] unless there
    /// are as many windows as in such images.
    ///
    /// # Source
    ///
    /// PyTorch's `fold`.
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn fold(self, sizes: [usize; 2], windows: [Window; 2]) -> Tensor<'g> {
        let cells = windows[0].extent.saturating_mul(windows[1].extent);
        let (n, channels) = match folded(self, sizes, windows, cells) {
            Ok(extents) => extents,
            Err(reason) => return self.graph().refuse("fold", &[self], reason),
        };
        let dims = [n, channels, sizes[0], sizes[1]];
        let image = self.graph().full(dims, self.dtype(), 0.0);
        autodiff::vjp(image.unfold(windows), self, &[image])[0].unwrap_or(image)
    }

    /// The `p`-th root of the sum of `p`-th powers in each window.
    ///
    /// # Numerics
    ///
    /// NaN where an odd power gives a negative sum, unless `1 / p` is an integer. For an infinite `p` the
    /// largest magnitude in each window, and for negative infinity the smallest, padding left out.
    /// Cells that a window lacks past the padding (see [`Window::ceil_mode`]) count like the mean of
    /// those it has, as in PyTorch.
    ///
    /// # Errors
    ///
    /// Those of [`avg_pool`](Self::avg_pool); [`OpError::Number`] if `p` is 0 or NaN.
    ///
    /// # Source
    ///
    /// PyTorch's `lp_pool2d`.
    #[doc(alias = "lp_pool2d")]
    #[track_caller]
    pub fn lp_pool(self, windows: &[Window], p: f64) -> Tensor<'g> {
        if p == 0.0 || p.is_nan() {
            let reason = OpError::Number { what: "p", must: "other than 0", is: p };
            return self.graph().refuse("lp_pool", &[self], reason);
        }
        let count: f64 = windows.iter().map(|window| window.extent as f64).product();
        in_f32("lp_pool", [self], |[x]| {
            if p.is_infinite() {
                let sign = p.signum();
                return (x.abs() * sign).max_pool(windows) * sign;
            }
            let sums = x.pow(p).avg_pool(windows, true) * count;
            sums.pow(constant(sums, 1.0 / p))
        })
    }

    /// The largest element of each window, and its row-major index in its image, as expected by
    /// [`max_unpool`](Self::max_unpool).
    ///
    /// # Errors
    ///
    /// Those of [`max_pool`](Self::max_pool); [`OpError::TooLarge`] for images of more than 2^24
    /// elements.
    ///
    /// # Source
    ///
    /// PyTorch's `max_pool2d` with `return_indices`.
    #[doc(alias = "return_indices")]
    #[track_caller]
    pub fn max_pool_with_indices(self, windows: &[Window]) -> (Tensor<'g>, Tensor<'g>) {
        let (x, y) = (self.of_floats("max_pool"), self.max_pool(windows));
        if x.failed() || y.failed() {
            return (y, y);
        }
        let shape = x.shape();
        let (outer, inner) = shape.dims().split_at(shape.rank() - windows.len());
        let len: usize = inner.iter().product();
        if len > 1 << 24 {
            let failed = x.graph().refuse("max_pool", &[x], OpError::TooLarge);
            return (failed, failed);
        }
        let ones = vec![1; outer.len()];
        let places = x.graph().iota([len], 0, DType::F32).reshape([&ones, inner].concat());
        // Indices are no halves.
        let places = places.broadcast_to(shape).max_pool_select_of(x.widened(), windows);
        (y, places.cast(DType::U32))
    }

    /// Scatters elements to these indices of images, with zeros elsewhere; duplicates are summed.
    ///
    /// # Shapes
    ///
    /// This and `places` are `[n, channels, ..]`; the result is `[n, channels, ..sizes]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Target`]; those of
    /// [`scatter_add_along_axis`](Self::scatter_add_along_axis).
    ///
    /// # Source
    ///
    /// PyTorch's `max_unpool2d`.
    #[doc(alias = "max_unpool2d")]
    #[track_caller]
    pub fn max_unpool(self, places: Tensor<'g>, sizes: &[usize]) -> Tensor<'g> {
        let x = self.of_floats("max_unpool");
        let shape = x.shape();
        let &[n, channels, ref inner @ ..] = shape.dims() else {
            return x.graph().refuse("max_unpool", &[x, places], OpError::Rank { least: 2 });
        };
        if !x.failed() && !places.failed() && places.shape() != shape {
            return x.graph().refuse("max_unpool", &[x, places], OpError::Target(shape));
        }
        let extent = sizes.iter().try_fold(1usize, |len, &size| len.checked_mul(size));
        let Some(extent) = extent else {
            return x.graph().refuse("max_unpool", &[x, places], OpError::TooLarge);
        };
        let flat = [n, channels, inner.iter().product()];
        let (x, places) = (x.reshape(flat), places.reshape(flat));
        let laid = x.scatter_add_along_axis(places, 2, extent);
        laid.reshape([&[n, channels], sizes].concat())
    }

    /// Local response normalization across channels: `x / (k + alpha / size sum x^2)^beta`, where
    /// the sum runs over `size` channels around each, as far as there are any.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..]`
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Number`] if `size` is 0.
    ///
    /// # Source
    ///
    /// Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks".
    #[track_caller]
    pub fn local_response_norm(self, size: usize, alpha: f64, beta: f64, k: f64) -> Tensor<'g> {
        if self.rank() < 2 {
            let reason = OpError::Rank { least: 2 };
            return self.graph().refuse("local_response_norm", &[self], reason);
        }
        let channels = self.dim(1);
        if size == 0 {
            let reason = OpError::Number { what: "size", must: "at least 1", is: 0.0 };
            return self.graph().refuse("local_response_norm", &[self], reason);
        }
        let numbers = [("alpha", alpha), ("beta", beta), ("k", k)]
            .map(|(what, is)| (what, is, Must::BeFinite));
        if let Some(refused) = self.graph().refuse_invalid("local_response_norm", &[self], &numbers)
        {
            return refused;
        }
        in_f32("local_response_norm", [self], |[x]| {
            let mut pads = vec![(0, 0); x.rank()];
            let [low, high] = [size / 2, (size - 1) / 2].map(|reach| reach.min(channels));
            pads[1] = (low, high);
            let squares = (x * x).pad(&pads, 0.0);
            let mut sum = squares.slice(1, ..channels);
            for shift in 1..=low + high {
                sum = sum + squares.slice(1, shift..shift + channels);
            }
            let share = constant(x, alpha / size as f64);
            x / (sum * share + constant(x, k)).pow(constant(x, beta))
        })
    }
}

/// Number of windows along each axis.
fn counts(windows: [Window; 2], extents: [usize; 2]) -> Result<[usize; 2], OpError> {
    if windows.iter().any(|window| window.ceil_mode) {
        return Err(OpError::Argument("windows with ceil_mode are not supported"));
    }
    Ok([windows[0].count(extents[0])?, windows[1].count(extents[1])?])
}

/// Number of images and channels that columns are folded into.
fn folded(
    x: Tensor<'_>,
    sizes: [usize; 2],
    windows: [Window; 2],
    cells: usize,
) -> Result<(usize, usize), OpError> {
    let &[n, rows, columns] = x.shape().dims() else { return Err(OpError::Rank { least: 3 }) };
    if cells == 0 || rows % cells != 0 {
        return Err(OpError::Indivisible { what: "rows", number: rows, by: cells });
    }
    let counts = counts(windows, sizes)?;
    let expected = counts[0] * counts[1];
    if columns != expected {
        let what = "numbers of columns and of windows";
        return Err(OpError::Extents { what, lhs: columns, rhs: expected });
    }
    Ok((n, rows / cells))
}

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let windows = [
        Window::new(2).stride(2).padding(1),
        Window { dilation: 2, low: 1, ..Window::new(3).stride(1) },
    ];
    // 4 rows with padding of one at both ends, 6 columns with one in front: 3 by 3 windows.
    let cell = |c: [usize; 2]| {
        let (row, column) = (c[0] % 6, c[1]);
        let y = (column / 3 * 2 + row / 3).checked_sub(1);
        let x = (column % 3 + row % 3 * 2).checked_sub(1);
        (c[0] / 6, y.filter(|&y| y < 4), x.filter(|&x| x < 6))
    };
    let unfold = Function::new(
        "unfold",
        move |x| x[0].unfold(windows),
        move |x| {
            Array64::from_fn(Meta::new([2, 12, 9], x[0].meta.dtype), |c| match cell([c[1], c[2]]) {
                (channel, Some(row), Some(column)) => x[0].at(&[c[0], channel, row, column]),
                _ => 0.0,
            })
        },
    );
    let fold = Function::new(
        "fold",
        move |x| x[0].fold([4, 6], windows),
        move |x| {
            let mut y = Array64::from_fn(Meta::new([2, 2, 4, 6], x[0].meta.dtype), |_| 0.0);
            for c in x[0].shape().coordinates() {
                if let (channel, Some(row), Some(column)) = cell([c[1], c[2]]) {
                    let place = y.shape().index(&[c[0], channel, row, column]);
                    y.data[place] += x[0].at(&c);
                }
            }
            y
        },
    );
    let lp = Function::new(
        "lp_pool",
        |x| x[0].lp_pool(&[Window::new(2), Window::new(3).stride(2)], 3.0),
        |x| {
            Array64::from_fn(Meta::new([1, 2, 2, 2], x[0].meta.dtype), |c| {
                let cells = (0..6)
                    .map(|k| x[0].at(&[c[0], c[1], 2 * c[2] + k / 3, 2 * c[3] + k % 3]).powi(3));
                cells.sum::<f64>().cbrt()
            })
        },
    );
    let largest = Function::new(
        "lp_pool",
        |x| x[0].lp_pool(&[Window::new(2), Window::new(3).stride(2)], f64::INFINITY),
        |x| {
            Array64::from_fn(Meta::new([1, 2, 2, 2], x[0].meta.dtype), |c| {
                (0..6)
                    .map(|k| x[0].at(&[c[0], c[1], 2 * c[2] + k / 3, 2 * c[3] + k % 3]).abs())
                    .fold(0.0, |most: f64, x| if most.is_nan() || most >= x { most } else { x })
            })
        },
    );
    let unpool = Function::new(
        "max_unpool",
        |x| x[0].max_unpool(x[1], &[3, 4]),
        |x| {
            let mut y = Array64::from_fn(Meta::new([1, 2, 3, 4], x[0].meta.dtype), |_| 0.0);
            for (k, value) in x[0].data.iter().enumerate() {
                y.data[k / 4 * 12 + x[1].data[k] as usize] += value;
            }
            y
        },
    );
    let norm = Function::new(
        "local_response_norm",
        |x| x[0].local_response_norm(3, 0.5, 0.75, 2.0),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let near = c[1].saturating_sub(1)..(c[1] + 2).min(5);
                let squares: f64 = near.map(|k| x[0].at(&[c[0], k, c[2]]).powi(2)).sum();
                x[0].at(&c) / (2.0 + 0.5 / 3.0 * squares).powf(0.75)
            })
        },
    );
    let of_all = Function::new(
        "local_response_norm",
        |x| x[0].local_response_norm(9, 0.5, 0.75, 2.0),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let squares: f64 = (0..2).map(|k| x[0].at(&[c[0], k, c[2]]).powi(2)).sum();
                x[0].at(&c) / (2.0 + 0.5 / 9.0 * squares).powf(0.75)
            })
        },
    );
    vec![
        Sample::new(unfold, [f32s(&[2, 2, 4, 6])]).bound(Bound::Exact, "moves elements"),
        Sample::new(fold, [f32s(&[2, 12, 9])]).bound(Bound::Terms(8.0), "a sum of a few"),
        Sample::new(lp, [f32s(&[1, 2, 4, 5])])
            .operand(0, Domain::Range(0.2, 1.5))
            .bound(Bound::Ulp(24), "powers and a root, each within 4 units"),
        Sample::new(largest, [f32s(&[1, 2, 4, 6])]).operand(0, Domain::Distinct).named("order inf"),
        Sample::new(unpool, [f32s(&[1, 2, 2, 2]), Meta::new([1, 2, 2, 2], DType::U32)])
            .operand(1, Domain::Values(&[0.0, 5.0, 11.0, 2.0, 7.0]))
            .bound(Bound::Terms(4.0), "a sum of a few"),
        Sample::new(norm, [f32s(&[2, 5, 3])])
            .bound(Bound::Ulp(24), "a sum of squares, a power and a quotient"),
        Sample::new(of_all, [f32s(&[2, 2, 3])])
            .bound(Bound::Ulp(24), "a sum of squares, a power and a quotient")
            .named("more than all channels"),
    ]
}
