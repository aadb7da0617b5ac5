//! Geometry of a pooling on devices: three axes, their windows, and iteration over them.

use super::*;
use crate::ops::params::params;
use crate::ops::{
    kernel::{CpuKernel, Kernel, Shader, fold},
    library::divisor,
};

/// Three spatial axes; missing ones are added in front, with extent 1.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub x: [usize; 3],
    pub y: [usize; 3],
    windows: [Window; 3],
    /// The windows along each axis, in order.
    spans: [Vec<Span>; 3],
    planes: usize,
    count_padding: bool,
}

/// The cells of a window along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// The first cell that is not padding.
    first: usize,
    /// Number of cells that are not padding.
    len: usize,
    /// Number of cells that count in a mean.
    counted: usize,
}

/// Names of the overrides of `shaders/lib/window.wgsl`.
const OVERRIDES: [[&str; 3]; 3] = [
    ["EXTENT_D", "EXTENT_H", "EXTENT_W"],
    ["STRIDE_D", "STRIDE_H", "STRIDE_W"],
    ["DILATION_D", "DILATION_H", "DILATION_W"],
];

impl Geometry {
    /// Creates the geometry of matching shapes.
    pub fn new(windows: &[Window], x: &Shape, y: &Shape) -> Self {
        let missing = 3 - windows.len();
        let spatial = |shape: &Shape| {
            let mut extents = [1; 3];
            extents[missing..].copy_from_slice(&shape.dims()[2..]);
            extents
        };
        let (x_extents, y_extents) = (spatial(x), spatial(y));
        let mut all = [Window::new(1); 3];
        all[missing..].copy_from_slice(windows);
        Geometry {
            x: x_extents,
            y: y_extents,
            windows: all,
            spans: [vec![], vec![], vec![]],
            planes: x.dims()[..2].iter().product(),
            count_padding: false,
        }
        .with_spans()
    }

    /// Sets whether padding counts in a mean.
    pub fn counting_padding(self, count_padding: bool) -> Self {
        Geometry { count_padding, ..self }.with_spans()
    }

    fn with_spans(mut self) -> Self {
        for axis in 0..3 {
            let window = self.windows[axis];
            let [low, high] = self.counted(axis);
            self.spans[axis] = (0..self.y[axis])
                .map(|o| {
                    let start = o * window.stride;
                    let before = |end: usize| {
                        end.saturating_sub(start).div_ceil(window.dilation).min(window.extent)
                    };
                    let skipped = before(window.low);
                    Span {
                        // Not used without cells.
                        first: (start + skipped * window.dilation).saturating_sub(window.low),
                        len: before(window.low + self.x[axis]) - skipped,
                        counted: before(high) - before(low),
                    }
                })
                .collect();
        }
        self
    }

    /// The range of cells that count in a mean, in coordinates of the padded axis.
    fn counted(&self, axis: usize) -> [usize; 2] {
        let Window { low, high, .. } = self.windows[axis];
        let end = low + self.x[axis];
        if self.count_padding { [0, end + high] } else { [low, end] }
    }

    /// Elements per plane of x.
    pub fn x_plane(&self) -> usize {
        self.x.iter().product()
    }

    /// Elements per plane of y.
    pub fn y_plane(&self) -> usize {
        self.y.iter().product()
    }

    /// The kernel with one invocation per element of `result`, which is the x or the y, and
    /// `compute` for its planes.
    pub fn kernel(
        &self,
        file: ShaderFile,
        result: [usize; 3],
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
        probe: Probe,
    ) -> Kernel {
        let plane = result.iter().product::<usize>();
        let len = self.planes * plane;
        let divisors = result.map(|extent| divisor(extent as u32));
        let counted = [0, 1, 2].map(|axis| self.counted(axis));
        let params = params! {
            x_dims: self.x,
            len,
            y_dims: self.y,
            x_plane: self.x_plane(),
            low: self.windows.map(|window| window.low),
            y_plane: self.y_plane(),
            counted_low: counted.map(|[low, _]| low),
            counted_high: counted.map(|[_, high]| high),
            multipliers: divisors.map(|(multiplier, _)| multiplier),
            shifts: divisors.map(|(_, shift)| shift),
        };
        let values = [
            self.windows.map(|window| window.extent),
            self.windows.map(|window| window.stride),
            self.windows.map(|window| window.dilation),
        ];
        let overrides = OVERRIDES.into_iter().flatten().zip(values.into_iter().flatten());
        let shader = Shader {
            file,
            overrides: overrides.map(|(name, value)| (name, value as f64)).collect(),
            params,
            workgroups: fold(len.div_ceil(256)),
        };
        let cells = self.y_plane() * self.windows.iter().map(|w| w.extent).product::<usize>();
        let work = (2 * cells).div_ceil(plane.max(1)).max(1);
        let cpu = CpuKernel::new(plane, work, compute);
        let probe = probe.along_all([0, 1]);
        Kernel::new(vec![shader], cpu, probe)
    }

