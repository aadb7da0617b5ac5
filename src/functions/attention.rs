//! Scaled dot-product attention.

use super::{precision::in_f32, random::drops_all};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    numbers::Must,
    ops::{
        attention::{Attention, Dropped, serving},
        contract::{Bound, Domain, Function, Sample},
    },
    shape::Meta,
};

/// Options of attention; all are off by default.
///
/// ```
/// use wgrad::{AttentionOptions, DType, Graph};
///
/// let graph = Graph::new();
/// let [q, k] = ["q", "k"].map(|name| graph.input(name, [2, 4, 7, 8], DType::F32));
/// // Two examples, of seven and of five positions.
/// let lengths = graph.input("lengths", [2], DType::U32);
/// let mask = Some(lengths.key_padding(7));
/// let y = q.attention(k, k, AttentionOptions { mask, causal: true, ..Default::default() });
/// assert_eq!(y.shape().dims(), [2, 4, 7, 8]);
/// graph.check()?;
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionOptions<'g> {
    /// Broadcast to `[.., t, s]`: a boolean mask hides a key from a query where it is false; a
    /// float mask is added to the scores, and negative infinity hides, whatever the score.
    pub mask: Option<Tensor<'g>>,
    /// Whether the query at position `i` sees only the keys up to position `i`.
    pub causal: bool,
    /// The share of weights dropped at random, anew in each run; the others are divided by the
    /// remaining share, which keeps the mean. With a share of 1 the result is 0.
    pub dropout: f64,
    /// Factor of the scores, `1 / sqrt d` by default.
    pub scale: Option<f64>,
}

