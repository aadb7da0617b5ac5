//! Resizing images, and sampling them at the points of a grid.

use super::{precision::in_f32, quotients::Line};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

/// How to interpolate between elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Element `floor(i n / m)`, PyTorch's `nearest`.
    Nearest,
    /// The element whose center is nearest, PyTorch's `nearest-exact`.
    NearestMiddle,
    /// Linear interpolation of two elements.
    Linear(CoordinateTransform),
    /// Cubic interpolation of four elements, Keys with `a = -0.75`.
    Cubic(CoordinateTransform),
}

/// Positions of the elements.
#[doc(alias = "align_corners")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinateTransform {
    /// Centers of cells that fill the axis: `(i + 1/2) n / m - 1/2`.
    HalfPixel,
    /// From end to end: the first and the last elements keep their positions.
    AlignCorners,
}

/// Values outside of an image.
#[doc(alias = "padding_mode")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaddingMode {
    /// Zeros.
    Zeros,
    /// The nearest element at the border.
    Edge,
    /// The image reflected at its borders, repeatedly: at the centers of the outermost elements
    /// with [`CoordinateTransform::AlignCorners`], and otherwise at their outer edges.
    Mirror,
}

/// Indices of elements and their weights along an axis: `[outputs]` each.
type Tap<'g> = (Tensor<'g>, Option<Tensor<'g>>);

