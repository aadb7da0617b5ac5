//! The transformer layer.

use super::{Activation, Dense, Dropout, LayerNorm, Module, MultiHeadAttention, Scope};
use crate::{graph::Tensor, numbers::Must};
use std::panic::Location;

/// Attention, then two dense layers at each position, both with a skip connection.
///
/// With pre-normalization, `y = x + attention(norm1(x))`, `z = y + dense(norm2(y))`; with
/// post-normalization, `y = norm1(x + attention(x))`, `z = norm2(y + dense(y))`.
///
/// # Shapes
///
/// `x` and the result are `[n, t, d]`. Parameters have the names of PyTorch's
/// `TransformerEncoderLayer`: `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`.
///
/// # Source
///
/// Vaswani et al. 2017; pre-normalization: Xiong et al. 2020, arXiv:2002.04745.
#[doc(alias = "TransformerEncoderLayer")]
#[derive(Clone, Debug)]
pub struct TransformerLayer {
    attention: MultiHeadAttention,
    wide: usize,
    activation: Activation,
    norm_first: bool,
    dropout: f64,
    line: &'static Location<'static>,
}

impl TransformerLayer {
    /// Uses this attention, and dense layers with `wide` hidden elements and GELU in between;
    /// pre-normalization by default.
    #[track_caller]
    pub fn new(attention: MultiHeadAttention, wide: usize) -> Self {
        let (activation, line) = (Activation::gelu(), Location::caller());
        TransformerLayer { attention, wide, activation, norm_first: true, dropout: 0.0, line }
    }

    /// Sets the activation between the dense layers.
    pub fn activation(self, activation: Activation) -> Self {
        TransformerLayer { activation, ..self }
    }

    /// Uses post-normalization instead of pre-normalization.
    #[doc(alias = "norm_first")]
    pub fn norm_behind(self) -> Self {
        TransformerLayer { norm_first: false, ..self }
    }

    /// Drops attention weights, the outputs of both parts, and the activations between the dense
    /// layers with this probability during training, like PyTorch's `dropout`.
    pub fn dropout(self, dropout: f64) -> Self {
        TransformerLayer { dropout, attention: self.attention.dropout(dropout), ..self }
    }

    /// Applies the layer with a mask, broadcast to `[n, heads, t, t]`, that is false at keys hidden
    /// from a query.
    #[doc(alias = "src_mask")]
    pub fn masked<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, mask: Tensor<'g>) -> Tensor<'g> {
        self.run(cx, x, Some(mask))
    }

    fn run<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, mask: Option<Tensor<'g>>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [
            ("wide", self.wide as f64, Must::BePositive),
            ("dropout", self.dropout, Must::BeFraction),
        ];
        if let Some(refused) = cx.graph().refuse_invalid("transformer", &[x], &numbers) {
            return refused;
        }
        let x = cx.cast(x);
        let norms = ["norm1", "norm2"].map(|name| (name, LayerNorm::new()));
        let normal = |cx: &mut Scope<'g>, index: usize, x| {
            let (name, norm) = &norms[index];
            norm.forward(&mut cx.child(name), x)
        };
        let drop = Dropout::new(self.dropout);
        let attend = |cx: &mut Scope<'g>, x| {
            let y = self.attention.attend(&mut cx.child("self_attn"), x, x, mask);
            let y = cx.cast(y);
            drop.forward(cx, y)
        };
        let width = x.dim(-1);
        let think = |cx: &mut Scope<'g>, x| {
            let y = Dense::new(self.wide).forward(&mut cx.child("linear1"), x);
            let y = self.activation.forward(cx, y);
            let y = drop.forward(cx, y);
            let y = Dense::new(width).forward(&mut cx.child("linear2"), y);
            let y = cx.cast(y);
            drop.forward(cx, y)
        };
        if self.norm_first {
            let inner = normal(cx, 0, x);
            let x = x + attend(cx, inner);
            let inner = normal(cx, 1, x);
            return x + think(cx, inner);
        }
        let y = x + attend(cx, x);
        let x = normal(cx, 0, y);
        let y = x + think(cx, x);
        normal(cx, 1, y)
    }
}

impl Module for TransformerLayer {
    fn name(&self) -> &str {
        "transformer"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        self.run(cx, x, None)
    }
}
