//! Multi-head attention.

use super::{Dense, Mode, Module, Scope};
use crate::{
    error::OpError,
    functions::{AttentionOptions, precision::in_f32},
    graph::Tensor,
    init::Init,
    numbers::Must,
};
use std::panic::Location;

/// Multi-head attention: each head attends with its own slice of every vector.
///
/// # Shapes
///
/// `x` and the result are `[n, t, d]`. Parameters have the names and layouts of PyTorch:
/// `in_proj_weight` `[d + 2 e, d]` and `in_proj_bias` for queries, keys and values in this order,
/// where `e` is `d`, or `d / heads` per key-value head; `out_proj/weight` `[d, d]` and
/// `out_proj/bias`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Indivisible`] unless `d` is a multiple of the number of heads,
/// and that a multiple of the number of key-value heads; [`OpError::Rank`].
///
/// # Source
///
/// Vaswani et al. 2017; shared key-value heads: Ainslie et al. 2023, arXiv:2305.13245.
#[doc(alias = "MultiheadAttention")]
#[derive(Clone, Debug)]
pub struct MultiHeadAttention {
    heads: usize,
    shared: Option<usize>,
    causal: bool,
    bias: bool,
    dropout: f64,
    rotary: Option<f64>,
    line: &'static Location<'static>,
}

impl MultiHeadAttention {
    /// Creates attention with this many heads, without masking.
    #[track_caller]
    pub fn new(heads: usize) -> Self {
        let line = Location::caller();
        let (shared, causal, bias, dropout, rotary) = (None, false, true, 0.0, None);
        MultiHeadAttention { heads, shared, causal, bias, dropout, rotary, line }
    }

    /// Masks out later positions.
    #[doc(alias("is_causal", "use_causal_mask"))]
    pub fn causal(self) -> Self {
        MultiHeadAttention { causal: true, ..self }
    }

    /// Sets the number of key-value heads, each shared by the same number of query heads.
    #[doc(alias = "GroupedQueryAttention")]
    pub fn key_value_heads(self, heads: usize) -> Self {
        MultiHeadAttention { shared: Some(heads), ..self }
    }

    /// Rotates queries and keys according to their positions: see [`Tensor::rotary`].
    pub fn rotary(self, base: f64) -> Self {
        MultiHeadAttention { rotary: Some(base), ..self }
    }

    /// Drops attention weights with this probability during training.
    pub fn dropout(self, dropout: f64) -> Self {
        MultiHeadAttention { dropout, ..self }
    }

    /// Omits the biases.
    pub fn without_bias(self) -> Self {
        MultiHeadAttention { bias: false, ..self }
    }

    /// Attends with queries from `x`, `[n, t, d]`, to `memory`, `[n, s, d]`; `mask` broadcasts to
    /// `[n, heads, t, s]`: a boolean mask is false at keys hidden from a query, a float mask is
    /// added to the scores. A query that sees no key attends to nothing, and its vector in front of
    /// `out_proj` is 0. Every row of `x` and `memory` is projected, hidden or not, so all must be
    /// finite.
    pub fn attend<'g>(
        &self,
        cx: &mut Scope<'g>,
        x: Tensor<'g>,
        memory: Tensor<'g>,
        mask: Option<Tensor<'g>>,
    ) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let is_own = x.id == memory.id;
        let x = cx.cast(x);
        let memory = if is_own { x } else { cx.cast(memory) };
        let mask = mask.map(|mask| cx.cast(mask));
        let (width, shared) = (x.dim(-1), self.shared.unwrap_or(self.heads));
        let refuse = |reason| cx.graph().refuse("attention", &[x, memory], reason);
        if x.rank() != 3 || memory.rank() != 3 {
            return refuse(OpError::Rank { least: 3 });
        }
        for (what, number, by) in [("elements", width, self.heads), ("heads", self.heads, shared)] {
            if by == 0 || number % by != 0 {
                return refuse(OpError::Indivisible { what, number, by });
            }
        }
        // Also in evaluation: the error should not wait for the first training step.
        let dropout = [("dropout", self.dropout, Must::BeFraction)];
        if let Some(refused) = cx.graph().refuse_invalid("attention", &[x, memory], &dropout) {
            return refused;
        }
        let narrow = width / self.heads * shared;
        let rows = width + 2 * narrow;
        let weight = cx.param("in_proj_weight", [rows, width], Init::GlorotUniform).rounded_for(x);
        let bias = self.bias.then(|| cx.param("in_proj_bias", [rows], Init::Zeros));
        let project = |x: Tensor<'g>, rows: std::ops::Range<usize>| {
            in_f32("attention", [x], |[x]| {
                let y = x.matmul(weight.slice(0, rows.clone()).swap_axes(0, 1));
                bias.map_or(y, |bias| y + bias.slice(0, rows))
            })
        };
        let [q, k, v] = if is_own {
            let all = project(x, 0..rows);
            [0..width, width..width + narrow, width + narrow..rows].map(|part| all.slice(-1, part))
        } else {
            [(x, 0..width), (memory, width..width + narrow), (memory, width + narrow..rows)]
                .map(|(of, part)| project(of, part))
        };
        let [q, k, v] = [(q, self.heads), (k, shared), (v, shared)].map(|(x, heads)| {
            let apart = x.reshape([x.dim(0), x.dim(1), heads, width / self.heads]);
            apart.transpose([0, 2, 1, 3])
        });
        let turned = |x: Tensor<'g>| self.rotary.map_or(x, |base| x.rotary(base));
        let (q, k) = (turned(q), turned(k));
        let dropout = if cx.mode() == Mode::Eval { 0.0 } else { self.dropout };
        let y =
            q.attention(k, v, AttentionOptions { mask, causal: self.causal, dropout, scale: None });
        let together = y.transpose([0, 2, 1, 3]).reshape(x.shape());
        let out = Dense::new(width).init(Init::GlorotUniform);
        let out = if self.bias { out } else { out.without_bias() };
        out.forward(&mut cx.child("out_proj"), together)
    }
}

impl Module for MultiHeadAttention {
    fn name(&self) -> &str {
        "attention"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        self.attend(cx, x, x, None)
    }
}
