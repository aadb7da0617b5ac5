//! Activations as modules, and functions of your own.

use super::{Module, Scope};
use crate::{error::OpError, functions::precision::in_f32, graph::Tensor, init::Init};
use std::{
    fmt::{self, Debug, Formatter},
    panic::Location,
    sync::Arc,
};

/// A function of one tensor as a module.
///
/// ```
/// use wgrad::nn::{Activation, Dense, Sequential};
///
/// let slope = 0.2;
/// let net = Sequential::new()
///     .add(Dense::new(32))
///     .add(Activation::new("leaky_relu", move |x| x.leaky_relu(slope)))
///     .add(Dense::new(10))
///     .add(Activation::new("temperature", |x| x / 4.0));
/// ```
#[derive(Clone)]
pub struct Activation {
    name: String,
    function: Function,
    line: &'static Location<'static>,
}

/// A function that several modules may hold.
type Function = Arc<dyn for<'g> Fn(Tensor<'g>) -> Tensor<'g> + Send + Sync>;

impl Activation {
    /// Wraps any function of one tensor, also one that captures numbers, under the given name. For
    /// one with parameters, see [`Lambda`].
    #[track_caller]
    pub fn new(
        name: &str,
        function: impl for<'g> Fn(Tensor<'g>) -> Tensor<'g> + Send + Sync + 'static,
    ) -> Self {
        let (name, function) = (name.to_owned(), Arc::new(function));
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
        &self.name
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        (self.function)(x)
    }
}

impl Debug for Activation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Activation").field(&self.name).finish()
    }
}

/// A layer from a closure, which may declare parameters and contain other modules.
///
/// ```
/// use wgrad::{Init, nn::{Dense, Lambda, Module, Sequential}};
///
/// let inner = Dense::new(32);
/// let gated = Lambda::new("gated", move |cx, x| {
///     let gate = cx.param("gate", [32], Init::Zeros);
///     inner.forward(&mut cx.child("inner"), x) * gate.sigmoid()
/// });
/// let net = Sequential::new().add(gated).add(Dense::new(10));
/// ```
#[derive(Clone)]
pub struct Lambda {
    name: String,
    layer: Layer,
    line: &'static Location<'static>,
}

/// The `forward` of a module.
type Layer = Arc<dyn for<'g> Fn(&mut Scope<'g>, Tensor<'g>) -> Tensor<'g> + Send + Sync>;

impl Lambda {
    /// Makes a module of what it does in its scope.
    #[track_caller]
    pub fn new(
        name: &str,
        layer: impl for<'g> Fn(&mut Scope<'g>, Tensor<'g>) -> Tensor<'g> + Send + Sync + 'static,
    ) -> Self {
        Lambda { name: name.to_owned(), layer: Arc::new(layer), line: Location::caller() }
    }
}

impl Module for Lambda {
    fn name(&self) -> &str {
        &self.name
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        (self.layer)(cx, x)
    }
}

impl Debug for Lambda {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lambda").field(&self.name).finish()
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
        let x = cx.cast(x);
        in_f32("prelu", [x], |[x]| x.prelu(weight))
    }
}
