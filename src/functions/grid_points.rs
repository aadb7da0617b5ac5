//! Images and volumes, the points of a grid in units of their elements, and sums of elements around points.

use super::resize::CoordinateTransform;
use crate::{dtype::DType, error::OpError, graph::Tensor};

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

/// Extents of images or volumes, and of a grid of points.
pub(super) struct Extents {
    pub images: [usize; 2],
    /// Extents of the axes of images, from the outermost.
    pub spatial: Vec<usize>,
    pub points: Vec<usize>,
}

/// An element for each point, of those along an axis or of all.
#[derive(Clone, Copy)]
pub(super) struct Tap<'g> {
    pub index: Tensor<'g>,
    /// Whether there is such an element; the index is 0 otherwise, and so is the weight.
    pub inside: Tensor<'g>,
    pub weight: Tensor<'g>,
}

impl Extents {
    /// Calls `of` with the coordinate and the extent of each axis of images, from the outermost.
    pub fn each_axis<T>(&self, mut of: impl FnMut(usize, usize) -> T) -> Vec<T> {
        let last = self.spatial.len() - 1;
        self.spatial.iter().enumerate().map(|(axis, &extent)| of(last - axis, extent)).collect()
    }

    /// Images with their elements along one axis.
    pub fn flat<'g>(&self, x: Tensor<'g>) -> Tensor<'g> {
        x.reshape([self.images[0], self.images[1], self.spatial.iter().product()])
    }

    /// Elements for each point, repeated for each channel.
    #[track_caller]
    pub fn each_channel<'g>(&self, of: Tensor<'g>) -> Tensor<'g> {
        let ([n, channels], points) = (self.images, self.points.iter().product());
        of.reshape([n, 1, points]).broadcast_to([n, channels, points])
    }

    /// Shape of the result.
    pub fn result(&self) -> Vec<usize> {
        [&self.images[..], &self.points].concat()
    }

    /// The sum of all products of elements along each axis. What is outside is no element: whatever
    /// stands in its place does not matter, be it NaN.
    #[track_caller]
    pub fn summed<'g>(&self, x: Tensor<'g>, sides: Vec<Vec<Tap<'g>>>) -> Tensor<'g> {
        let flat = self.flat(x);
        let (n, points) = (self.images[0], self.points.iter().product());
        let mut taps: Vec<Tap> = vec![];
        for (side, &extent) in sides.into_iter().zip(&self.spatial) {
            if taps.is_empty() {
                taps = side;
                continue;
            }
            let mut inner = Vec::with_capacity(taps.len() * side.len());
            for tap in taps {
                for along in &side {
                    inner.push(Tap {
                        index: tap.index * extent as u32 + along.index,
                        inside: tap.inside.and(along.inside),
                        weight: tap.weight * along.weight,
                    });
                }
            }
            taps = inner;
        }
        let mut sum: Option<Tensor> = None;
        for Tap { index, inside, weight } in taps {
            let own = flat.take_along_axis(self.each_channel(index), 2);
            let own = self.each_channel(inside).select(own, own.full_like(0.0));
            let own = own * weight.reshape([n, 1, points]);
            sum = Some(sum.map_or(own, |sum| sum + own));
        }
        sum.unwrap_or(flat).reshape(self.result())
    }
}

/// The element at an integral position along an axis, with a weight.
pub(super) fn weighted<'g>(extent: usize) -> impl Fn((Tensor<'g>, Tensor<'g>)) -> Tap<'g> {
    move |(at, weight)| {
        let (index, inside) = element(at, extent);
        Tap { index, inside, weight: inside.select(weight, at.full_like(0.0)) }
    }
}

/// Converts coordinates along an axis to units of elements.
#[track_caller]
pub(super) fn placed<'g>(
    places: Tensor<'g>,
    axis: usize,
    extent: usize,
    grid: CoordinateTransform,
) -> Tensor<'g> {
    let place = places.slice(-1, axis..axis + 1).squeeze(-1);
    match grid {
        CoordinateTransform::AlignCorners => (place + 1.0) * (extent as f64 - 1.0) / 2.0,
        CoordinateTransform::HalfPixel => ((place + 1.0) * extent as f64 - 1.0) / 2.0,
    }
}

/// Places along an axis that are seen instead of those outside.
#[track_caller]
pub(super) fn bounded<'g>(
    place: Tensor<'g>,
    extent: usize,
    grid: CoordinateTransform,
    beyond: PaddingMode,
) -> Tensor<'g> {
    let last = extent as f64 - 1.0;
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

/// The places that points see along an axis.
#[track_caller]
pub(super) fn seen<'g>(
    places: Tensor<'g>,
    axis: usize,
    extent: usize,
    grid: CoordinateTransform,
    beyond: PaddingMode,
) -> Tensor<'g> {
    bounded(placed(places, axis, extent, grid), extent, grid, beyond)
}

/// The element at an integral position, and whether it exists.
#[track_caller]
pub(super) fn element<'g>(at: Tensor<'g>, extent: usize) -> (Tensor<'g>, Tensor<'g>) {
    let inside = at.greater_equal(0.0).and(at.less_equal(extent as f64 - 1.0));
    (inside.select(at, at.full_like(0.0)).cast(DType::U32), inside)
}

/// Checks and returns the extents of images and a grid.
pub(super) fn sampled(x: Tensor<'_>, places: Tensor<'_>) -> Result<Extents, OpError> {
    let (x_shape, grid) = (x.shape(), places.shape());
    let &[n, channels, ref spatial @ ..] = x_shape.dims() else {
        return Err(OpError::Rank { least: 4 });
    };
    let wanted = match spatial.len() {
        2 => "a grid must be [n, rows, columns, 2]",
        3 => "a grid must be [n, planes, rows, columns, 3]",
        0 | 1 => return Err(OpError::Rank { least: 4 }),
        _ => return Err(OpError::Argument("needs images or volumes")),
    };
    let &[images, ref points @ .., coordinates] = grid.dims() else {
        return Err(OpError::Argument(wanted));
    };
    if (points.len(), coordinates) != (spatial.len(), spatial.len()) {
        return Err(OpError::Argument(wanted));
    }
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
    if spatial.contains(&0) {
        return Err(OpError::Empty);
    }
    Ok(Extents { images: [n, channels], spatial: spatial.to_vec(), points: points.to_vec() })
}
