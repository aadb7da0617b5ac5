//! Layers that compute in f16, with parameters in f32.

use super::pattern;
use crate::dtype::DType;

/// Computes layers in f16: their inputs and results, and what products and convolutions multiply.
///
/// Parameters stay in f32, and are rounded for a product; sums, statistics of normalizations, losses and
/// updates are calculated in f32 as everywhere. Products run on matrix units where a GPU has them
/// ([`Precision::Units`](crate::Precision::Units)), unless the graph asks for another precision.
/// The gradients of small losses are no halves: their losses are to be [scaled](crate::optim::LossScale).
///
/// An activation becomes f16 in the first layer with weights, and stays so in all that take the type of
/// their input. Where such a layer lies in a scope that is [excepted](Self::except), it is widened
/// again.
///
/// ```
/// use wgrad::{nn::MixedPrecision, prelude::*};
///
/// let graph = Graph::new();
/// let mut cx = Scope::new(&graph, Mode::Train);
/// cx.mixed_precision(&MixedPrecision::new().except("net/head"));
/// let mut net = cx.child("net");
/// let x = graph.input("x", [2, 8], DType::F32);
/// let hidden = Dense::new(16).forward(&mut net.child("body"), x).relu();
/// let logits = Dense::new(4).forward(&mut net.child("head"), hidden);
/// assert_eq!((hidden.dtype(), logits.dtype()), (DType::F16, DType::F32));
/// graph.check()?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
///
/// A GPU without f16 refuses to compile such a program.
///
/// # Source
///
/// Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740.
#[doc(alias("autocast", "mixed_float16", "amp"))]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MixedPrecision {
    excepted: Vec<String>,
}

impl MixedPrecision {
    /// Computes all layers in f16.
    pub fn new() -> Self {
        MixedPrecision::default()
    }

    /// Computes layers in f32 in scopes that match a pattern: `*` stands for any text within one name,
    /// `**` for any number of names, and a scope for all below it.
    pub fn except(mut self, pattern: &str) -> Self {
        self.excepted.push(pattern.to_owned());
        self
    }

    /// The patterns of scopes that compute in f32.
    pub(crate) fn exceptions(&self) -> &[String] {
        &self.excepted
    }

    /// The type in which layers of a scope compute.
    pub(super) fn dtype(&self, scope: &str) -> DType {
        let is_excepted = self.excepted.iter().any(|pattern| pattern::matches(pattern, scope));
        if is_excepted { DType::F32 } else { DType::F16 }
    }
}
