//! Attention: what is looked for chooses among what there is.

use crate::{
    dtype::DType,
    graph::Tensor,
    ops::attention::Attention,
    reference::Array64,
    shape::Meta,
    testing::{Bound, Function, Sample},
};

impl<'g> Tensor<'g> {
    /// `softmax(q k^T / sqrt d) v`: for each query a mean of the values, weighted by how well their
    /// keys fit. `self` holds the queries.
    ///
    /// Where `mask` is false a query does not see a key. With `causal` the query at position `i` sees
    /// the keys up to position `i` only.
    ///
    /// # Shapes
    ///
    /// Queries `[.., t, d]`, keys `[.., s, d]`, values `[.., s, e]`; the mask is broadcast to
    /// `[.., t, s]`. The result is `[.., t, e]`.
    ///
    /// # Numerics
    ///
    /// A query that sees no key gives NaN, as in PyTorch.
    ///
    /// # Source
    ///
    /// Vaswani et al. 2017.
    #[track_caller]
    pub fn attention(
        self,
        keys: Tensor<'g>,
        values: Tensor<'g>,
        mask: Option<Tensor<'g>>,
        causal: bool,
    ) -> Tensor<'g> {
        let op = Attention { causal };
        let q = self.of_floats("attention");
        match mask {
            None if op.fits([q, keys, values]) => q.graph().push(op, &[q, keys, values]),
            _ => q.attention_weights(keys, mask, causal).matmul(values),
        }
    }

    /// How much of each value there is in what attention gives for each query, `[.., t, s]`.
    #[track_caller]
    pub(crate) fn attention_weights(
        self,
        keys: Tensor<'g>,
        mask: Option<Tensor<'g>>,
        causal: bool,
    ) -> Tensor<'g> {
        let q = self.of_floats("attention");
        let mut scores = Attention { causal }.scores(q, keys);
        if let Some(mask) = mask {
            let hidden = scores.full_like(f64::NEG_INFINITY);
            scores = mask.broadcast_to(scores.shape()).select(scores, hidden);
        }
        scores.softmax(-1)
    }
}

/// The formula, of one head: queries `[t, d]`, keys `[s, d]`, values `[s, e]`.
fn definition(x: &[&Array64], causal: bool) -> Array64 {
    let [q, k, v] = x else { unreachable!("queries, keys and values") };
    let ([t, d], [s, e]) =
        ([0, 1].map(|axis| q.shape().dims()[axis]), [0, 1].map(|axis| v.shape().dims()[axis]));
    Array64::from_fn(Meta::new([t, e], DType::F32), |c| {
        let seen = if causal { s.min(c[0] + 1) } else { s };
        let weight = |j: usize| {
            let fit: f64 = (0..d).map(|i| q.at(&[c[0], i]) * k.at(&[j, i])).sum();
            (fit / (d as f64).sqrt()).exp()
        };
        let all: f64 = (0..seen).map(weight).sum();
        (0..seen).map(|j| weight(j) / all * v.at(&[j, c[1]])).sum()
    })
}

/// Attention, from its formula.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: [usize; 2]| Meta::new(dims, DType::F32);
    let sample = |causal: bool, t: usize, s: usize| {
        let function = Function::new(
            "attention",
            move |x| x[0].attention(x[1], x[2], None, causal),
            move |x| definition(x, causal),
        );
        Sample::new(function, [of([t, 4]), of([s, 4]), of([s, 3])])
            .bound(Bound::Abs(4e-6), "sums of a few products below 1, exponentials and quotients")
    };
    vec![
        sample(false, 3, 5),
        sample(true, 5, 5).named("causal"),
        sample(true, 4, 6).named("causal"),
    ]
}
