//! The layer of a generator with styles.

use super::{Dense, Scope};
use crate::{graph::Tensor, init::Init, ops::Geometry};
use std::panic::Location;

/// A convolution with a style: see [`Tensor::modulated_convolution`]. The style of each example is an
/// affine function of a vector, which begins near 1.
///
/// # Shapes
///
/// Of pictures `[n, inputs, h, w]` and vectors `[n, width]`, gives `[n, channels, h, w]`. `weight` is
/// `[channels, inputs, window, window]`, `bias` `[channels]`, `affine/weight` `[inputs, width]`,
/// `affine/bias` `[inputs]`.
#[derive(Clone, Debug)]
pub struct ModulatedConv2d {
    channels: usize,
    window: usize,
    demodulate: bool,
    line: &'static Location<'static>,
}

impl ModulatedConv2d {
    /// With so many channels of the output, and a window of an odd number of rows and columns.
    #[track_caller]
    pub fn new(channels: usize, window: usize) -> Self {
        ModulatedConv2d { channels, window, demodulate: true, line: Location::caller() }
    }

    /// Leaves the lengths of the weights as the styles make them, as the last layer does that gives
    /// colours.
    pub fn without_demodulation(self) -> Self {
        ModulatedConv2d { demodulate: false, ..self }
    }

    /// Appends its computation on pictures and the vectors of their styles.
    pub fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, style: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let affine = Dense::new(x.dim(1)).init(Init::GlorotNormal);
        let styles = affine.forward_from(&mut cx.child("affine"), style, Init::Ones);
        let dims = [self.channels, x.dim(1), self.window, self.window];
        let weight = cx.param("weight", dims, Init::HeNormal);
        let geometry = Geometry::new(2).same();
        let y = x.modulated_convolution(weight, styles, geometry, self.demodulate);
        y + cx.param("bias", [self.channels], Init::Zeros).reshape([self.channels, 1, 1])
    }
}
