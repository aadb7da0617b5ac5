//! A style-based image generator, and its discriminator.

use crate::{
    error::OpError,
    functions::precision::in_f32,
    graph::Tensor,
    init::Init,
    nn::{Conv2d, Dense, ModulatedConv2d, Module, Scope},
    numbers::Must,
};
use std::{f64::consts::SQRT_2, panic::Location};

/// An image generator after StyleGAN2: a mapping network turns each noise vector into a style, and
/// at each size, from 4x4 to the final one, two convolutions modulated by that style, with
/// additional per-pixel noise, add to the image.
///
/// # Shapes
///
/// Noise `[n, width]` to images `[n, image_channels, size, size]`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Number`] unless the size is 4 times a power of 2.
///
/// # Source
///
/// Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", arXiv:1912.04958.
#[derive(Clone, Debug)]
pub struct Generator {
    size: usize,
    image_channels: usize,
    channels: usize,
    line: &'static Location<'static>,
}

/// An image discriminator: residual blocks that halve the size down to 4x4, the minibatch standard
/// deviation, and two dense layers.
///
/// # Shapes
///
/// Images `[n, image_channels, size, size]` to scores `[n, 1]`. The minibatch deviation is taken over
/// groups of 4 images, or over the whole batch if `n` is not a multiple of 4.
///
/// # Errors
///
/// Same as [`Generator`]; [`OpError::Extents`] for images that are not square; [`OpError::Rank`].
#[derive(Clone, Debug)]
pub struct Discriminator {
    channels: usize,
    line: &'static Location<'static>,
}

/// Number of dense layers in the mapping network.
const MAPPING: usize = 4;

/// Negative slope of the activations.
const SLOPE: f64 = 0.2;

/// Side length of the smallest images.
const SMALLEST: usize = 4;

/// The filter of StyleGAN2, `[1, 3, 3, 1]` along both axes, which sums to `gain`.
fn filter<'g>(x: Tensor<'g>, gain: f64) -> Tensor<'g> {
    let tap = |weight: f64| x.graph().full([1], x.dtype(), weight * gain.sqrt() / 8.0);
    let taps = x.graph().concat(&[1.0, 3.0, 3.0, 1.0].map(tap), 0);
    taps.outer(taps)
}

