//! Activations as modules.

use super::{Module, Scope};
use crate::{error::OpError, functions::precision::in_f32, graph::Tensor, init::Init};
use std::panic::Location;

/// An activation function as a module.
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    name: &'static str,
    function: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    line: &'static Location<'static>,
}

impl Activation {
    /// Wraps any function of one tensor under the given name.
    #[track_caller]
    pub fn new(name: &'static str, function: for<'g> fn(Tensor<'g>) -> Tensor<'g>) -> Self {
        Activation { name, function, line: Location::caller() }
    }

    /// `max(x, 0)`.
    #[doc(alias = "ReLU")]
    #[track_caller]
    pub fn relu() -> Self {
        Activation::new("relu", |x| x.relu())
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh() -> Self {
        Activation::new("tanh", |x| x.tanh())
    }

    /// `1 / (1 + exp(-x))`.
    #[track_caller]
    pub fn sigmoid() -> Self {
        Activation::new("sigmoid", |x| x.sigmoid())
    }

    /// [`Tensor::gelu`].
    #[doc(alias = "GELU")]
    #[track_caller]
    pub fn gelu() -> Self {
        Activation::new("gelu", |x| x.gelu())
    }

    /// [`Tensor::silu`], also called swish.
    #[doc(alias("SiLU", "swish"))]
    #[track_caller]
    pub fn silu() -> Self {
        Activation::new("silu", |x| x.silu())
    }

    /// Softmax along the last axis. [`cross_entropy`](super::cross_entropy) takes logits, so a
    /// classifier needs this only to output probabilities.
    #[track_caller]
    pub fn softmax() -> Self {
        Activation::new("softmax", |x| x.softmax(-1))
    }
}

impl Module for Activation {
    fn name(&self) -> &str {
        self.name
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        (self.function)(x)
    }
}

/// ReLU with a learned slope below 0, shared or per channel. See [`Tensor::prelu`].
///
/// # Shapes
///
/// Any, or `[n, channels, ..]` with a slope per channel; the slopes `weight` are `[1]` or
/// `[channels]` and are initialized to 0.25.
///
/// # Source
///
/// He et al. 2015; names and initialization as in PyTorch.
#[doc(alias = "PReLU")]
#[derive(Clone, Debug)]
pub struct PRelu {
    by_channel: bool,
    line: &'static Location<'static>,
}

impl PRelu {
    /// Uses one slope for all elements.
    #[track_caller]
    pub fn new() -> Self {
        PRelu { by_channel: false, line: Location::caller() }
    }

    /// Uses a slope per channel.
    pub fn by_channel(self) -> Self {
        PRelu { by_channel: true, ..self }
    }
}

impl Default for PRelu {
    #[track_caller]
    fn default() -> Self {
        PRelu::new()
    }
}

impl Module for PRelu {
    fn name(&self) -> &str {
        "prelu"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        if self.by_channel && !x.failed() && x.rank() < 2 {
            return cx.graph().refuse("prelu", &[x], OpError::Rank { least: 2 });
        }
        let slopes = if self.by_channel { x.dim(1) } else { 1 };
        let weight = cx.param("weight", [slopes], Init::Constant(0.25));
        in_f32("prelu", [x], |[x]| x.prelu(weight))
    }
}