    /// Calls `f` with the index and the cells of every window of a plane, in row-major order.
    pub fn for_each_window(&self, mut f: impl FnMut(usize, [Span; 3])) {
        let mut index = 0;
        for &d in &self.spans[0] {
            for &h in &self.spans[1] {
                for &w in &self.spans[2] {
                    f(index, [d, h, w]);
                    index += 1;
                }
            }
        }
    }

    /// Index in its plane of the first cell of a window; `None` if it has only padding.
    pub fn first_cell(&self, window: [Span; 3]) -> Option<usize> {
        let [d, h, w] = window;
        let first = (d.first * self.x[1] + h.first) * self.x[2] + w.first;
        window.iter().all(|span| span.len > 0).then_some(first)
    }

    /// Calls `f` with the indices, in their plane, of the cells of a window: in row-major order,
    /// without padding.
    #[inline(always)]
    pub fn for_each_cell(&self, [d, h, w]: [Span; 3], mut f: impl FnMut(usize)) {
        let [d_step, h_step, w_step] = self.windows.map(|window| window.dilation);
        for a in 0..d.len {
            for b in 0..h.len {
                let row = (d.first + a * d_step) * self.x[1] + h.first + b * h_step;
                let first = row * self.x[2] + w.first;
                (0..w.len).for_each(|c| f(first + c * w_step));
            }
        }
    }

    /// Combines the cells of every window of a plane, in row-major order and starting with
    /// `init`: row by row of the result, so that neighboring windows are processed together.
    #[inline(always)]
    pub fn fold(&self, x: &[f32], y: &mut [f32], init: f32, combine: impl Fn(f32, f32) -> f32) {
        y.fill(init);
        let [d_step, h_step, _] = self.windows.map(|window| window.dilation);
        let taps = self.taps();
        let places = self.spans[0].iter().flat_map(|d| self.spans[1].iter().map(move |h| (d, h)));
        for (row, (d, h)) in y.chunks_exact_mut(self.y[2]).zip(places) {
            for a in 0..d.len {
                for b in 0..h.len {
                    let from = (d.first + a * d_step) * self.x[1] + h.first + b * h_step;
                    let from = &x[from * self.x[2]..(from + 1) * self.x[2]];
                    for &Tap { low, high, first } in &taps {
                        let stride = self.windows[2].stride;
                        fold_row(&mut row[low..high], &from[first..], stride, &combine);
                    }
                }
            }
        }
    }

    /// For each cell of a window along the last axis, the windows in which it is not padding.
    fn taps(&self) -> Vec<Tap> {
        let Window { extent, stride, dilation, low, .. } = self.windows[2];
        let tap = |j: usize| {
            let windows_before =
                |end: usize| end.saturating_sub(j * dilation).div_ceil(stride).min(self.y[2]);
            let (from, to) = (windows_before(low), windows_before(low + self.x[2]));
            let first = from * stride + j * dilation;
            (from < to).then(|| Tap { low: from, high: to, first: first - low })
        };
        (0..extent).filter_map(tap).collect()
    }

    /// The divisor of the sum over a window.
    pub fn divisor([d, h, w]: [Span; 3]) -> f32 {
        (d.counted * h.counted * w.counted).max(1) as f32
    }
}

/// One cell of the windows `low..high`.
struct Tap {
    low: usize,
    high: usize,
    /// Its position in the first of them.
    first: usize,
}

/// `y[o] = combine(y[o], x[o stride])`
#[inline(always)]
fn fold_row(y: &mut [f32], x: &[f32], stride: usize, combine: impl Fn(f32, f32) -> f32) {
    let one = |(y, &x): (&mut f32, &f32)| *y = combine(*y, x);
    match stride {
        1 => y.iter_mut().zip(x).for_each(one),
        2 => {
            // In pairs, so that it vectorizes; the last one may be half.
            let (pairs, rest) = x.as_chunks::<2>();
            let (paired, last) = y.split_at_mut(pairs.len().min(y.len()));
            paired.iter_mut().zip(pairs).for_each(|(y, pair)| *y = combine(*y, pair[0]));
            last.iter_mut().zip(rest).for_each(one);
        }
        _ => y.iter_mut().zip(x.iter().step_by(stride)).for_each(one),
    }
}