/// Upsamples by 2 along both axes.
fn doubled(x: Tensor<'_>) -> Tensor<'_> {
    x.upfirdn2d(filter(x, 4.0), 2, 1, [(2, 1), (2, 1)])
}

/// Downsamples by 2 along both axes.
fn halved(x: Tensor<'_>) -> Tensor<'_> {
    x.upfirdn2d(filter(x, 1.0), 1, 2, [(1, 1), (1, 1)])
}

/// The activation, scaled to preserve the variance of a normal distribution.
fn activated(x: Tensor<'_>) -> Tensor<'_> {
    in_f32("leaky_relu", [x], |[x]| x.leaky_relu(SLOPE) * SQRT_2)
}

/// Whether this side length is reached from 4x4 by doubling.
fn is_side(size: usize) -> bool {
    size.is_multiple_of(SMALLEST) && (size / SMALLEST).is_power_of_two()
}

fn no_side(size: usize) -> OpError {
    OpError::Number { what: "size", must: "4 times a power of 2", is: size as f64 }
}

impl Generator {
    /// Creates a generator of square images of this size with `image_channels` channels; each layer has
    /// `channels`.
    #[track_caller]
    pub fn new(size: usize, image_channels: usize, channels: usize) -> Self {
        Generator { size, image_channels, channels, line: Location::caller() }
    }

    /// Maps each noise vector to a style, `[n, channels]`.
    pub fn styles<'g>(&self, cx: &mut Scope<'g>, noise: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let mut cx = cx.child("mapping");
        (0..MAPPING).fold(noise.normalize_rms(-1, 1e-8), |x, index| {
            let layer = Dense::new(self.channels);
            activated(layer.forward(&mut cx.child(&index.to_string()), x))
        })
    }

    /// Synthesizes the image of each style.
    pub fn images<'g>(&self, cx: &mut Scope<'g>, styles: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        if !is_side(self.size) {
            return cx.graph().refuse("generator", &[styles], no_side(self.size));
        }
        let numbers = [
            ("channels", self.channels as f64, Must::BePositive),
            ("image channels", self.image_channels as f64, Must::BePositive),
        ];
        if let Some(refused) = cx.graph().refuse_invalid("generator", &[styles], &numbers) {
            return refused;
        }
        let mut cx = cx.child("synthesis");
        let n = styles.dim(0);
        let normal = Init::Normal { mean: 0.0, std: 1.0 };
        let begin = cx.param("const", [self.channels, SMALLEST, SMALLEST], normal);
        let begin = begin.cast(styles.dtype());
        let mut x = begin.broadcast_to([n, self.channels, SMALLEST, SMALLEST]);
        let mut image: Option<Tensor> = None;
        let mut side = SMALLEST;
        while side <= self.size {
            let mut cx = cx.child(&format!("b{side}"));
            if side > SMALLEST {
                x = self.styled(&mut cx.child("conv0"), doubled(x), styles);
            }
            x = self.styled(&mut cx.child("conv1"), x, styles);
            let image_channels =
                ModulatedConv2d::new(self.image_channels, 1).without_demodulation();
            let added = image_channels.forward(&mut cx.child("torgb"), x, styles);
            image = Some(image.map_or(added, |image| doubled(image) + added));
            side *= 2;
        }
        image.unwrap_or(x)
    }

    /// A modulated convolution, noise, and an activation.
    fn styled<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, styles: Tensor<'g>) -> Tensor<'g> {
        let y = ModulatedConv2d::new(self.channels, 3).forward(cx, x, styles);
        let strength = cx.param("noise_strength", [], Init::Zeros);
        let noise = cx.normal([y.dim(0), 1, y.dim(2), y.dim(3)]);
        in_f32("noise", [y], |[y]| activated(y + noise * strength))
    }
}

impl Module for Generator {
    fn name(&self) -> &str {
        "generator"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let styles = self.styles(cx, x);
        self.images(cx, styles)
    }
}

impl Discriminator {
    /// Creates a discriminator whose layers have `channels`.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Discriminator { channels, line: Location::caller() }
    }
}

impl Module for Discriminator {
    fn name(&self) -> &str {
        "discriminator"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        if x.rank() != 4 {
            return cx.graph().refuse("discriminator", &[x], OpError::Rank { least: 4 });
        }
        let (n, mut side) = (x.dim(0), x.dim(3));
        if x.dim(2) != side {
            let reason = OpError::Extents { what: "height and width", lhs: x.dim(2), rhs: side };
            return cx.graph().refuse("discriminator", &[x], reason);
        }
        if !is_side(side) {
            return cx.graph().refuse("discriminator", &[x], no_side(side));
        }
        let channels = [("channels", self.channels as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("discriminator", &[x], &channels) {
            return refused;
        }
        let conv = |window: usize| Conv2d::new(self.channels, [window; 2]).same();
        let mut y = activated(conv(1).forward(&mut cx.child("fromrgb"), x));
        while side > SMALLEST {
            let mut cx = cx.child(&format!("b{side}"));
            let inner = activated(conv(3).forward(&mut cx.child("conv0"), y));
            let inner = activated(conv(3).forward(&mut cx.child("conv1"), halved(inner)));
            let skip = conv(1).without_bias().forward(&mut cx.child("skip"), halved(y));
            y = (inner + skip) / SQRT_2;
            side /= 2;
        }
        let group = if n.is_multiple_of(4) { 4 } else { n };
        cx.uses_batch_statistics();
        let y = y.minibatch_deviation(group);
        let y = activated(conv(3).forward(&mut cx.child("conv"), y));
        let y = y.reshape([n, self.channels.saturating_mul(SMALLEST * SMALLEST)]);
        let y = activated(Dense::new(self.channels).forward(&mut cx.child("fc"), y));
        Dense::new(1).forward(&mut cx.child("out"), y)
    }
}
