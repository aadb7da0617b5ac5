//! Scaled dot-product attention. The kernel never stores the matrix of all scores.

mod cpu;
mod extents;
mod forward;
mod grad;
mod log_sum_exp;
mod samples;

pub use grad::AttentionGrad;
pub use log_sum_exp::AttentionLogSumExp;

use super::*;
use super::{
    full::constant,
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold},
    random::{Draw, Random, RandomFn},
};
use crate::dtype::DType;
use extents::{Extents, matrix, outer};

/// `softmax(q k^T scale) v` from `(q, k, v, mask, draw)`, for each head.
///
/// Queries are `[.., heads, t, d]`, keys `[.., shared, s, d]`, values `[.., shared, s, e]`; each of
/// the `shared` heads is used by `heads / shared` heads of queries. A mask is broadcast to
/// `[.., heads, t, s]`: booleans hide scores where they are false, numbers are added to them.
/// `draw`, `[.., heads, 4]`, is the state of the random numbers. Without mask or dropout, any
/// tensor may be passed instead, and is not read. Queries, keys and values may be f16; a mask of
/// numbers is f32 even then.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Whether a query sees the keys up to its own position only.
    pub(crate) causal: bool,
    /// Factor of the scores, `1 / sqrt d` by default.
    pub(crate) scale: Option<f64>,
    /// Whether there is a mask.
    pub(crate) masked: bool,
    /// Dropout of weights.
    pub(crate) dropped: Option<Dropped>,
}

/// Dropout of weights at random; the others are scaled to keep the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dropped {
    /// Share of dropped weights, below 1.
    pub share: f64,
    /// The graph's stream of random numbers to draw from.
    pub stream: u32,
}

/// The widest vectors that the kernels hold in registers.
const WIDEST: usize = 128;

/// Queries per workgroup, as in the shaders.
const ROWS: usize = 32;

impl Attention {
    /// Whether the operation supports these operands: the composed form handles other broadcasts
    /// and reports errors.
    pub(crate) fn fits(&self, operands: [Tensor<'_>; 5]) -> bool {
        if operands.iter().any(|operand| operand.failed()) {
            return false;
        }
        let metas = operands.map(|operand| operand.meta());
        self.extents(metas.each_ref()).is_ok()
    }

    fn scale_of(&self, width: usize) -> f64 {
        self.scale.unwrap_or_else(|| (width.max(1) as f64).sqrt().recip())
    }

    /// Multiplies by the scale.
    #[track_caller]
    fn scaled<'g>(&self, x: Tensor<'g>, width: usize) -> Tensor<'g> {
        x * constant(x, self.scale_of(width))
    }

    /// The scores of all keys for all queries; hidden ones are negative infinity.
    #[track_caller]
    pub(crate) fn scores<'g>(
        &self,
        q: Tensor<'g>,
        k: Tensor<'g>,
        mask: Option<Tensor<'g>>,
    ) -> Tensor<'g> {
        let k = serving(k, q);
        let scores = self.scaled(q, q.dim(-1)).matmul(k.swap_axes(-1, -2));
        let hidden = scores.full_like(f64::NEG_INFINITY);
        let scores = match mask {
            Some(mask) if mask.failed() || mask.dtype() == DType::Bool => {
                mask.broadcast_to(scores.shape()).select(scores, hidden)
            }
            Some(mask) => {
                let mask = mask.broadcast_to(scores.shape());
                // Also if the score is NaN.
                mask.equal(f64::NEG_INFINITY).select(hidden, scores + mask)
            }
            None => scores,
        };
        if !self.causal {
            return scores;
        }
        let row = q.graph.iota(scores.shape(), -2, DType::U32);
        let column = q.graph.iota(scores.shape(), -1, DType::U32);
        column.less_equal(row).select(scores, hidden)
    }

    /// The weights of all keys for all queries, before any is dropped: those of a query that sees no
    /// key are 0, and have no derivative.
    #[track_caller]
    pub(crate) fn weights<'g>(
        &self,
        q: Tensor<'g>,
        k: Tensor<'g>,
        mask: Option<Tensor<'g>>,
    ) -> Tensor<'g> {
        let scores = self.scores(q, k, mask);
        let Some(is_blind) = is_blind(scores) else { return scores.softmax(-1) };
        // The branch that is not taken is finite, or its derivative of 0 becomes NaN.
        is_blind.select(0.0, is_blind.select(0.0, scores).softmax(-1))
    }

    /// Multiplies `x`, of the shape of the scores, by 0 where weights are dropped, and by the
    /// factor that keeps the mean elsewhere.
    #[track_caller]
    pub(crate) fn kept<'g>(&self, x: Tensor<'g>, draw: Tensor<'g>) -> Tensor<'g> {
        let Some(Dropped { share, stream }) = self.dropped else { return x };
        let (t, s) = (x.dim(-2), x.dim(-1));
        let word = |k: usize| draw.slice(-1, k..k + 1).unsqueeze(-1).broadcast_to(x.shape());
        let within = x.graph.iota([t * s], 0, DType::U32).reshape([t, s]).broadcast_to(x.shape());
        let operands = [word(0), word(1), word(2), word(3) + within];
        let draw = Draw { function: RandomFn::Uniform, stream };
        let numbers = x.graph.push(Random(draw), &operands);
        let keep = numbers.greater_equal(numbers.full_like(share));
        keep.select(x * (1.0 / (1.0 - share)), x.full_like(0.0))
    }

    /// The mask, if there is one.
    fn mask<'g>(&self, operand: Tensor<'g>) -> Option<Tensor<'g>> {
        self.masked.then_some(operand)
    }
}

