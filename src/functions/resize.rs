//! Resizing images.

use super::{
    cubic::{A, cubic, keys},
    precision::in_f32,
    quotients::{Line, Step},
    smoothing::smoothed,
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Attribution, Tensor},
    numbers::Must,
    ops::contract::{Bound, Function, Sample},
    shape::Meta,
};

/// How to interpolate between elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// Element `floor(i n / m)`, PyTorch's `nearest`.
    Nearest,
    /// The element whose center is nearest, PyTorch's `nearest-exact`.
    #[doc(alias = "nearest-exact")]
    NearestMiddle,
    /// Linear interpolation of two elements.
    #[doc(alias("bilinear", "trilinear"))]
    Linear(CoordinateTransform),
    /// Cubic interpolation of four elements, Keys with `a = -0.75`.
    #[doc(alias = "bicubic")]
    Cubic(CoordinateTransform),
    /// As linear, but where an axis shrinks over as many more elements, so that none is left out:
    /// weights are those of a triangle. Places are [half-pixel](CoordinateTransform::HalfPixel) ones.
    #[doc(alias = "antialias")]
    SmoothLinear,
    /// As cubic, but over as many more elements where an axis shrinks; Keys with `a = -0.5`, as in
    /// image libraries.
    #[doc(alias = "antialias")]
    SmoothCubic,
    /// The mean of each of as many bins, as of [`Tensor::adaptive_avg_pool`].
    Area,
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

/// Indices of elements and their weights along an axis: `[outputs]` each.
type Tap<'g> = (Tensor<'g>, Option<Tensor<'g>>);

