//! Adaptive pooling, and sums of windows.

use super::{definition::f32s, precision::in_f32};
use crate::{
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::{
        Window,
        contract::{Bound, Domain, Function, Sample},
        pool::pooled,
    },
    shape::{Meta, Shape},
};

/// The reduction of each window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pooling {
    Max,
    Avg,
}

impl<'g> Tensor<'g> {
    /// The mean of each of `outputs[axis]` bins along every spatial axis.
    ///
    /// Bin `i` of `m` along an axis of `n` elements is `floor(i n / m) .. ceil((i + 1) n / m)`.
    ///
    /// # Shapes
    ///
    /// `[n, channels, ..spatial]` becomes `[n, channels, ..outputs]`, with one, two or three
    /// spatial axes.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there is a number for each spatial axis; [`OpError::TooLarge`];
    /// [`OpError::Empty`] along an axis without elements; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// PyTorch's `AdaptiveAvgPool2d`.
    #[doc(alias("adaptive_avg_pool2d", "global average pooling"))]
    #[track_caller]
    pub fn adaptive_avg_pool(self, outputs: &[usize]) -> Tensor<'g> {
        self.adaptive_pool(Pooling::Avg, outputs)
    }

    /// The maximum of each of `outputs[axis]` bins along every spatial axis; the bins are those
    /// of [`Tensor::adaptive_avg_pool`].
    ///
    /// # Gradient
    ///
    /// To the first of the largest elements in row-major order.
    ///
    /// # Errors
    ///
    /// As for [`Tensor::adaptive_avg_pool`].
    ///
    /// # Source
    ///
    /// PyTorch's `adaptive_max_pool2d`.
    #[doc(alias = "adaptive_max_pool2d")]
    #[track_caller]
    pub fn adaptive_max_pool(self, outputs: &[usize]) -> Tensor<'g> {
        self.adaptive_pool(Pooling::Max, outputs)
    }

    /// The sum of each window: [`avg_pool`](Self::avg_pool) without its divisor. Divided by a number, it
    /// is what PyTorch has a `divisor_override` for.
    ///
    /// # Errors
    ///
    /// Those of [`avg_pool`](Self::avg_pool).
    #[doc(alias = "divisor_override")]
    #[track_caller]
    pub fn sum_pool(self, windows: &[Window]) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        let counts = match pooled(windows, &self.meta()) {
            Ok(meta) => meta.shape.dims()[2..].to_vec(),
            Err(reason) => return self.graph().refuse("sum_pool", &[self], reason),
        };
        // Windows that all have as many cells: where one extends past the padding, there is more of it.
        let mut whole = windows.to_vec();
        for ((axis, window), count) in (2..).zip(&mut whole).zip(counts) {
            if window.ceil_mode && count > 0 {
                let reach = (count - 1) * window.stride + window.dilation * (window.extent - 1) + 1;
                window.high = reach.saturating_sub(window.low + self.dim(axis));
                window.ceil_mode = false;
            }
        }
        let cells: f64 = windows.iter().map(|window| window.extent as f64).product();
        in_f32("sum_pool", [self], |[x]| x.avg_pool(&whole, true) * cells)
    }

    #[track_caller]
    fn adaptive_pool(self, pooling: Pooling, outputs: &[usize]) -> Tensor<'g> {
        if self.failed() {
            return self;
        }
        let shape = self.shape();
        let probe: Vec<Window> = outputs.iter().map(|_| Window::new(1)).collect();
        let name = match pooling {
            Pooling::Max => "adaptive_max_pool",
            Pooling::Avg => "adaptive_avg_pool",
        };
        if let Err(reason) = pooled(&probe, &self.meta()) {
            return self.graph().refuse(name, &[self], reason);
        }
        // Its bins become parts of the graph.
        if !Shape::from([&shape.dims()[..2], outputs].concat()).is_addressable() {
            return self.graph().refuse(name, &[self], OpError::TooLarge);
        }
        let spatial = &shape.dims()[2..];
        if outputs.contains(&0) {
            let some: Vec<usize> = outputs.iter().map(|&output| output.max(1)).collect();
            let y = self.adaptive_pool(pooling, &some);
            return y.first(&[&shape.dims()[..2], outputs].concat());
        }
        if pooling == Pooling::Avg && outputs.iter().all(|&output| output == 1) {
            // A reduction parallelizes over large planes; a window has one invocation.
            let axes: Vec<i32> = (2..2 + outputs.len() as i32).collect();
            return self.mean_keepdims(axes.as_slice());
        }
        if spatial.iter().zip(outputs).all(|(cells, output)| cells % output == 0) {
            let sides = spatial.iter().zip(outputs).map(|(cells, output)| cells / output);
            return self.pool(pooling, &sides.map(Window::new).collect::<Vec<_>>());
        }
        // The maximum or mean of a box can be computed one axis after another. The last axis
        // comes first, so that the first of equal maxima in row-major order is chosen. Bins may
        // overlap, so that derivatives of maxima are sums.
        let axes = outputs.iter().enumerate().rev();
        in_f32(name, [self], |[x]| {
            axes.fold(x, |x, (axis, &output)| x.adaptive_pool_along(pooling, 2 + axis, output))
        })
    }

    #[track_caller]
    fn pool(self, pooling: Pooling, windows: &[Window]) -> Tensor<'g> {
        match pooling {
            Pooling::Max => self.max_pool(windows),
            Pooling::Avg => self.avg_pool(windows, false),
        }
    }

    /// Pools along one axis. The pattern of bins repeats after `period` of them, so every
    /// `period`-th one is a window of the same extent at a constant distance.
    #[track_caller]
    fn adaptive_pool_along(self, pooling: Pooling, axis: usize, output: usize) -> Tensor<'g> {
        let shape = self.shape();
        let cells = shape.dims()[axis];
        let repeats = greatest_common_divisor(cells, output);
        let (period, stride) = (output / repeats, cells / repeats);
        let along = axis as i32;
        let phases: Vec<Tensor<'g>> = (0..period)
            .map(|phase| {
                let [start, end] = bin(phase, cells, output);
                let last = (repeats - 1) * stride;
                let mut windows = vec![Window::new(1); shape.rank() - 2];
                windows[axis - 2] = Window::new(end - start).stride(stride);
                self.slice(along, start..last + end).pool(pooling, &windows).unsqueeze(along + 1)
            })
            .collect();
        let mut dims = shape.dims().to_vec();
        dims[axis] = output;
        self.graph().concat(&phases, along + 1).reshape(dims)
    }
}

