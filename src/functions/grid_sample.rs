//! Sampling images and volumes at the points of a grid.

use super::{
    cubic::{A, cubic, keys},
    definition::f32s,
    grid_points::{PaddingMode, bounded, element, placed, sampled, seen, weighted},
    precision::in_f32,
    resize::CoordinateTransform,
};
use crate::{
    array64::Array64,
    error::OpError,
    graph::{Attribution, Tensor},
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Samples images at the points of a grid, by bilinear interpolation, or volumes by trilinear.
    ///
    /// Coordinates range from -1, left, top and front, to 1: the centers of the outermost elements with
    /// [`CoordinateTransform::AlignCorners`], and otherwise their outer edges.
    ///
    /// # Shapes
    ///
    /// Images `[n, channels, h, w]`, a grid `[n, rows, columns, 2]` of points `(x, y)`; the result
    /// is `[n, channels, rows, columns]`. Volumes `[n, channels, d, h, w]`, a grid `[n, planes, rows,
    /// columns, 3]` of points `(x, y, z)`.
    ///
    /// # Gradient
    ///
    /// W.r.t. the images and the grid.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Argument`]; [`OpError::Extents`]; [`OpError::DTypes`];
    /// [`OpError::Empty`] for images without elements; [`OpError::TooLarge`].
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
        let extents = match sampled(self, places) {
            Ok(extents) => extents,
            Err(reason) => return self.graph().refuse("grid_sample", &[self, places], reason),
        };
        in_f32("grid_sample", [self, places], |[x, places]| {
            // For each axis, elements and their weights, which are 0 outside.
            let sides = extents.each_axis(|axis, extent| {
                let place = seen(places, axis, extent, grid, beyond);
                let low = place.floor().detach();
                let share = place - low;
                [(low, 1.0 - share), (low + 1.0, share)].map(weighted(extent)).to_vec()
            });
            extents.summed(x, sides)
        })
    }

    /// [`grid_sample`](Self::grid_sample) of images by bicubic interpolation of sixteen elements. What is
    /// beyond the image is chosen for each of them, and not for the point.
    ///
    /// # Errors
    ///
    /// Those of [`grid_sample`](Self::grid_sample); [`OpError::Argument`] for volumes.
    ///
    /// # Source
    ///
    /// PyTorch's `grid_sample` with mode `bicubic`.
    #[doc(alias = "bicubic")]
    #[track_caller]
    pub fn grid_sample_cubic(
        self,
        places: Tensor<'g>,
        grid: CoordinateTransform,
        beyond: PaddingMode,
    ) -> Tensor<'g> {
        let extents = match sampled(self, places) {
            Ok(extents) if extents.spatial.len() == 2 => extents,
            other => {
                let reason = other.err().unwrap_or(OpError::Argument("needs images"));
                return self.graph().refuse("grid_sample_cubic", &[self, places], reason);
            }
        };
        in_f32("grid_sample_cubic", [self, places], |[x, places]| {
            let sides = extents.each_axis(|axis, extent| {
                let place = placed(places, axis, extent, grid);
                let low = place.floor().detach();
                let taps = (-1..).zip(cubic(place - low, A));
                let bounded = taps
                    .map(|(k, weight)| (bounded(low + f64::from(k), extent, grid, beyond), weight));
                bounded.map(weighted(extent)).collect()
            });
            extents.summed(x, sides)
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
        let extents = match sampled(x, places) {
            Ok(extents) => extents,
            Err(reason) => return x.graph().refuse("grid_sample", &[x, places], reason),
        };
        // Closures have no lines of the user.
        let _line = Attribution::to_caller(x.graph());
        // A half has no place among many elements.
        let places = places.detach().widened();
        let sides = extents.each_axis(|axis, extent| {
            element(seen(places, axis, extent, grid, beyond).round(), extent)
        });
        let along = sides.into_iter().zip(&extents.spatial);
        let found =
            along.fold(None, |found: Option<(Tensor, Tensor)>, ((at, inside), &extent)| {
                Some(found.map_or((at, inside), |(index, all)| {
                    (index * extent as u32 + at, all.and(inside))
                }))
            });
        let Some((index, inside)) = found else { return x };
        let own = extents.flat(x).take_along_axis(extents.each_channel(index), 2);
        let seen = extents.each_channel(inside).select(own, own.full_like(0.0));
        seen.reshape(extents.result())
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
    let sampled = |name: &'static str,
                   grid: CoordinateTransform,
                   beyond: PaddingMode,
                   x: &[usize],
                   places: &[usize]| {
        let function = Function::new(
            name,
            move |x| match name {
                "grid_sample_nearest" => x[0].grid_sample_nearest(x[1], grid, beyond),
                "grid_sample_cubic" => x[0].grid_sample_cubic(x[1], grid, beyond),
                _ => x[0].grid_sample(x[1], grid, beyond),
            },
            move |x| {
                let [x, places] = x else { unreachable!("images and places") };
                let (x_dims, dims) = (x.shape().dims().to_vec(), places.shape().dims().to_vec());
                let (spatial, points) = (&x_dims[2..], &dims[1..dims.len() - 1]);
                let meta = Meta::new([&x_dims[..2], points].concat(), x.meta.dtype);
                // Elements along an axis, with weights: those outside are none.
                let side = |at: f64, extent: usize| -> Vec<(usize, f64)> {
                    let inside = |p: f64| match beyond {
                        PaddingMode::Zeros => p,
                        PaddingMode::Edge => p.clamp(0.0, extent as f64 - 1.0),
                        PaddingMode::Mirror => mirrored(p, extent, grid),
                    };
                    let taps: Vec<(f64, f64)> = match name {
                        "grid_sample_nearest" => vec![(inside(at).round_ties_even(), 1.0)],
                        "grid_sample_cubic" => (-1..3)
                            .map(|k| at.floor() + f64::from(k))
                            .map(|k| (inside(k), keys(at - k, -0.75)))
                            .collect(),
                        _ => {
                            let at = inside(at);
                            let share = at - at.floor();
                            vec![(at.floor(), 1.0 - share), (at.floor() + 1.0, share)]
                        }
                    };
                    let exists = |(k, _): &(f64, f64)| *k >= 0.0 && *k < extent as f64;
                    taps.into_iter().filter(exists).map(|(k, by)| (k as usize, by)).collect()
                };
                Array64::from_fn(meta, |c| {
                    let mut taps = vec![(vec![c[0], c[1]], 1.0)];
                    for (axis, &extent) in spatial.iter().enumerate() {
                        let coordinate = spatial.len() - 1 - axis;
                        let point = [&c[..1], &c[2..], &[coordinate]].concat();
                        let (p, n) = (places.at(&point), extent as f64);
                        let at = match grid {
                            CoordinateTransform::AlignCorners => (p + 1.0) / 2.0 * (n - 1.0),
                            CoordinateTransform::HalfPixel => ((p + 1.0) * n - 1.0) / 2.0,
                        };
                        let side = side(at, extent);
                        let inner = taps.iter().flat_map(|(c, weight)| {
                            side.iter().map(move |(k, by)| ([&c[..], &[*k]].concat(), weight * by))
                        });
                        taps = inner.collect();
                    }
                    taps.into_iter().map(|(c, weight)| weight * x.at(&c)).sum()
                })
            },
        );
        let function = function.with(format!(" {grid:?} {beyond:?}"));
        Sample::new(function, [f32s(x), f32s(places)])
            .operand(1, Domain::Values(&[-1.37, -0.83, -0.41, 0.13, 0.57, 0.91, 1.29]))
            .bound(
                Bound::Abs(1e-5),
                "up to sixteen products, and weights that are rounded at places up to 5",
            )
    };
    let both = [CoordinateTransform::HalfPixel, CoordinateTransform::AlignCorners];
    let mut samples = vec![];
    for beyond in [PaddingMode::Zeros, PaddingMode::Edge, PaddingMode::Mirror] {
        for grid in both {
            for name in ["grid_sample", "grid_sample_nearest", "grid_sample_cubic"] {
                samples.push(sampled(name, grid, beyond, &[2, 2, 4, 5], &[2, 3, 3, 2]));
            }
        }
        // Volumes, which differ in nothing but one more axis.
        for name in ["grid_sample", "grid_sample_nearest"] {
            samples.push(sampled(name, both[0], beyond, &[2, 1, 3, 4, 5], &[2, 1, 2, 3, 3]));
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device, Error, Graph, Variables, autodiff};

    /// A point outside takes nothing from the corner element, nor do its derivatives.
    #[test]
    fn outside_of_an_image_is_no_element() -> Result<(), Error> {
        let graph = Graph::new();
        let x = graph.full([1, 1, 2, 2], DType::F32, f64::INFINITY);
        let places = graph.full([1, 1, 1, 2], DType::F32, 5.0);
        let (half, zeros) = (CoordinateTransform::HalfPixel, PaddingMode::Zeros);
        let sampled = [
            x.grid_sample(places, half, zeros),
            x.grid_sample_cubic(places, half, zeros),
            x.grid_sample_nearest(places, half, zeros),
        ];
        let mut wanted = sampled.to_vec();
        for y in &sampled[..2] {
            wanted.extend(autodiff::grad(y.sum(..), &[x, places]));
        }
        let outputs = graph.compile(&Device::Reference, &wanted)?.run(&Variables::new(0), &[])?;
        for k in 0..wanted.len() {
            let found = outputs.read_blocking(k)?.to_f64();
            assert!(found.iter().all(|&value| value == 0.0), "{k}: {found:?}");
        }
        Ok(())
    }
}
