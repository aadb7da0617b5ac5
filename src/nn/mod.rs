//! Modules: the building blocks of networks, and the naming of their parameters.
//!
//! A module is plain data and holds no tensor. It can be traced into several graphs, e.g. for
//! different batch shapes and modes; its parameters are shared by path in a
//! [`Variables`](crate::Variables) store.
//!
//! ```
//! use wgrad::{DType, Graph, nn::{Activation, Dense, Mode, Module, Scope, Sequential}};
//!
//! let net = Sequential::new().add(Dense::new(32)).add(Activation::relu()).add(Dense::new(10));
//! let graph = Graph::new();
//! let x = graph.input("x", [8, 64], DType::F32);
//! let mut cx = Scope::new(&graph, Mode::Train);
//! let logits = net.forward(&mut cx, x);
//! assert_eq!(logits.shape().dims(), [8, 10]);
//! let paths: Vec<String> = cx.params().into_iter().map(|(path, _)| path).collect();
//! assert_eq!(paths, ["0:dense/weight", "0:dense/bias", "2:dense/weight", "2:dense/bias"]);
//! graph.check()?;
//! # Ok::<(), wgrad::Error>(())
//! ```

mod activation;
mod adaptive_pooling;
mod attention;
mod batch_norm;
mod convolution;
mod dense;
mod dropout;
mod embedding;
mod flatten;
pub mod gan;
mod losses;
mod mixed_precision;
pub mod models;
mod modulated;
mod normalization;
pub(crate) mod pattern;
mod pooling;
mod positions;
mod quantized;
mod recurrent;
mod scope;
mod sequential;
mod summary;
mod transformer;
mod weight;

pub use crate::graph::Attribution;
pub use activation::{Activation, Lambda, PRelu};
pub use adaptive_pooling::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, GlobalAvgPool, GlobalMaxPool,
};
pub use attention::MultiHeadAttention;
pub use batch_norm::{BatchNorm, InstanceNorm};
pub use convolution::{
    Conv, Conv1d, Conv2d, Conv3d, ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::{Flatten, Unflatten};
pub use losses::{CrossEntropy, accuracy, cross_entropy, mean_squared_error};
pub use mixed_precision::MixedPrecision;
pub use modulated::ModulatedConv2d;
pub use normalization::{GroupNorm, LayerNorm, LocalResponseNorm, RmsNorm};
pub use pooling::{
    AvgPool, AvgPool1d, AvgPool2d, AvgPool3d, LpPool, LpPool1d, LpPool2d, LpPool3d, MaxPool,
    MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d,
};
pub use positions::{LearnedPositions, SinusoidalPositions};
pub use quantized::{Calibrating, QuantizedConv2d, QuantizedDense};
pub use recurrent::{Recurrent, Reset, State};
pub use scope::{Mode, Scope};
pub use sequential::Sequential;
pub use summary::{LayerSummary, Summary};
pub use transformer::TransformerLayer;

use crate::{error::Error, graph::Tensor, shape::Meta};

/// A building block of a network.
#[doc(alias("nn.Module", "Layer"))]
pub trait Module {
    /// Its lower-case name within a container: `dense` in `net/2:dense/weight`.
    fn name(&self) -> &str;

    /// Appends its computation on `x` to the graph.
    #[doc(alias = "call")]
    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g>;

    /// Its layers on an input of this shape and type: outputs, parameters, operations and memory.
    ///
    /// # Errors
    ///
    /// Same as [`Summary::of`], which also takes several inputs.
    fn summary(&self, mode: Mode, x: Meta) -> Result<Summary, Error> {
        let mut summary =
            Summary::of(mode, [("x", x)], |cx, batch| self.forward(cx, batch.get("x")))?;
        summary.total.kind = Some(self.name().to_owned());
        Ok(summary)
    }
}

impl<M: Module + ?Sized> Module for &M {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        (**self).forward(cx, x)
    }
}

#[cfg(test)]
mod tests;
