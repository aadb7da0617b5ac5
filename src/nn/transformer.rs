//! The layer of a transformer.

use super::{Activation, Dense, Dropout, LayerNorm, Module, MultiHeadAttention, Scope};
use crate::graph::Tensor;
use std::panic::Location;

/// Attention, then two dense layers at each position; the input passes around both.
///
/// With the normalization in front, `y = x + attention(norm1(x))`, `z = y + dense(norm2(y))`; behind,
/// `y = norm1(x + attention(x))`, `z = norm2(y + dense(y))`.
///
/// # Shapes
///
/// `x` and the result are `[n, t, d]`. Parameters have the names of PyTorch's
/// `TransformerEncoderLayer`: `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`.
///
/// # Source
///
/// Vaswani et al. 2017; the normalization in front: Xiong et al. 2020, arXiv:2002.04745.
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
    /// With this attention, and dense layers of `wide` elements with GELU between them; the
    /// normalization is in front.
    #[track_caller]
    pub fn new(attention: MultiHeadAttention, wide: usize) -> Self {
        let (activation, line) = (Activation::gelu(), Location::caller());
        TransformerLayer { attention, wide, activation, norm_first: true, dropout: 0.0, line }
    }

    /// Sets what is between the dense layers.
    pub fn activation(self, activation: Activation) -> Self {
        TransformerLayer { activation, ..self }
    }

    /// Normalizes behind each part instead of in front.
    pub fn norm_behind(self) -> Self {
        TransformerLayer { norm_first: false, ..self }
    }

    /// Drops weights of the attention, what each part gives, and what is between the dense layers,
    /// with this probability, while training: as PyTorch's `dropout`.
    pub fn dropout(self, dropout: f64) -> Self {
        TransformerLayer { dropout, attention: self.attention.dropout(dropout), ..self }
    }

    /// Its computation where a mask, broadcast to `[n, heads, t, t]`, is false for the keys that a
    /// query does not see.
    pub fn masked<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, mask: Tensor<'g>) -> Tensor<'g> {
        self.run(cx, x, Some(mask))
    }

    fn run<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>, mask: Option<Tensor<'g>>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let norms = ["norm1", "norm2"].map(|name| (name, LayerNorm::new()));
        let normal = |cx: &mut Scope<'g>, index: usize, x| {
            let (name, norm) = &norms[index];
            norm.forward(&mut cx.child(name), x)
        };
        let drop = Dropout::new(self.dropout);
        let attend = |cx: &mut Scope<'g>, x| {
            let y = self.attention.attend(&mut cx.child("self_attn"), x, x, mask);
            drop.forward(cx, y)
        };
        let width = x.dim(-1);
        let think = |cx: &mut Scope<'g>, x| {
            let y = Dense::new(self.wide).forward(&mut cx.child("linear1"), x);
            let y = self.activation.forward(cx, y);
            let y = drop.forward(cx, y);
            let y = Dense::new(width).forward(&mut cx.child("linear2"), y);
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