impl<'g> Tensor<'g> {
    /// Resizes the last axes by interpolation along one after the other.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`] if there are more sizes than axes; [`OpError::Number`] if one is 0;
    /// [`OpError::Empty`] for an axis without elements; [`OpError::TooLarge`], also for more than 2^29 positions along an
    /// axis, unless they are few enough for products of their numbers to fit in 32 bits.
    ///
    /// # Source
    ///
    /// PyTorch's `interpolate` of given sizes; Keys 1981 for the cubic.
    #[doc(alias("interpolate", "upsample", "UpSampling2D"))]
    #[track_caller]
    pub fn resize(self, sizes: &[usize], between: Interpolation) -> Tensor<'g> {
        let x = self.of_floats("resize");
        if x.failed() {
            return x;
        }
        let Some(outer) = x.rank().checked_sub(sizes.len()) else {
            return x.graph().refuse("resize", &[x], OpError::Rank { least: sizes.len() });
        };
        let counts: Vec<_> =
            sizes.iter().map(|&size| ("size", size as f64, Must::BePositive)).collect();
        if let Some(refused) = x.graph().refuse_invalid("resize", &[x], &counts) {
            return refused;
        }
        for (axis, &size) in (outer..).zip(sizes) {
            let extent = x.dim(axis as i32);
            let is_index = |n: usize| i32::try_from(n).is_ok();
            if !is_index(size) || !line(extent, size, between).is_for(size) {
                return x.graph().refuse("resize", &[x], OpError::TooLarge);
            }
            if extent == 0 {
                return x.graph().refuse("resize", &[x], OpError::Empty);
            }
        }
        match between {
            Interpolation::Nearest | Interpolation::NearestMiddle => {
                x.resampled(outer, sizes, between)
            }
            Interpolation::Linear(_) | Interpolation::Cubic(_) => {
                in_f32("resize", [x], |[x]| x.resampled(outer, sizes, between))
            }
        }
    }

    /// Resamples one axis after another, from `outer` on.
    #[track_caller]
    fn resampled(self, outer: usize, sizes: &[usize], between: Interpolation) -> Tensor<'g> {
        let mut y = self;
        for (axis, &size) in (outer..).zip(sizes) {
            y = y.resampled_along(axis, size, between);
        }
        y
    }

    #[track_caller]
    fn resampled_along(self, axis: usize, size: usize, between: Interpolation) -> Tensor<'g> {
        let extent = self.dim(axis as i32);
        if extent == size {
            return self;
        }
        let around = vec![1; self.rank() - 1 - axis];
        let mut sum: Option<Tensor> = None;
        for (index, weight) in taps(self, extent, size, between) {
            let own = self.index_select(index, axis as i32);
            let own = match weight {
                Some(weight) => own * weight.reshape([&[size], &around[..]].concat()),
                None => own,
            };
            sum = Some(sum.map_or(own, |sum| sum + own));
        }
        sum.unwrap_or(self)
    }

    /// Samples images at the points of a grid, by bilinear interpolation.
    ///
    /// Coordinates range from -1, left and top, to 1: the centers of the outermost elements with
    /// [`CoordinateTransform::AlignCorners`], and otherwise their outer edges.
    ///
    /// # Shapes
    ///
    /// Images `[n, channels, h, w]`, a grid `[n, rows, columns, 2]` of points `(x, y)`; the result
    /// is `[n, channels, rows, columns]`.
    ///
    /// # Gradient
    ///
    /// W.r.t. the images and the grid.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Argument`]; [`OpError::Extents`]; [`OpError::DTypes`];
    /// [`OpError::Empty`] for images without elements.
    ///
    /// # Source
    ///
    /// Jaderberg et al. 2015, "Spatial Transformer Networks"; PyTorch's `grid_sample`.
    #[doc(alias("bilinear sampling", "warp"))]
    #[track_caller]
    pub fn grid_sample(
        self,
        places: Tensor<'g>,
        grid: CoordinateTransform,
        beyond: PaddingMode,
    ) -> Tensor<'g> {
        let [n, channels, h, w, rows, columns] = match sampled(self, places) {
            Ok(extents) => extents,
            Err(reason) => return self.graph().refuse("grid_sample", &[self, places], reason),
        };
        in_f32("grid_sample", [self, places], |[x, places]| {
            // For each axis, elements and their weights, which are 0 outside.
            let sides = [(0, w), (1, h)].map(|(axis, extent)| {
                let place = seen(places, axis, extent, grid, beyond);
                let low = place.floor().detach();
                let share = place - low;
                [(low, 1.0 - share), (low + 1.0, share)].map(|(at, weight)| {
                    let (index, inside) = element(at, extent);
                    (index, inside.select(weight, at.full_like(0.0)))
                })
            });
            let flat = x.reshape([n, channels, h * w]);
            let mut sum: Option<Tensor> = None;
            for (row, by_row) in sides[1] {
                for (column, by_column) in sides[0] {
                    let index = (row * w as u32 + column).reshape([n, 1, rows * columns]);
                    let index = index.broadcast_to([n, channels, rows * columns]);
                    let weight = (by_row * by_column).reshape([n, 1, rows * columns]);
                    let own = flat.take_along_axis(index, 2) * weight;
                    sum = Some(sum.map_or(own, |sum| sum + own));
                }
            }
            sum.unwrap_or(flat).reshape([n, channels, rows, columns])
        })
    }

    /// [`grid_sample`](Self::grid_sample) of the element nearest to each point; ties go to the
    /// one with an even index.
    ///
    /// # Gradient
    ///
    /// W.r.t. the images only.
    ///
    /// # Source
    ///
    /// PyTorch's `grid_sample` with mode `nearest`.
    #[track_caller]
    pub fn grid_sample_nearest(
        self,
        places: Tensor<'g>,
        grid: CoordinateTransform,
        beyond: PaddingMode,
    ) -> Tensor<'g> {
        let x = self.of_floats("grid_sample");
        let [n, channels, h, w, rows, columns] = match sampled(x, places) {
            Ok(extents) => extents,
            Err(reason) => return x.graph().refuse("grid_sample", &[x, places], reason),
        };
        let [(column, across), (row, down)] = [(0, w), (1, h)].map(|(axis, extent)| {
            // A half has no place among many elements.
            let places = places.detach().widened();
            element(seen(places, axis, extent, grid, beyond).round(), extent)
        });
        let all = |x: Tensor<'g>| {
            let flat = x.reshape([n, 1, rows * columns]);
            flat.broadcast_to([n, channels, rows * columns])
        };
        let own = x.reshape([n, channels, h * w]).take_along_axis(all(row * w as u32 + column), 2);
        let seen = all(across.and(down)).select(own, own.full_like(0.0));
        seen.reshape([n, channels, rows, columns])
    }
}

