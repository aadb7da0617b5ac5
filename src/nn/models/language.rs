//! Networks of sequences.

use crate::{
    graph::Tensor,
    nn::{
        Dense, Embedding, LayerNorm, LearnedPositions, Module, MultiHeadAttention, Recurrent,
        Scope, TransformerLayer,
    },
};
use std::panic::Location;

/// A classifier of sequences: what long short-term memory has at the end goes to a dense layer.
///
/// # Shapes
///
/// `[n, steps, inputs]` to logits `[n, classes]`. Parameters are below `lstm` and `fc`.
#[derive(Clone, Debug)]
pub struct LstmClassifier {
    lstm: Recurrent,
    fc: Dense,
}

impl LstmClassifier {
    /// With a state of this width.
    #[track_caller]
    pub fn new(hidden: usize, classes: usize) -> Self {
        LstmClassifier { lstm: Recurrent::lstm(hidden).last(), fc: Dense::new(classes) }
    }
}

impl Module for LstmClassifier {
    fn name(&self) -> &str {
        "lstm_classifier"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let last = self.lstm.forward(&mut cx.child("lstm"), x);
        self.fc.forward(&mut cx.child("fc"), last)
    }
}

/// A language model: from the symbols up to each position, logits of the one that follows.
///
/// # Shapes
///
/// Symbols `[n, t]` in u32 to logits `[n, t, symbols]`. Parameters are those of a PyTorch module with
/// embeddings `tokens` and `positions`, a `TransformerEncoder` `encoder` with a `norm` at its end,
/// and a `Linear` `head`.
///
/// # Source
///
/// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
#[derive(Clone, Debug)]
pub struct Transformer {
    symbols: usize,
    longest: usize,
    width: usize,
    heads: usize,
    wide: usize,
    layers: usize,
    dropout: f64,
    line: &'static Location<'static>,
}

impl Transformer {
    /// Of so many symbols, in sequences up to `longest`; two layers of four heads, 256 elements wide
    /// and 1,024 inside, unless set otherwise.
    #[track_caller]
    pub fn new(symbols: usize, longest: usize) -> Self {
        let line = Location::caller();
        let (width, heads, wide, layers, dropout) = (256, 4, 1024, 2, 0.0);
        Transformer { symbols, longest, width, heads, wide, layers, dropout, line }
    }

    /// Sets the width of the vectors between the layers, and that inside of them.
    pub fn width(self, width: usize, wide: usize) -> Self {
        Transformer { width, wide, ..self }
    }

    /// Sets the number of heads of each layer.
    pub fn heads(self, heads: usize) -> Self {
        Transformer { heads, ..self }
    }

    /// Sets the number of layers.
    pub fn layers(self, layers: usize) -> Self {
        Transformer { layers, ..self }
    }

    /// Drops what the parts of each layer give with this probability, while training.
    pub fn dropout(self, dropout: f64) -> Self {
        Transformer { dropout, ..self }
    }
}

impl Module for Transformer {
    fn name(&self) -> &str {
        "language_model"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let vectors = Embedding::new(self.symbols, self.width);
        let x = vectors.forward(&mut cx.child("tokens"), x);
        let mut x = LearnedPositions::new(self.longest).forward(&mut cx.child("positions"), x);
        let attention = MultiHeadAttention::new(self.heads).causal();
        let layer = TransformerLayer::new(attention, self.wide).dropout(self.dropout);
        {
            let mut encoder = cx.child("encoder");
            let mut layers = encoder.child("layers");
            for index in 0..self.layers {
                x = layer.forward(&mut layers.child(&index.to_string()), x);
            }
            x = LayerNorm::new().forward(&mut encoder.child("norm"), x);
        }
        Dense::new(self.symbols).forward(&mut cx.child("head"), x)
    }
}
