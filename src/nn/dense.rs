//! The fully connected layer.

use super::{Module, Scope, weight::Weight};
use crate::{graph::Tensor, init::Init};
use std::panic::Location;

/// A fully connected layer: `y = x W^T + b` along the last axis.
///
/// # Shapes
///
/// `x` is `[.., inputs]`, `weight` `[units, inputs]`, `bias` `[units]`, `y` `[.., units]`. The
/// number of inputs is that of the `x` it is traced on.
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    init: Init,
    bias: bool,
    weight: Weight,
    line: &'static Location<'static>,
}

impl Dense {
    /// With this many outputs; the weight begins as [`Init::HeNormal`], the bias at 0.
    #[track_caller]
    pub fn new(units: usize) -> Self {
        let weight = Weight::Plain;
        Dense { units, init: Init::HeNormal, bias: true, weight, line: Location::caller() }
    }

    /// Sets how the weight begins.
    pub fn init(self, init: Init) -> Self {
        Dense { init, ..self }
    }

    /// Leaves out the bias.
    pub fn without_bias(self) -> Self {
        Dense { bias: false, ..self }
    }

    /// Learns direction and length of each row of the weight apart: `weight_v`, which begins as the
    /// weight would, and `weight_g`, which begins as its lengths.
    ///
    /// # Source
    ///
    /// Salimans & Kingma 2016, "Weight Normalization", arXiv:1602.07868.
    pub fn weight_norm(self) -> Self {
        Dense { weight: Weight::Normal, ..self }
    }

    /// Divides the weight, `weight_orig`, by its largest singular value, which the variables `weight_u`
    /// and `weight_v` follow in training.
    ///
    /// # Source
    ///
    /// Miyato et al. 2018, "Spectral Normalization for GANs", arXiv:1802.05957.
    pub fn spectral_norm(self) -> Self {
        Dense { weight: Weight::Spectral, ..self }
    }

    /// With a bias that begins otherwise.
    pub(super) fn forward_from<'g>(
        &self,
        cx: &mut Scope<'g>,
        x: Tensor<'g>,
        bias: Init,
    ) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let weight = self.weight.of(cx, &[self.units, x.dim(-1)], 0, self.init);
        let y = x.matmul(weight.swap_axes(-1, -2));
        if self.bias { y + cx.param("bias", [self.units], bias) } else { y }
    }
}

impl Module for Dense {
    fn name(&self) -> &str {
        "dense"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        self.forward_from(cx, x, Init::Zeros)
    }
}