/// Converts coordinates along an axis to units of elements.
#[track_caller]
fn seen<'g>(
    places: Tensor<'g>,
    axis: usize,
    extent: usize,
    grid: CoordinateTransform,
    beyond: PaddingMode,
) -> Tensor<'g> {
    let place = places.slice(-1, axis..axis + 1).squeeze(-1);
    let last = extent as f64 - 1.0;
    let place = match grid {
        CoordinateTransform::AlignCorners => (place + 1.0) * last / 2.0,
        CoordinateTransform::HalfPixel => ((place + 1.0) * extent as f64 - 1.0) / 2.0,
    };
    match beyond {
        PaddingMode::Zeros => place,
        PaddingMode::Edge => place.clip(0.0, last),
        PaddingMode::Mirror => {
            let (edge, span) = match grid {
                CoordinateTransform::AlignCorners => (0.0, last),
                CoordinateTransform::HalfPixel => (-0.5, extent as f64),
            };
            if span == 0.0 {
                return place.full_like(0.0);
            }
            let off = (place - edge).abs();
            let turns = (off / span).floor().detach();
            let rest = off - turns * span;
            let is_forward = (turns - (turns / 2.0).floor() * 2.0).equal(0.0);
            (is_forward.select(rest, span - rest) + edge).clip(0.0, last)
        }
    }
}

/// The element at an integral position, and whether it exists.
#[track_caller]
fn element<'g>(at: Tensor<'g>, extent: usize) -> (Tensor<'g>, Tensor<'g>) {
    let inside = at.greater_equal(0.0).and(at.less_equal(extent as f64 - 1.0));
    (inside.select(at, at.full_like(0.0)).cast(DType::U32), inside)
}

/// Checks and returns the extents of images and a grid.
fn sampled(x: Tensor<'_>, places: Tensor<'_>) -> Result<[usize; 6], OpError> {
    let &[n, channels, h, w] = x.shape().dims() else { return Err(OpError::Rank { least: 4 }) };
    let &[images, rows, columns, 2] = places.shape().dims() else {
        return Err(OpError::Argument("a grid must be [n, rows, columns, 2]"));
    };
    if images != n {
        return Err(OpError::Extents {
            what: "numbers of images and of grids",
            lhs: n,
            rhs: images,
        });
    }
    if places.dtype() != x.dtype() {
        return Err(OpError::DTypes);
    }
    if h == 0 || w == 0 {
        return Err(OpError::Empty);
    }
    Ok([n, channels, h, w, rows, columns])
}

/// The positions along an axis, in elements: of the nearest element, or one more.
fn line(extent: usize, size: usize, between: Interpolation) -> Line {
    let (n, m) = (extent as u64, size as u64);
    match between {
        Interpolation::Nearest => Line { slope: n, offset: 0, by: m.max(1) },
        Interpolation::NearestMiddle => Line { slope: 2 * n, offset: n, by: (2 * m).max(1) },
        Interpolation::Linear(grid) | Interpolation::Cubic(grid) => match grid {
            CoordinateTransform::HalfPixel => {
                Line { slope: 2 * n, offset: n + m, by: (2 * m).max(1) }
            }
            CoordinateTransform::AlignCorners => {
                let by = m.saturating_sub(1).max(1);
                Line { slope: n.saturating_sub(1), offset: by, by }
            }
        },
    }
}

