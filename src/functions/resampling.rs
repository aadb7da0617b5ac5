//! Building blocks of image generators: filtered resampling, modulated convolutions, and minibatch
//! standard deviation.

use super::precision::in_f32;
use crate::{
    DType,
    array64::Array64,
    error::OpError,
    graph::Tensor,
    ops::{
        Geometry, Sizes,
        contract::{Bound, Function, Sample, with_halves},
        full::constant,
    },
    shape::Meta,
};

/// Added to denominators, as in StyleGAN2.
const EPS: f64 = 1e-8;

impl<'g> Tensor<'g> {
    /// Inserts `up - 1` zeros after each element of the last two axes, pads them (or crops them, if
    /// the padding is negative), convolves with a filter, and takes each `down`-th element: the
    /// resampling of StyleGAN2, `upfirdn2d`. The filter is flipped, as in signal processing. The zeros
    /// are multiplied: what is not finite in the filter gives NaN where it meets them.
    ///
    /// # Shapes
    ///
    /// `[n, channels, h, w]` and a filter `[fh, fw]`; `up` and `down` are numbers for both axes, or pairs
    /// of them. An axis of the result has
    /// `(up h + padding - fh) / down + 1` elements, rounded down.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Number`] if `up` or `down` is 0; [`OpError::TooLarge`];
    /// [`OpError::Window`] if the filter does not fit.
    ///
    /// # Source
    ///
    /// Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", arXiv:1912.04958.
    #[track_caller]
    pub fn upfirdn2d(
        self,
        filter: Tensor<'g>,
        up: impl Into<Sizes<2>>,
        down: impl Into<Sizes<2>>,
        padding: [(i32, i32); 2],
    ) -> Tensor<'g> {
        let x = self.of_floats("upfirdn2d");
        let [Sizes(up), Sizes(down)] = [up.into(), down.into()];
        let [n, channels, tall, wide] = match spread(x, filter, [up, down]) {
            Ok(extents) => extents,
            Err(reason) => return x.graph().refuse("upfirdn2d", &[x, filter], reason),
        };
        let mut y = x
            .reshape([n * channels, x.dim(2), 1, x.dim(3), 1])
            .pad([(0, 0), (0, 0), (0, up[0] - 1), (0, 0), (0, up[1] - 1)], 0.0)
            .reshape([n * channels, 1, tall, wide]);
        for (axis, (low, high)) in [(2, padding[0]), (3, padding[1])] {
            let [first, behind] = [low, high].map(|by| by.min(0).unsigned_abs() as usize);
            let end = y.dim(axis).saturating_sub(behind);
            y = y.slice(axis, first.min(end)..end);
        }
        let added = padding.map(|(low, high)| (low.max(0) as usize, high.max(0) as usize));
        let filter = filter.flip([0, 1].as_slice()).unsqueeze(0).unsqueeze(0);
        let y = y.convolution(filter, Geometry::new(2).stride(down).padding(added));
        y.reshape([n, channels, y.dim(2), y.dim(3)])
    }

    /// Convolution with a separately modulated weight for each example: its input channels are
    /// scaled by the style, and with `demodulate` its output channels are scaled to L2 norm 1.
    ///
    /// `y = d (w * (s x))`, `d = 1 / sqrt(sum (w s)^2 + 1e-8)`, which equals a convolution with a
    /// weight per example, without computing that weight.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, inputs, ..spatial]`, the weight `[outputs, inputs, ..window]`, the styles
    /// `[n, inputs]`; `y` is `[n, outputs, ..positions]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; those of [`convolution`](Self::convolution) and of products.
    ///
    /// # Source
    ///
    /// Karras et al. 2020, arXiv:1912.04958.
    #[track_caller]
    pub fn modulated_convolution(
        self,
        weight: Tensor<'g>,
        styles: Tensor<'g>,
        geometry: Geometry,
        demodulate: bool,
    ) -> Tensor<'g> {
        self.modulated(weight, styles, demodulate, |x, weight| x.convolution(weight, geometry))
    }

    /// Transposed variant of [`modulated_convolution`](Self::modulated_convolution), which
    /// generators use between two image sizes: `y = d (w *^T (s x))`.
    ///
    /// # Shapes
    ///
    /// As there; the weight is still `[outputs, inputs, ..window]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; those of [`transposed_convolution`](Self::transposed_convolution) and of
    /// products.
    ///
    /// # Source
    ///
    /// Karras et al. 2020, arXiv:1912.04958.
    #[track_caller]
    pub fn modulated_transposed_convolution(
        self,
        weight: Tensor<'g>,
        styles: Tensor<'g>,
        geometry: Geometry,
        demodulate: bool,
    ) -> Tensor<'g> {
        let no_more = vec![0; self.rank().saturating_sub(2)];
        self.modulated(weight, styles, demodulate, |x, weight| {
            x.transposed_convolution(weight.swap_axes(0, 1), geometry, no_more)
        })
    }

    /// Scales the inputs by the styles, applies `convolved`, and demodulates the outputs.
    #[track_caller]
    fn modulated(
        self,
        weight: Tensor<'g>,
        styles: Tensor<'g>,
        demodulate: bool,
        convolved: impl FnOnce(Tensor<'g>, Tensor<'g>) -> Tensor<'g>,
    ) -> Tensor<'g> {
        let fitting = [self.dim(0), self.dim(1)];
        let operands = [self, weight, styles];
        let reason = match (self.rank() < 3 || weight.rank() < 3, styles.shape().dims() == fitting)
        {
            (true, _) => Some(OpError::Rank { least: 3 }),
            (_, false) => Some(OpError::Target(fitting.into())),
            _ => None,
        };
        if let Some(reason) = reason {
            return self.graph().refuse("modulated_convolution", &operands, reason);
        }
        in_f32("modulated_convolution", operands, |[x, weight, styles]| {
            let ones = vec![1; x.rank() - 2];
            let scale = styles.reshape([&fitting[..], &ones].concat());
            let y = convolved(x * scale, weight);
            if !demodulate {
                return y;
            }
            let window: Vec<i32> = (2..weight.rank() as i32).collect();
            let energy = (weight * weight).sum(window.as_slice());
            let squares = (styles * styles).matmul(energy.swap_axes(0, 1));
            let length = (squares + constant(squares, EPS)).sqrt();
            y / length.reshape([&[x.dim(0), weight.dim(0)], &ones[..]].concat())
        })
    }

    /// Appends a channel with the minibatch standard deviation: the standard deviation of each
    /// element over the group, averaged over all elements.
    ///
    /// # Shapes
    ///
    /// `[n, channels, h, w]` to `[n, channels + 1, h, w]`; image `i` is in group `i % (n / group)`.
    ///
    /// # Errors
    ///
    /// [`OpError::Indivisible`] unless `n` is a multiple of `group`; [`OpError::Rank`].
    ///
    /// # Source
    ///
    /// Karras et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196.
    #[doc(alias = "minibatch_stddev")]
    #[track_caller]
    pub fn minibatch_deviation(self, group: usize) -> Tensor<'g> {
        let &[n, channels, h, w] = self.shape().dims() else {
            let reason = OpError::Rank { least: 4 };
            return self.graph().refuse("minibatch_deviation", &[self], reason);
        };
        if group == 0 || !n.is_multiple_of(group) {
            let reason = OpError::Indivisible { what: "images", number: n, by: group };
            return self.graph().refuse("minibatch_deviation", &[self], reason);
        }
        let channel = in_f32("minibatch_deviation", [self], |[x]| {
            let variance = x.reshape([group, n / group, channels, h, w]).variance(0, 0);
            let deviation = (variance + constant(variance, EPS)).sqrt().mean([1, 2, 3].as_slice());
            deviation.tile(group, 0).reshape([n, 1, 1, 1]).broadcast_to([n, 1, h, w])
        });
        self.graph().concat(&[self, channel], 1)
    }
}

