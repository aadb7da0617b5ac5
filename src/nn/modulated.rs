//! The convolutional layer of style-based generators.

use super::{Dense, Scope};
use crate::{
    functions::precision::in_f32, graph::Tensor, init::Init, numbers::Must, ops::Geometry,
};
use std::panic::Location;

/// A style-modulated convolution: see [`Tensor::modulated_convolution`]. The style of each example
/// is an affine function of a vector, initialized close to 1.
///
/// # Shapes
///
/// Images `[n, inputs, h, w]` and vectors `[n, width]` to `[n, channels, h, w]`; twice the height
/// and width if [`doubling`](Self::doubling). `weight` is `[channels, inputs, window, window]`,
/// `bias` `[channels]`, `affine/weight` `[inputs, width]`, `affine/bias` `[inputs]`.
#[derive(Clone, Debug)]
pub struct ModulatedConv2d {
    channels: usize,
    window: usize,
    demodulate: bool,
    doubles: bool,
    line: &'static Location<'static>,
}

impl ModulatedConv2d {
    /// Creates a layer with this many output channels, and a square window of odd size.
    #[track_caller]
    pub fn new(channels: usize, window: usize) -> Self {
        let line = Location::caller();
        ModulatedConv2d { channels, window, demodulate: true, doubles: false, line }
    }

    /// Disables demodulation, i.e. normalization of the modulated weights, as in the last layer,
    /// which outputs colors.
    pub fn without_demodulation(self) -> Self {
        ModulatedConv2d { demodulate: false, ..self }
    }

    /// Doubles the height and width of the images: the convolution is transposed, with a stride of
    /// 2, and its output is smoothed by the filter `[1, 3, 3, 1]` along both axes.
    ///
    /// # Source
    ///
    /// Karras et al. 2020, arXiv:1912.04958: `upsample_conv_2d`.
    pub fn doubling(self) -> Self {
        ModulatedConv2d { doubles: true, ..self }
    }

    /// Appends its computation on images and their style vectors to the graph.
    pub fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, style: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [
            ("channels", self.channels as f64, Must::BePositive),
            ("window", self.window as f64, Must::BePositive),
        ];
        if let Some(refused) =
            cx.graph().refuse_invalid("modulated_convolution", &[x, style], &numbers)
        {
            return refused;
        }
        let x = cx.cast(x);
        let affine = Dense::new(x.dim(1)).init(Init::GlorotNormal);
        let styles = affine.forward_from(&mut cx.child("affine"), style, Init::Ones);
        let styles = styles.cast(x.dtype());
        let dims = [self.channels, x.dim(1), self.window, self.window];
        let weight = cx.param("weight", dims, Init::HeNormal).cast(x.dtype());
        let y = if self.doubles {
            let geometry = Geometry::new(2).stride([2, 2]);
            let y = x.modulated_transposed_convolution(weight, styles, geometry, self.demodulate);
            // Twice 1/8 along each axis, which preserves the brightness after upsampling.
            let taps = [1.0, 3.0, 3.0, 1.0].map(|tap| x.graph().full([1], x.dtype(), tap / 4.0));
            let taps = x.graph().concat(&taps, 0);
            let pad = 2 - i32::try_from(self.window / 2).unwrap_or(i32::MAX);
            y.upfirdn2d(taps.outer(taps), 1, 1, [(pad, pad); 2])
        } else {
            x.modulated_convolution(weight, styles, Geometry::new(2).same(), self.demodulate)
        };
        let bias = cx.param("bias", [self.channels], Init::Zeros);
        in_f32("modulated_convolution", [y], |[y]| y + bias.reshape([self.channels, 1, 1]))
    }
}
