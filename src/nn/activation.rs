//! Activations as modules.

use super::{Module, Scope};
use crate::{graph::Tensor, init::Init};
use std::panic::Location;

/// A function of a tensor as a module: a non-linearity between layers.
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    name: &'static str,
    function: for<'g> fn(Tensor<'g>) -> Tensor<'g>,
    line: &'static Location<'static>,
}

impl Activation {
    /// Any function of one tensor, under this name.
    #[track_caller]
    pub fn new(name: &'static str, function: for<'g> fn(Tensor<'g>) -> Tensor<'g>) -> Self {
        Activation { name, function, line: Location::caller() }
    }

    /// `max(x, 0)`.
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
    #[track_caller]
    pub fn gelu() -> Self {
        Activation::new("gelu", |x| x.gelu())
    }

    /// [`Tensor::silu`], also called swish.
    #[track_caller]
    pub fn silu() -> Self {
        Activation::new("silu", |x| x.silu())
    }

    /// Softmax along the last axis. [`cross_entropy`](super::cross_entropy) takes logits, so a
    /// classifier needs this only to show probabilities.
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

/// ReLU with a learned slope below 0 for each channel: see [`Tensor::prelu`].
///
/// # Shapes
///
/// `[n, channels, ..]`; `slope` is `[channels]` and begins at 0.25.
#[derive(Clone, Debug)]
pub struct PRelu {
    line: &'static Location<'static>,
}

impl PRelu {
    /// With a slope for each channel.
    #[track_caller]
    pub fn new() -> Self {
        PRelu { line: Location::caller() }
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
        let slope = cx.param("slope", [x.dim(1)], Init::Constant(0.25));
        x.prelu(slope)
    }
}