impl<'g> Tensor<'g> {
    /// Resizes the last axes by interpolation along one after the other.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`] if there are more sizes than axes; [`OpError::Number`] if one is 0;
    /// [`OpError::Empty`] for an axis without elements; [`OpError::Argument`] for means along more than
    /// three axes; [`OpError::TooLarge`], also for more than 2^29 positions along an
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
        let counts: Vec<_> =
            sizes.iter().map(|&size| ("size", size as f64, Must::BePositive)).collect();
        if let Some(refused) = x.graph().refuse_invalid("resize", &[x], &counts) {
            return refused;
        }
        let first = x.rank().saturating_sub(sizes.len()) as i32;
        let steps = (first..)
            .zip(sizes)
            .map(|(axis, &size)| (size, Step { over: x.dim(axis) as u64, under: size as u64 }));
        x.resized("resize", &steps.collect::<Vec<_>>(), between)
    }

    /// Resizes the last axes by these factors: an axis of `n` elements gets `floor(n factor)`, which lie
    /// `1 / factor` elements apart, even if they do not fill the axis.
    ///
    /// With [`CoordinateTransform::AlignCorners`], and for means, only the sizes follow from the
    /// factors.
    ///
    /// # Errors
    ///
    /// Those of [`resize`](Self::resize); [`OpError::Number`] unless a factor is from 2^-20 to 2^20.
    ///
    /// # Source
    ///
    /// PyTorch's `interpolate` with a `scale_factor` that is not recomputed.
    #[doc(alias("scale_factor", "Upsample"))]
    #[track_caller]
    pub fn resize_by(self, factors: &[f64], between: Interpolation) -> Tensor<'g> {
        let x = self.of_floats("resize_by");
        if x.failed() {
            return x;
        }
        if let Some(&is) = factors.iter().find(|factor| !(LEAST..=1.0 / LEAST).contains(*factor)) {
            let reason = OpError::Number { what: "factor", must: "from 2^-20 to 2^20", is };
            return x.graph().refuse("resize_by", &[x], reason);
        }
        let Some(first) = x.rank().checked_sub(factors.len()) else {
            return x.graph().refuse("resize_by", &[x], OpError::Rank { least: factors.len() });
        };
        let sizes = (first as i32..).zip(factors).map(|(axis, factor)| {
            let [over, under] = fraction(1.0 / factor);
            ((x.dim(axis) as f64 * factor).floor() as usize, Step { over, under })
        });
        let sizes: Vec<_> = sizes.collect();
        let counts: Vec<_> =
            sizes.iter().map(|&(size, _)| ("size", size as f64, Must::BePositive)).collect();
        match x.graph().refuse_invalid("resize_by", &[x], &counts) {
            Some(refused) => refused,
            None => x.resized("resize_by", &sizes, between),
        }
    }

    /// Resizes the last axes to these sizes, whose elements are these steps apart.
    #[track_caller]
    fn resized(
        self,
        function: &'static str,
        sizes: &[(usize, Step)],
        between: Interpolation,
    ) -> Tensor<'g> {
        // Closures have no lines of the user.
        let _line = Attribution::to_caller(self.graph());
        let refuse = |reason| self.graph().refuse(function, &[self], reason);
        let Some(outer) = self.rank().checked_sub(sizes.len()) else {
            return refuse(OpError::Rank { least: sizes.len() });
        };
        for (axis, &(size, step)) in (outer..).zip(sizes) {
            let extent = self.dim(axis as i32);
            let is_index = |n: usize| i32::try_from(n).is_ok();
            if !is_index(size) || !line(extent, size, step, between).is_for(size) {
                return refuse(OpError::TooLarge);
            }
            if extent == 0 {
                return refuse(OpError::Empty);
            }
        }
        match between {
            Interpolation::Area if sizes.len() > 3 => {
                refuse(OpError::Argument("means are along one, two or three axes"))
            }
            Interpolation::Area if sizes.is_empty() => self,
            Interpolation::Area => {
                let shape = self.shape();
                let (before, spatial) = shape.dims().split_at(outer);
                let outputs: Vec<usize> = sizes.iter().map(|&(size, _)| size).collect();
                let images = before.iter().product::<usize>();
                let y = self.reshape([&[images, 1], spatial].concat()).adaptive_avg_pool(&outputs);
                y.reshape([before, &outputs].concat())
            }
            Interpolation::Nearest | Interpolation::NearestMiddle => {
                self.resampled(outer, sizes, between)
            }
            _ => in_f32(function, [self], |[x]| x.resampled(outer, sizes, between)),
        }
    }

    /// Resamples one axis after another, from `outer` on.
    #[track_caller]
    fn resampled(
        self,
        outer: usize,
        sizes: &[(usize, Step)],
        between: Interpolation,
    ) -> Tensor<'g> {
        let mut y = self;
        for (axis, &(size, step)) in (outer..).zip(sizes) {
            y = match between {
                Interpolation::SmoothLinear => smoothed(y, axis, size, step, false),
                Interpolation::SmoothCubic => smoothed(y, axis, size, step, true),
                _ => y.resampled_along(axis, size, step, between),
            };
        }
        y
    }

    #[track_caller]
    fn resampled_along(
        self,
        axis: usize,
        size: usize,
        step: Step,
        between: Interpolation,
    ) -> Tensor<'g> {
        use {CoordinateTransform::AlignCorners, Interpolation::*};
        let extent = self.dim(axis as i32);
        let by_ends = matches!(between, Linear(AlignCorners) | Cubic(AlignCorners));
        if extent == size && (by_ends || step.over == step.under) {
            return self;
        }
        let around = vec![1; self.rank() - 1 - axis];
        let mut sum: Option<Tensor> = None;
        for (index, weight) in taps(self, extent, size, step, between) {
            let own = self.index_select(index, axis as i32);
            let own = match weight {
                Some(weight) => own * weight.reshape([&[size], &around[..]].concat()),
                None => own,
            };
            sum = Some(sum.map_or(own, |sum| sum + own));
        }
        sum.unwrap_or(self)
    }
}

/// The least factor, and the inverse of the largest one.
const LEAST: f64 = 1.0 / (1 << 20) as f64;