impl<'g> Tensor<'g> {
    /// `softmax(q k^T / sqrt d) v`: for each query a mean of the values, weighted by how well their
    /// keys match. `self` holds the queries.
    ///
    /// # Shapes
    ///
    /// Queries `[.., t, d]`, keys `[.., s, d]`, values `[.., s, e]`. The result is `[.., t, e]`.
    /// With heads, `[.., heads, t, d]`, keys and values may have fewer, each of which is shared by
    /// as many consecutive heads of queries.
    ///
    /// # Numerics
    ///
    /// The matrix of all scores is not stored, unless vectors are wider than 128 or a float mask is
    /// differentiated.
    ///
    /// A query that sees no key gives 0, as in PyTorch since 2.5, and has no derivative; a
    /// [`softmax`](Tensor::softmax) of nothing but negative infinities is NaN, as it is there. It
    /// does not matter what a key or a value holds, be it NaN, that a mask hides from all queries.
    /// Keys and values that are hidden from only some queries should be finite: if one is not, those
    /// queries may get NaN, since a weight of 0 times infinity is NaN.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`]; [`OpError::DTypes`]; [`OpError::Extents`]; [`OpError::Broadcast`];
    /// [`OpError::Number`] for a dropout outside of `[0, 1]`.
    ///
    /// # Source
    ///
    /// Vaswani et al. 2017.
    #[doc(alias("scaled_dot_product_attention", "sdpa", "flash_attention"))]
    #[track_caller]
    pub fn attention(
        self,
        keys: Tensor<'g>,
        values: Tensor<'g>,
        options: AttentionOptions<'g>,
    ) -> Tensor<'g> {
        let AttentionOptions { mask, causal, dropout, scale } = options;
        let q = self.of_floats("attention");
        let numbers = [
            ("dropout", dropout, Must::BeFraction),
            ("scale", scale.unwrap_or(1.0), Must::BeFinite),
        ];
        if let Some(refused) = q.graph().refuse_invalid("attention", &[q, keys, values], &numbers) {
            return refused;
        }
        if drops_all(dropout) {
            // The weights are all 0, and so is what they weigh.
            let options = AttentionOptions { dropout: 0.0, ..options };
            let y = q.attention(keys, values, options);
            return if y.failed() { y } else { y.all_replaced(0.0) };
        }
        let is_mask = |dtype| [DType::Bool, DType::F32, q.dtype()].contains(&dtype);
        if let Some(mask) =
            mask.filter(|&mask| !mask.failed() && !q.failed() && !is_mask(mask.dtype()))
        {
            return q.graph().refuse("attention", &[q, keys, mask], OpError::DType(mask.dtype()));
        }
        let mut op = Attention { causal, scale, masked: mask.is_some(), dropped: None };
        let mut draw = None;
        let shape = q.shape();
        let outer = &shape.dims()[..shape.rank().saturating_sub(2)];
        if dropout > 0.0 && q.rank() >= 2 && keys.rank() >= 2 {
            let each = q.dim(-2) * keys.dim(-2);
            let (drawn, stream) = q.graph().drawn(outer, each);
            op.dropped = Some(Dropped { share: dropout, stream });
            draw = Some(drawn);
        }
        // A mask gets as many axes as the queries.
        let aligned = mask.map(|mask| {
            let missing = q.rank().saturating_sub(mask.rank());
            let mask = (0..missing).fold(mask, |mask, _| mask.unsqueeze(0));
            if mask.dtype().is_float() { mask.cast(DType::F32) } else { mask }
        });
        // The 0 that weighs a hidden key would be multiplied by what it holds.
        let [keys, values] = [keys, values].map(|x| {
            let seen = seen(aligned, q, x, causal);
            seen.map_or(x, |seen| seen.select(x, x.full_like(0.0)))
        });
        // Any tensor is a placeholder for an unused operand.
        let operands = [q, keys, values, aligned.unwrap_or(q), draw.unwrap_or(q)];
        if op.fits(operands) {
            return q.graph().push(op, &operands);
        }
        in_f32("attention", [q, keys, values], |[q, keys, values]| {
            let mask = mask.map(Tensor::widened);
            let weights = op.weights(q, keys, mask);
            let weights = match draw {
                // Heads that are broadcast have no random numbers of their own.
                Some(_)
                    if weights.rank() != q.rank()
                        || weights.shape().dims()[..outer.len()] != *outer =>
                {
                    let lost = weights.graph().uniform(weights.shape());
                    let keep = lost.greater_equal(lost.full_like(dropout));
                    keep.select(weights * (1.0 / (1.0 - dropout)), weights.full_like(0.0))
                }
                Some(draw) => op.kept(weights, draw),
                None => weights,
            };
            weights.matmul(serving(values, q))
        })
    }

    /// The mask that hides padding at the end of sequences: `self` holds their lengths, `[n]` in
    /// u32, and all heads and queries see only that many keys, out of `keys`.
    ///
    /// # Shapes
    ///
    /// `[n]` to `[n, 1, 1, keys]`.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] unless u32; [`OpError::Rank`] for scalars.
    #[doc(alias = "key_padding_mask")]
    #[track_caller]
    pub fn key_padding(self, keys: usize) -> Tensor<'g> {
        if !self.failed() && self.dtype() != DType::U32 {
            return self.graph().refuse("key_padding", &[self], OpError::DType(self.dtype()));
        }
        if !self.failed() && self.rank() != 1 {
            return self.graph().refuse("key_padding", &[self], OpError::Rank { least: 1 });
        }
        let position = self.graph().iota([1, 1, 1, keys], -1, DType::U32);
        position.less(self.unsqueeze(1).unsqueeze(2).unsqueeze(3))
    }
}

