//! Sequence models.

use crate::{
    graph::Tensor,
    nn::{
        Dense, Embedding, LayerNorm, LearnedPositions, Module, MultiHeadAttention, Recurrent,
        Scope, TransformerLayer,
    },
    numbers::Must,
};
use std::panic::Location;

/// A sequence classifier: the final state of an LSTM is passed to a dense layer.
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
    /// Creates a classifier with this state width.
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

/// A language model: predicts the logits of the next symbol from those up to each position.
///
/// # Shapes
///
/// Symbols `[n, t]` in u32 to logits `[n, t, symbols]`. Parameters match a PyTorch module with
/// embeddings `tokens` and `positions`, a `TransformerEncoder` `encoder` with a final `norm`, and a
/// `Linear` `head`.
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
    /// Creates a model of this many symbols, for sequences up to `longest`; by default two layers
    /// of four heads, 256 elements wide with 1,024 in the feed-forward layers.
    #[track_caller]
    pub fn new(symbols: usize, longest: usize) -> Self {
        let line = Location::caller();
        let (width, heads, wide, layers, dropout) = (256, 4, 1024, 2, 0.0);
        Transformer { symbols, longest, width, heads, wide, layers, dropout, line }
    }

    /// Sets the width of the vectors between the layers, and of the feed-forward layers.
    pub fn width(self, width: usize, wide: usize) -> Self {
        Transformer { width, wide, ..self }
    }

    /// Sets the number of heads per layer.
    pub fn heads(self, heads: usize) -> Self {
        Transformer { heads, ..self }
    }

    /// Sets the number of layers.
    pub fn layers(self, layers: usize) -> Self {
        Transformer { layers, ..self }
    }

    /// Drops the outputs of the sublayers with this probability during training.
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
        let numbers = [("layers", self.layers as f64, Must::CountLayers)];
        if let Some(refused) = cx.graph().refuse_invalid("language_model", &[x], &numbers) {
            return refused;
        }
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