/// The quotient of whole numbers up to 2^20 that is nearest to `x`, from its continued fraction: the first
/// one that is `x` as far as f64 goes, such as 10 / 7 where `x` is the inverse of 0.7.
fn fraction(x: f64) -> [u64; 2] {
    const MOST: f64 = (1 << 20) as f64;
    let (mut before, mut found) = ([0.0, 1.0], [1.0, 0.0]);
    let mut rest = x;
    loop {
        let whole = rest.floor();
        let next: [f64; 2] = std::array::from_fn(|k| whole * found[k] + before[k]);
        if next.iter().any(|&part| part > MOST) {
            break;
        }
        (before, found) = (found, next);
        if found[0] / found[1] == x || rest == whole {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    found.map(|part| part as u64)
}

/// The positions along an axis, in elements: of the nearest element, or one more; for smooth ones those
/// of centers.
fn line(extent: usize, size: usize, step: Step, between: Interpolation) -> Line {
    let Step { over, under } = step;
    match between {
        Interpolation::Nearest => Line { slope: over, offset: 0, by: under.max(1) },
        Interpolation::NearestMiddle
        | Interpolation::SmoothLinear
        | Interpolation::SmoothCubic
        | Interpolation::Area => step.centers(),
        Interpolation::Linear(grid) | Interpolation::Cubic(grid) => match grid {
            CoordinateTransform::HalfPixel => {
                Line { slope: 2 * over, offset: over + under, by: (2 * under).max(1) }
            }
            CoordinateTransform::AlignCorners => {
                let by = (size as u64).saturating_sub(1).max(1);
                Line { slope: (extent as u64).saturating_sub(1), offset: by, by }
            }
        },
    }
}

/// The elements and weights for each of `size` positions along an axis.
#[track_caller]
fn taps<'g>(
    x: Tensor<'g>,
    extent: usize,
    size: usize,
    step: Step,
    between: Interpolation,
) -> Vec<Tap<'g>> {
    let line = line(extent, size, step, between);
    let [quotient, rest] = line.quotients(x.graph(), size);
    let is_linear = match between {
        Interpolation::Nearest | Interpolation::NearestMiddle => return vec![(quotient, None)],
        Interpolation::Cubic(_) => false,
        _ => true,
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
        (-1..).zip(cubic(share, A)).collect()
    };
    let mut taps = Vec::with_capacity(weights.len());
    for (k, weight) in weights {
        let element = (low + k).maximum(0).minimum(extent as i32 - 1).cast(DType::U32);
        taps.push((element, Some(weight)));
    }
    taps
}