/// Which keys any query sees, broadcast to `x`, the vectors `[.., s, width]` of the keys or their
/// values. `None` if that is all of them, or if the mask does not fit them.
#[track_caller]
fn seen<'g>(
    mask: Option<Tensor<'g>>,
    q: Tensor<'g>,
    x: Tensor<'g>,
    causal: bool,
) -> Option<Tensor<'g>> {
    if [Some(q), Some(x), mask].into_iter().flatten().any(|x| x.failed() || x.rank() != q.rank()) {
        return None;
    }
    let rank = q.rank().checked_sub(2)?;
    let (t, s, graph) = (q.dim(-2), x.dim(-2), q.graph());
    let Some(mask) = mask else {
        let column = |extent: usize| [&vec![1; rank][..], &[extent, 1]].concat();
        return (causal && s > t).then(|| graph.iota(column(s), -2, DType::U32).less(t as u32));
    };
    if mask.dim(-1) != s || mask.shape().is_empty() {
        return None;
    }
    let mut sees = match mask.dtype() {
        DType::Bool => mask,
        _ => !mask.detach().equal(f64::NEG_INFINITY),
    };
    if causal {
        // A mask of one row is that of the last query, which sees the most.
        let first = if mask.dim(-2) == 1 { t.saturating_sub(1) as u32 } else { 0 };
        let row = graph.iota(mask.shape(), -2, DType::U32) + first;
        sees = sees.and(graph.iota(mask.shape(), -1, DType::U32).less_equal(row));
    }
    sees = any(sees, -2);
    // Over the batches and the heads that share a key.
    for axis in 0..rank {
        let (all, own) = (sees.dim(axis as i32), x.dim(axis as i32));
        if all == own || all == 1 {
            continue;
        }
        if own == 0 || all % own != 0 || (own > 1 && axis + 1 != rank) {
            return None;
        }
        let shape = sees.shape();
        let (before, behind) = (&shape.dims()[..axis], &shape.dims()[axis + 1..]);
        let apart = sees.reshape([before, &[own, all / own], behind].concat());
        sees = any(apart, axis as i32 + 1).squeeze(axis as i32 + 1);
    }
    Some(sees.swap_axes(-1, -2))
}