/// First element of bin `i` of `output`, and one past its last.
fn bin(i: usize, cells: usize, output: usize) -> [usize; 2] {
    // A product of two extents may overflow a 32-bit usize.
    let [i, cells, output] = [i as u64, cells as u64, output as u64];
    [i * cells / output, ((i + 1) * cells).div_ceil(output)].map(|cell| cell as usize)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let bins = |x: &Array64, of: fn(&[f64]) -> f64| {
        Array64::from_fn(Meta::new([2, 3, 2, 3], x.meta.dtype), |c| {
            let bin = |k: usize, n: usize, m: usize| k * n / m..((k + 1) * n).div_ceil(m);
            let columns = bin(c[3], 7, 3);
            let cells = bin(c[2], 5, 2).flat_map(|row| columns.clone().map(move |k| [row, k]));
            let cells = cells.map(|[row, k]| x.at(&[c[0], c[1], row, k]));
            of(&cells.collect::<Vec<_>>())
        })
    };
    let mean = Function::new(
        "adaptive_avg_pool",
        |x| x[0].adaptive_avg_pool(&[2, 3]),
        move |x| bins(x[0], |bin| bin.iter().sum::<f64>() / bin.len() as f64),
    );
    let largest = Function::new(
        "adaptive_max_pool",
        |x| x[0].adaptive_max_pool(&[2, 3]),
        move |x| bins(x[0], |bin| bin.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    );
    let sums = |windows: [Window; 2], dims: [usize; 2]| {
        let function = Function::new(
            "sum_pool",
            move |x| x[0].sum_pool(&windows),
            move |x| {
                let x = x[0];
                Array64::from_fn(Meta::new([1, 2, dims[0], dims[1]], x.meta.dtype), |c| {
                    let [tall, wide] = windows.map(|window| window.extent);
                    let cell = |k: usize| {
                        let [row, column] = [(0, k / wide), (1, k % wide)].map(|(axis, j)| {
                            let Window { stride, dilation, low, .. } = windows[axis];
                            (c[2 + axis] * stride + j * dilation).checked_sub(low)
                        });
                        let (row, column) =
                            (row.filter(|&row| row < 6)?, column.filter(|&k| k < 7)?);
                        Some(x.at(&[c[0], c[1], row, column]))
                    };
                    (0..tall * wide).filter_map(cell).sum()
                })
            },
        );
        Sample::new(function, [f32s(&[1, 2, 6, 7])])
            .bound(Bound::Terms(16.0), "a sum of up to 9, a quotient and a product")
    };
    vec![
        sums([Window::new(2), Window::new(3).stride(2).padding(1)], [3, 4]),
        sums(
            [Window::new(3).stride(2).ceil_mode(), Window::new(2).stride(3).padding(1).ceil_mode()],
            [3, 3],
        ),
        sums(
            [Window::new(2).stride(4).padding([(2, 2)]).ceil_mode(), Window::new(2).dilation(3)],
            [2, 2],
        ),
        Sample::new(mean, [f32s(&[2, 3, 5, 7])])
            .bound(Bound::Terms(16.0), "a sum of up to 9, and a quotient"),
        Sample::new(largest, [f32s(&[2, 3, 5, 7])])
            .operand(0, Domain::Distinct)
            .bound(Bound::Exact, "chooses elements"),
    ]
}