/// The definition: the interpolated value at position `i` of an axis, of those that are `step` apart.
fn interpolated(line: &[f64], size: usize, step: f64, i: usize, between: Interpolation) -> f64 {
    let (n, m, i) = (line.len() as f64, size as f64, i as f64);
    let at = |k: f64| line[k.clamp(0.0, n - 1.0) as usize];
    let place = |grid: CoordinateTransform| match grid {
        CoordinateTransform::HalfPixel => (i + 0.5) * step - 0.5,
        CoordinateTransform::AlignCorners if size == 1 => 0.0,
        CoordinateTransform::AlignCorners => i * (n - 1.0) / (m - 1.0),
    };
    // Positions in samples are far enough from elements, or exact.
    let near = |x: f64| (x + 1e-9).floor();
    match between {
        Interpolation::Nearest => at(near(i * step)),
        Interpolation::NearestMiddle => at(near((i + 0.5) * step)),
        Interpolation::Linear(grid) => {
            let place = place(grid).max(0.0);
            let low = near(place);
            at(low) + (at(low + 1.0) - at(low)) * (place - low)
        }
        Interpolation::Cubic(grid) => {
            let place = place(grid);
            let low = near(place);
            (-1..3).map(|k| low + f64::from(k)).map(|k| at(k) * keys(place - k, -0.75)).sum()
        }
        Interpolation::SmoothLinear | Interpolation::SmoothCubic => {
            let (center, wide) = ((i + 0.5) * step, step.max(1.0));
            let weight = |k: usize| {
                let d = (k as f64 + 0.5 - center) / wide;
                match between {
                    Interpolation::SmoothLinear => (1.0 - d.abs()).max(0.0),
                    _ => keys(d, -0.5),
                }
            };
            let sum: f64 = (0..line.len()).map(weight).sum();
            line.iter().enumerate().map(|(k, x)| x * weight(k) / sum).sum()
        }
        Interpolation::Area => {
            let (first, end) = (near(i * n / m), ((i + 1.0) * n / m - 1e-9).ceil());
            line[first as usize..end as usize].iter().sum::<f64>() / (end - first)
        }
    }
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    use Interpolation::*;
    let f32s = |dims: &[usize]| Meta::new(dims, DType::F32);
    let resized =
        |between: Interpolation, from: [usize; 2], to: [usize; 2], by: Option<[f64; 2]>| {
            let name = if by.is_some() { "resize_by" } else { "resize" };
            let function = Function::new(
                name,
                move |x| match by {
                    Some(factors) => x[0].resize_by(&factors, between),
                    None => x[0].resize(&to, between),
                },
                move |x| {
                    let step =
                        |k: usize| by.map_or(from[k] as f64 / to[k] as f64, |by| 1.0 / by[k]);
                    Array64::from_fn(Meta::new([2, to[0], to[1]], x[0].meta.dtype), |c| {
                        let row = |row: usize| {
                            let line: Vec<f64> =
                                (0..from[1]).map(|k| x[0].at(&[c[0], row, k])).collect();
                            interpolated(&line, to[1], step(1), c[2], between)
                        };
                        let rows: Vec<f64> = (0..from[0]).map(row).collect();
                        interpolated(&rows, to[0], step(0), c[1], between)
                    })
                },
            );
            Sample::new(function.with(format!(" {between:?}")), [f32s(&[2, from[0], from[1]])])
                .bound(Bound::Abs(4e-6), "sums of a few products with weights below 1.3")
        };
    let both = [CoordinateTransform::HalfPixel, CoordinateTransform::AlignCorners];
    let mut samples = vec![
        resized(Nearest, [3, 4], [6, 3], None),
        resized(Nearest, [5, 3], [3, 7], None),
        resized(NearestMiddle, [5, 3], [3, 7], None),
        resized(NearestMiddle, [4, 4], [2, 1], None),
        resized(Area, [5, 4], [3, 6], None),
        resized(SmoothLinear, [7, 5], [3, 7], None),
        resized(SmoothLinear, [9, 4], [2, 1], None),
        resized(SmoothCubic, [7, 5], [3, 7], None),
        resized(SmoothCubic, [9, 3], [2, 3], None),
    ];
    for grid in both {
        for between in [Linear(grid), Cubic(grid)] {
            samples.extend([
                resized(between, [3, 4], [6, 7], None),
                resized(between, [5, 7], [3, 2], None),
                resized(between, [1, 3], [4, 1], None),
            ]);
        }
    }
    let (half, by) = (CoordinateTransform::HalfPixel, Some([1.4, 0.7]));
    let kinds =
        [Nearest, NearestMiddle, Linear(half), Cubic(half), SmoothLinear, SmoothCubic, Area];
    samples.extend(kinds.map(|between| resized(between, [3, 5], [4, 3], by)));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_the_shortest() {
        let cases = [
            (1.0 / 0.7, [10, 7]),
            (1.0 / 1.5, [2, 3]),
            (0.25, [1, 4]),
            (3.0, [3, 1]),
            (1.0 / 0.3, [10, 3]),
            (LEAST, [1, 1 << 20]),
            (1.0 / LEAST, [1 << 20, 1]),
        ];
        for (x, expected) in cases {
            assert_eq!(fraction(x), expected, "{x}");
        }
        let [over, under] = fraction(std::f64::consts::PI);
        let off = over as f64 / under as f64 - std::f64::consts::PI;
        assert!(off.abs() < 1e-11 && over <= 1 << 20, "{over} / {under}");
    }
}