/// Whether any truth value along an axis holds; the axis is kept.
#[track_caller]
fn any(x: Tensor<'_>, axis: i32) -> Tensor<'_> {
    if x.dim(axis) == 1 { x } else { x.cast(DType::F32).amax_keepdims(axis).greater(0.0) }
}

/// The formula, for heads `[h, t, d]` of queries, `[g, s, d]` of keys and `[g, s, e]` of values;
/// `seen` maps a score at head, query and key, and returns `None` if it is hidden.
fn definition(
    x: &[&Array64],
    scale: Option<f64>,
    seen: impl Fn(f64, [usize; 3]) -> Option<f64>,
) -> Array64 {
    let [q, k, v] = [x[0], x[1], x[2]];
    let dims = |x: &Array64| [0, 1, 2].map(|axis| x.shape().dims()[axis]);
    let ([heads, t, d], [shared, s, e]) = (dims(q), dims(v));
    Array64::from_fn(Meta::new([heads, t, e], q.meta.dtype), |c| {
        let of_keys = c[0] / (heads / shared);
        let weight = |j: usize| {
            let fit: f64 = (0..d).map(|i| q.at(&[c[0], c[1], i]) * k.at(&[of_keys, j, i])).sum();
            let fit = fit * scale.unwrap_or((d as f64).sqrt().recip());
            seen(fit, [c[0], c[1], j]).map_or(0.0, f64::exp)
        };
        let all: f64 = (0..s).map(weight).sum();
        // A query that sees no key gives 0.
        let all = if all == 0.0 { 1.0 } else { all };
        (0..s).map(|j| weight(j) / all * v.at(&[of_keys, j, c[2]])).sum()
    })
}

/// Hides a key in a mask of numbers.
const N: f64 = f64::NEG_INFINITY;

/// Samples of attention, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    let of = |dims: &[usize], dtype| Meta::new(dims, dtype);
    let operands = |heads: [usize; 2], [t, s]: [usize; 2]| {
        let [all, shared] = heads;
        [[all, t, 4], [shared, s, 4], [shared, s, 3]].map(|dims| of(&dims, DType::F32))
    };
    let bounded = |sample: Sample| {
        let reason = "sums of a few products below 1, exponentials and quotients";
        sample.bound(Bound::Abs(4e-6), reason)
    };
    let plain = |causal: bool, scale: Option<f64>, t: usize, s: usize| {
        let function = Function::new(
            "attention",
            move |x| {
                let options = AttentionOptions { causal, scale, ..Default::default() };
                x[0].attention(x[1], x[2], options)
            },
            move |x| definition(x, scale, |score, [_, i, j]| (!causal || j <= i).then_some(score)),
        );
        bounded(Sample::new(function, operands([1, 1], [t, s])))
    };
    let with_mask = |mask: Meta, heads: [usize; 2]| {
        let is_truth = mask.dtype == DType::Bool;
        let function = Function::new(
            "attention",
            |x| {
                let options = AttentionOptions { mask: Some(x[3]), ..Default::default() };
                x[0].attention(x[1], x[2], options)
            },
            move |x| {
                definition(x, None, |score, [h, i, j]| {
                    let dims = x[3].shape().dims();
                    // Aligned at the last axis; those of extent 1 repeat.
                    let place: Vec<usize> = [h, i, j][3 - dims.len()..]
                        .iter()
                        .zip(dims)
                        .map(|(&at, &extent)| if extent == 1 { 0 } else { at })
                        .collect();
                    let mask = x[3].at(&place);
                    if is_truth { (mask != 0.0).then_some(score) } else { Some(score + mask) }
                })
            },
        )
        .with("[mask]");
        let sample = Sample::new(function, operands(heads, [3, 5]).into_iter().chain([mask]));
        let some = Domain::Values(&[1.0, 0.0, 1.0, 1.0, 0.0]);
        bounded(if is_truth { sample.operand(3, some) } else { sample })
    };
    // Of three queries, the second sees no key; of five keys, no query sees the fourth.
    let blind = |values: &'static [f64], dtype| {
        let sample = with_mask(of(&[3, 5], dtype), [2, 2]).operand(3, Domain::Values(values));
        sample.named("a query sees nothing")
    };
    let dropped = Function::new(
        "attention",
        |x| x[0].attention(x[1], x[2], AttentionOptions { dropout: 1.0, ..Default::default() }),
        |x| Array64::from_fn(Meta::new([1, 3, 3], x[0].meta.dtype), |_| 0.0),
    );
    let padding = Function::new(
        "key_padding",
        |x| x[0].key_padding(5),
        |x| {
            Array64::from_fn(Meta::new([4, 1, 1, 5], DType::Bool), |c| {
                f64::from(u8::from((c[3] as f64) < x[0].data[c[0]]))
            })
        },
    );
    vec![
        plain(false, None, 3, 5),
        plain(true, None, 5, 5).named("causal"),
        plain(true, None, 4, 6).named("causal"),
        plain(false, Some(1.5), 3, 5).named("scale"),
        Sample::new(dropped, operands([1, 1], [3, 5]))
            .bound(Bound::Exact, "zeros")
            .named("everything dropped"),
        with_mask(of(&[3, 5], DType::Bool), [2, 2]).named("truth"),
        with_mask(of(&[5], DType::Bool), [2, 1]).named("truth of keys, shared heads"),
        with_mask(of(&[2, 1, 5], DType::F32), [2, 2]).named("numbers"),
        with_mask(of(&[4, 1, 5], DType::F32), [4, 2]).named("numbers, shared heads"),
        blind(&[1., 0., 1., 0., 1., 0., 0., 0., 0., 0., 0., 1., 1., 0., 0.], DType::Bool),
        blind(&[0.5, N, -1., N, 0., N, N, N, N, N, N, 1., -0.25, N, N], DType::F32)
            .without_gradient(),
        Sample::new(padding, [of(&[4], DType::U32)])
            .operand(0, Domain::Values(&[0.0, 5.0, 2.0, 7.0]))
            .bound(Bound::Exact, "comparisons")
            .without_gradient(),
    ]
}