/// Number of images and channels, and height and width after upsampling with zeros.
fn spread(
    x: Tensor<'_>,
    filter: Tensor<'_>,
    [up, down]: [[usize; 2]; 2],
) -> Result<[usize; 4], OpError> {
    let &[n, channels, h, w] = x.shape().dims() else {
        return Err(OpError::Rank { least: 4 });
    };
    if filter.rank() != 2 {
        return Err(OpError::Rank { least: 2 });
    }
    for (what, sizes) in [("up", up), ("down", down)] {
        if sizes.contains(&0) {
            return Err(OpError::Number { what, must: "positive", is: 0.0 });
        }
    }
    let fits = |x: &usize| i32::try_from(*x).is_ok();
    let [tall, wide] =
        [(h, up[0]), (w, up[1])].map(|(extent, up)| extent.checked_mul(up).filter(fits));
    let (Some(tall), Some(wide)) = (tall, wide) else { return Err(OpError::TooLarge) };
    Ok([n, channels, tall, wide])
}

fn f32s(dims: &[usize]) -> Meta {
    Meta::new(dims, DType::F32)
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let resampled = |up: usize, down: usize, padding: [(i32, i32); 2], dims: [usize; 2]| {
        Function::new(
            "upfirdn2d",
            move |x| x[0].upfirdn2d(x[1], up, down, padding),
            move |x| {
                let [x, filter] = x else { unreachable!("an image and a filter") };
                let ([h, w], [fh, fw]) =
                    ([2, 3].map(|k| x.shape().dims()[k]), [0, 1].map(|k| filter.shape().dims()[k]));
                // Element of the upsampled and padded image.
                let at = |c: &[usize], row: i64, column: i64| {
                    let (row, column) =
                        (row - i64::from(padding[0].0), column - i64::from(padding[1].0));
                    let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column))
                    else {
                        return 0.0;
                    };
                    let inside =
                        row % up == 0 && column % up == 0 && row / up < h && column / up < w;
                    if inside { x.at(&[c[0], c[1], row / up, column / up]) } else { 0.0 }
                };
                let [n, channels] = [0, 1].map(|k| x.shape().dims()[k]);
                let meta = Meta::new([n, channels, dims[0], dims[1]], x.meta.dtype);
                Array64::from_fn(meta, |c| {
                    let mut sum = 0.0;
                    for i in 0..fh {
                        for j in 0..fw {
                            let (row, column) =
                                (c[2] * down + fh - 1 - i, c[3] * down + fw - 1 - j);
                            sum += filter.at(&[i, j]) * at(&c, row as i64, column as i64);
                        }
                    }
                    sum
                })
            },
        )
    };
    let modulated = |demodulate: bool| {
        Function::new(
            "modulated_convolution",
            move |x| {
                let geometry = Geometry::new(2).padding([(1, 1), (0, 0)]);
                x[0].modulated_convolution(x[1], x[2], geometry, demodulate)
            },
            move |x| {
                let [x, weight, styles] = x else { unreachable!("three operands") };
                let [n, inputs, h, w] = [0, 1, 2, 3].map(|k| x.shape().dims()[k]);
                let [outputs, fh, fw] = [0, 2, 3].map(|k| weight.shape().dims()[k]);
                let meta = Meta::new([n, outputs, h + 3 - fh, w + 1 - fw], x.meta.dtype);
                Array64::from_fn(meta, |c| {
                    let (mut sum, mut squares) = (0.0, 0.0);
                    for i in 0..inputs {
                        for row in 0..fh {
                            for column in 0..fw {
                                let own =
                                    weight.at(&[c[1], i, row, column]) * styles.at(&[c[0], i]);
                                squares += own * own;
                                let (y, x_at) = (c[2] + row, c[3] + column);
                                if (1..=h).contains(&y) {
                                    sum += own * x.at(&[c[0], i, y - 1, x_at]);
                                }
                            }
                        }
                    }
                    if demodulate { sum / (squares + EPS).sqrt() } else { sum }
                })
            },
        )
    };
    let transposed = Function::new(
        "modulated_transposed_convolution",
        |x| {
            let geometry = Geometry::new(2).stride([2, 1]);
            x[0].modulated_transposed_convolution(x[1], x[2], geometry, true)
        },
        |x| {
            let [x, weight, styles] = x else { unreachable!("three operands") };
            let [n, inputs, h, w] = [0, 1, 2, 3].map(|k| x.shape().dims()[k]);
            let [outputs, fh, fw] = [0, 2, 3].map(|k| weight.shape().dims()[k]);
            let own = |n: usize, o: usize, i: usize, row: usize, column: usize| {
                weight.at(&[o, i, row, column]) * styles.at(&[n, i])
            };
            let meta = Meta::new([n, outputs, 2 * h - 2 + fh, w - 1 + fw], x.meta.dtype);
            let mut y = Array64::from_fn(meta, |_| 0.0);
            for c in x.shape().coordinates() {
                for o in 0..outputs {
                    let every = (0..inputs * fh * fw).map(|k| [k / (fh * fw), k / fw % fh, k % fw]);
                    let squares = every.map(|[i, a, b]| own(c[0], o, i, a, b).powi(2)).sum::<f64>();
                    for k in 0..fh * fw {
                        let (a, b) = (k / fw, k % fw);
                        let place = y.shape().index(&[c[0], o, 2 * c[2] + a, c[3] + b]);
                        y.data[place] +=
                            own(c[0], o, c[1], a, b) * x.at(&c) / (squares + EPS).sqrt();
                    }
                }
            }
            y
        },
    );
    let deviation = Function::new(
        "minibatch_deviation",
        |x| x[0].minibatch_deviation(2),
        |x| {
            let [n, channels, h, w] = [0, 1, 2, 3].map(|k| x[0].shape().dims()[k]);
            Array64::from_fn(Meta::new([n, channels + 1, h, w], x[0].meta.dtype), |c| {
                if c[1] < channels {
                    return x[0].at(&c);
                }
                let (first, mut total) = (c[0] % (n / 2), 0.0);
                for k in 0..channels * h * w {
                    let of = |image: usize| x[0].data[image * channels * h * w + k];
                    // The deviation of two numbers is half their distance.
                    let half = (of(first) - of(first + n / 2)) / 2.0;
                    total += (half * half + EPS).sqrt();
                }
                total / (channels * h * w) as f64
            })
        },
    );
    let few = "sums of a few products below 1, a root and a quotient";
    let samples = vec![
        Sample::new(
            resampled(2, 1, [(2, 1), (1, 2)], [8, 10]),
            [f32s(&[1, 2, 4, 5]), f32s(&[4, 4])],
        )
        .bound(Bound::Abs(4e-6), few)
        .named("up"),
        Sample::new(
            resampled(1, 2, [(1, 1), (1, 1)], [2, 3]),
            [f32s(&[2, 1, 4, 5]), f32s(&[4, 3])],
        )
        .bound(Bound::Abs(4e-6), few)
        .named("down"),
        Sample::new(
            resampled(3, 2, [(-1, 2), (0, -2)], [6, 5]),
            [f32s(&[1, 1, 4, 4]), f32s(&[2, 2])],
        )
        .bound(Bound::Abs(4e-6), few)
        .named("cut"),
        Sample::new(transposed, [f32s(&[2, 3, 2, 3]), f32s(&[4, 3, 3, 2]), f32s(&[2, 3])])
            .bound(Bound::Abs(4e-6), few),
        Sample::new(modulated(true), [f32s(&[2, 3, 4, 5]), f32s(&[4, 3, 3, 2]), f32s(&[2, 3])])
            .bound(Bound::Abs(8e-6), few)
            .named("demodulated"),
        Sample::new(modulated(false), [f32s(&[2, 3, 4, 5]), f32s(&[4, 3, 3, 2]), f32s(&[2, 3])])
            .bound(Bound::Abs(8e-6), few),
        Sample::new(deviation, [f32s(&[4, 3, 2, 2])]).bound(Bound::Abs(2e-6), few),
    ];
    with_halves(samples, &["up"])
}