/// Keys or values, repeated to one head per head of queries.
#[track_caller]
pub(crate) fn serving<'g>(x: Tensor<'g>, q: Tensor<'g>) -> Tensor<'g> {
    if x.rank() < 3 || x.rank() != q.rank() {
        return x;
    }
    match (q.dim(-3), x.dim(-3)) {
        (heads, shared) if shared > 1 && heads > shared && heads % shared == 0 => {
            x.repeat_interleave(heads / shared, -3)
        }
        _ => x,
    }
}

/// Whether a query sees no key, `[.., t, 1]`: all its scores are negative infinity. `None` if there
/// are no keys at all, and so no scores.
#[track_caller]
pub(crate) fn is_blind(scores: Tensor<'_>) -> Option<Tensor<'_>> {
    let any = scores.failed() || scores.dim(-1) > 0;
    any.then(|| scores.detach().amax_keepdims(-1).equal(f64::NEG_INFINITY))
}

/// The weights with these scores, given the logarithms of the sums of their exponentials: negative
/// infinity where a query sees no key.
#[track_caller]
fn weights_from<'g>(scores: Tensor<'g>, logs: Tensor<'g>) -> Tensor<'g> {
    let is_blind = logs.equal(f64::NEG_INFINITY);
    let away = scores - is_blind.select(0.0, logs);
    is_blind.select(f64::NEG_INFINITY, away).exp()
}

/// The sum along broadcast axes, so that it has the shape of `like`.
fn sum_to<'g>(x: Tensor<'g>, like: Tensor<'g>) -> Tensor<'g> {
    let (own, all) = (like.shape(), x.shape());
    let pairs = own.dims().iter().zip(all.dims()).enumerate();
    let axes: Vec<i32> =
        pairs.filter(|(_, (own, all))| own != all).map(|(axis, _)| axis as i32).collect();
    if axes.is_empty() { x } else { x.sum_keepdims(axes.as_slice()) }
}

impl std::fmt::Display for Attention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attention{}", self.attributes())
    }
}

impl Attention {
    /// The options that are not default: `[causal, masked]`.
    fn attributes(&self) -> String {
        let causal = self.causal.then(|| "causal".to_owned());
        let masked = self.masked.then(|| "masked".to_owned());
        let scale = self.scale.map(|scale| format!("scale {scale}"));
        let dropped = self
            .dropped
            .map(|Dropped { share, stream }| format!("dropped {share}, stream {stream}"));
        let parts: Vec<String> = [causal, masked, scale, dropped].into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!("[{}]", parts.join(", ")) }
    }
}

/// Unpacks five operands.
fn five<T: Copy>(operands: &[T]) -> [T; 5] {
    let [q, k, v, mask, draw] = *operands else { unreachable!("attention has five operands") };
    [q, k, v, mask, draw]
}

impl composite::Composite for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [q, ..] = operands else { unreachable!("attention has five operands") };
        let extents = self.extents(five(&operands.iter().collect::<Vec<_>>()))?;
        Ok(Meta::new([outer(q), &[extents.t, extents.e]].concat(), q.dtype))
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Option<Vec<Option<Tensor<'g>>>> {
        let [q, k, v, mask, draw] = five(operands);
        // The kernel that computed the result has it too.
        let logs = ct.graph.push(AttentionLogSumExp(self.clone()), operands).unsqueeze(-1);
        let [q32, k32, v32, y, ct] = [q, k, v, y, ct].map(|x| x.cast(DType::F32));
        let along = (ct * y).sum_keepdims(-1);
        let rows = ct.graph.concat(&[ct, logs, along], -1);
        let mut all: Vec<Option<Tensor>> = grad::By::ALL
            .map(|by| {
                let grad = AttentionGrad { of: self.clone(), by };
                Some(ct.graph.push(grad, &[q, k, v, rows, mask, draw]))
            })
            .into();
        // The gradient of an additive mask has the size of the scores.
        let of_mask = self.mask(mask).filter(|mask| mask.dtype().is_float()).map(|mask| {
            let weights = weights_from(self.scores(q32, k32, Some(mask)), logs);
            let slopes = ct.matmul(serving(v32, q32).swap_axes(-1, -2));
            let slopes = self.kept(slopes, draw);
            // Not computed from the result, which may have been rounded to f16.
            let along = (weights * slopes).sum_keepdims(-1);
            sum_to(weights * (slopes - along), mask)
        });
        all.extend([of_mask, None]);
        Some(all)
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [q, k, v, mask, draw] = five(operands);
        let dtype = q.dtype();
        let [q, k, v] = [q, k, v].map(|x| x.cast(DType::F32));
        let weights = self.weights(q, k, self.mask(mask));
        self.kept(weights, draw).matmul(serving(v, q)).cast(dtype)
    }

    fn has_kernel(&self, operands: &[&Meta], result: &Meta) -> bool {
        let extents = self.extents(five(operands));
        extents.is_ok_and(|extents| extents.is_served(result.dtype))
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        forward::kernel(self, operands, forward::OUTPUT)
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        match self.extents(five(operands)) {
            Ok(extents) => Cost {
                flops: extents.product(extents.d) + extents.product(extents.e) + extents.product(3),
                ..moved
            },
            Err(_) => moved,
        }
    }

    fn samples() -> Vec<Sample> {
        samples::attention()
    }
}