/// The elements and weights for each of `size` positions along an axis.
#[track_caller]
fn taps<'g>(x: Tensor<'g>, extent: usize, size: usize, between: Interpolation) -> Vec<Tap<'g>> {
    let line = line(extent, size, between);
    let [quotient, rest] = line.quotients(x.graph(), size);
    let is_linear = match between {
        Interpolation::Nearest | Interpolation::NearestMiddle => return vec![(quotient, None)],
        Interpolation::Linear(_) => true,
        Interpolation::Cubic(_) => false,
    };
    // A quotient of integers, so that rounding never selects another element. It is of the place
    // behind, since the first one may lie before the first element, where a line stays level.
    let low = quotient.cast(DType::I32) - 1;
    let share = rest.cast(x.dtype()) / line.by as f64;
    let (low, share) =
        if is_linear { (low.maximum(0), low.less(0).select(0.0, share)) } else { (low, share) };
    let weights = if is_linear {
        vec![(0, 1.0 - share), (1, share)]
    } else {
        vec![
            (-1, outer(share + 1.0)),
            (0, inner(share)),
            (1, inner(1.0 - share)),
            (2, outer(2.0 - share)),
        ]
    };
    let mut taps = Vec::with_capacity(weights.len());
    for (k, weight) in weights {
        let element = (low + k).maximum(0).minimum(extent as i32 - 1).cast(DType::U32);
        taps.push((element, Some(weight)));
    }
    taps
}

/// The `a` of the cubic kernel, as in PyTorch.
const A: f64 = -0.75;

