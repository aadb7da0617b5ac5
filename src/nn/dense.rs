//! The fully connected layer.

use super::{Module, Scope, weight::Weight};
use crate::{functions::precision::in_f32, graph::Tensor, init::Init, numbers::Must};
use std::panic::Location;

/// A fully connected layer: `y = x W^T + b` along the last axis.
///
/// # Shapes
///
/// `x` is `[.., inputs]`, `weight` `[units, inputs]`, `bias` `[units]`, `y` `[.., units]`. The
/// number of inputs is taken from the `x` it is traced on.
#[doc(alias("Linear", "nn.Linear"))]
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    init: Init,
    bias: bool,
    weight: Weight,
    line: &'static Location<'static>,
}

impl Dense {
    /// Creates a layer with this many outputs; the weight is initialized with [`Init::HeNormal`],
    /// the bias with 0.
    #[track_caller]
    pub fn new(units: usize) -> Self {
        let weight = Weight::Plain;
        Dense { units, init: Init::HeNormal, bias: true, weight, line: Location::caller() }
    }

    /// Sets the initialization of the weight.
    pub fn init(self, init: Init) -> Self {
        Dense { init, ..self }
    }

    /// Omits the bias.
    #[doc(alias = "use_bias")]
    pub fn without_bias(self) -> Self {
        Dense { bias: false, ..self }
    }

    /// Reparametrizes each row of the weight into direction and length: `weight_v`, initialized
    /// like the weight, and `weight_g`, initialized with its row norms.
    ///
    /// # Source
    ///
    /// Salimans & Kingma 2016, "Weight Normalization", arXiv:1602.07868.
    pub fn weight_norm(self) -> Self {
        Dense { weight: Weight::Normal, ..self }
    }

    /// Divides the weight, `weight_orig`, by its largest singular value, estimated by power
    /// iteration in the variables `weight_u` and `weight_v` during training.
    ///
    /// # Source
    ///
    /// Miyato et al. 2018, "Spectral Normalization for GANs", arXiv:1802.05957.
    #[doc(alias = "SpectralNormalization")]
    pub fn spectral_norm(self) -> Self {
        Dense { weight: Weight::Spectral, ..self }
    }

    /// Applies the layer with another initialization of the bias.
    pub(super) fn forward_from<'g>(
        &self,
        cx: &mut Scope<'g>,
        x: Tensor<'g>,
        bias: Init,
    ) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [("units", self.units as f64, Must::BePositive)];
        if let Some(refused) = cx.graph().refuse_invalid("dense", &[x], &numbers) {
            return refused;
        }
        let x = cx.cast(x);
        let weight = self.weight.of(cx, &[self.units, x.dim(-1)], 0, self.init).rounded_for(x);
        in_f32("dense", [x], |[x]| {
            let y = x.matmul(weight.swap_axes(-1, -2));
            if self.bias { y + cx.param("bias", [self.units], bias) } else { y }
        })
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