/// The weight of an element at distance at most 1.
#[track_caller]
fn inner(t: Tensor<'_>) -> Tensor<'_> {
    (t * (A + 2.0) - (A + 3.0)) * t * t + 1.0
}

/// The weight of an element at a larger distance.
#[track_caller]
fn outer(t: Tensor<'_>) -> Tensor<'_> {
    ((t * A - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A
}

/// The definition: the interpolated value at position `i` of an axis.
fn interpolated(line: &[f64], size: usize, i: usize, between: Interpolation) -> f64 {
    let (n, m, i) = (line.len() as f64, size as f64, i as f64);
    let at = |k: f64| line[k.clamp(0.0, n - 1.0) as usize];
    let place = |grid: CoordinateTransform| match grid {
        CoordinateTransform::HalfPixel => (i + 0.5) * n / m - 0.5,
        CoordinateTransform::AlignCorners if size == 1 => 0.0,
        CoordinateTransform::AlignCorners => i * (n - 1.0) / (m - 1.0),
    };
    // Positions in samples are far enough from elements, or exact.
    let near = |x: f64| (x + 1e-9).floor();
    match between {
        Interpolation::Nearest => at(near(i * n / m)),
        Interpolation::NearestMiddle => at(near((i + 0.5) * n / m)),
        Interpolation::Linear(grid) => {
            let place = place(grid).max(0.0);
            let low = near(place);
            at(low) + (at(low + 1.0) - at(low)) * (place - low)
        }
        Interpolation::Cubic(grid) => {
            let (place, a) = (place(grid), -0.75);
            let weight = |d: f64| match d.abs() {
                d if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d * d + 1.0,
                d if d < 2.0 => a * d.powi(3) - 5.0 * a * d * d + 8.0 * a * d - 4.0 * a,
                _ => 0.0,
            };
            let low = near(place);
            (-1..3).map(|k| low + f64::from(k)).map(|k| at(k) * weight(place - k)).sum()
        }
    }
}

/// Reflects a position at the borders of an image until it is inside.
fn mirrored(mut place: f64, extent: usize, grid: CoordinateTransform) -> f64 {
    let last = extent as f64 - 1.0;
    let [low, high] = match grid {
        CoordinateTransform::AlignCorners => [0.0, last],
        CoordinateTransform::HalfPixel => [-0.5, last + 0.5],
    };
    while place < low || place > high {
        place = if place < low { 2.0 * low - place } else { 2.0 * high - place };
    }
    place.clamp(0.0, last)
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    use Interpolation::*;
    let f32s = |dims: &[usize]| Meta::new(dims, DType::F32);
    let resized = |between: Interpolation, from: [usize; 2], to: [usize; 2]| {
        let function = Function::new(
            "resize",
            move |x| x[0].resize(&to, between),
            move |x| {
                Array64::from_fn(Meta::new([2, to[0], to[1]], x[0].meta.dtype), |c| {
                    let row = |row: usize| {
                        let line: Vec<f64> =
                            (0..from[1]).map(|k| x[0].at(&[c[0], row, k])).collect();
                        interpolated(&line, to[1], c[2], between)
                    };
                    let rows: Vec<f64> = (0..from[0]).map(row).collect();
                    interpolated(&rows, to[0], c[1], between)
                })
            },
        );
        Sample::new(function.with(format!(" {between:?}")), [f32s(&[2, from[0], from[1]])])
            .bound(Bound::Abs(4e-6), "sums of a few products with weights below 1.3")
    };
    let grid = |name: &'static str, grid: CoordinateTransform, beyond: PaddingMode| {
        let is_nearest = name == "grid_sample_nearest";
        let function = Function::new(
            name,
            move |x| {
                if is_nearest {
                    x[0].grid_sample_nearest(x[1], grid, beyond)
                } else {
                    x[0].grid_sample(x[1], grid, beyond)
                }
            },
            move |x| {
                let [x, places] = x else { unreachable!("images and places") };
                let [h, w] = [2, 3].map(|axis| x.shape().dims()[axis]);
                let [rows, columns] = [1, 2].map(|axis| places.shape().dims()[axis]);
                let [n, channels] = [0, 1].map(|axis| x.shape().dims()[axis]);
                let meta = Meta::new([n, channels, rows, columns], x.meta.dtype);
                Array64::from_fn(meta, |c| {
                    let place = |axis: usize, extent: usize| {
                        let (p, n) = (places.at(&[c[0], c[2], c[3], axis]), extent as f64);
                        let p = match grid {
                            CoordinateTransform::AlignCorners => (p + 1.0) / 2.0 * (n - 1.0),
                            CoordinateTransform::HalfPixel => ((p + 1.0) * n - 1.0) / 2.0,
                        };
                        let p = match beyond {
                            PaddingMode::Zeros => p,
                            PaddingMode::Edge => p.clamp(0.0, n - 1.0),
                            PaddingMode::Mirror => mirrored(p, extent, grid),
                        };
                        if is_nearest { p.round_ties_even() } else { p }
                    };
                    let (column, row) = (place(0, w), place(1, h));
                    let mut sum = 0.0;
                    for i in 0..h {
                        for j in 0..w {
                            let near = |a: f64, b: usize| (1.0 - (a - b as f64).abs()).max(0.0);
                            sum += near(row, i) * near(column, j) * x.at(&[c[0], c[1], i, j]);
                        }
                    }
                    sum
                })
            },
        );
        let function = function.with(format!(" {grid:?} {beyond:?}"));
        Sample::new(function, [f32s(&[2, 2, 4, 5]), f32s(&[2, 3, 3, 2])])
            .operand(1, Domain::Values(&[-1.37, -0.83, -0.41, 0.13, 0.57, 0.91, 1.29]))
            .bound(
                Bound::Abs(8e-6),
                "four products, and weights that are rounded at places up to 5",
            )
    };
    let both = [CoordinateTransform::HalfPixel, CoordinateTransform::AlignCorners];
    let mut samples = vec![
        resized(Nearest, [3, 4], [6, 3]),
        resized(Nearest, [5, 3], [3, 7]),
        resized(NearestMiddle, [5, 3], [3, 7]),
        resized(NearestMiddle, [4, 4], [2, 1]),
    ];
    for grid in both {
        for between in [Linear(grid), Cubic(grid)] {
            samples.extend([
                resized(between, [3, 4], [6, 7]),
                resized(between, [5, 7], [3, 2]),
                resized(between, [1, 3], [4, 1]),
            ]);
        }
    }
    for beyond in [PaddingMode::Zeros, PaddingMode::Edge, PaddingMode::Mirror] {
        samples.extend(both.map(|of| grid("grid_sample", of, beyond)));
        samples.extend(both.map(|of| grid("grid_sample_nearest", of, beyond)));
    }
    samples
}
