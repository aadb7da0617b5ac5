//! The derivatives of attention.

use super::*;
use crate::ops::kernel::shader_file;

/// The derivative of [`Attention`] w.r.t. one of its operands, from `(q, k, v, rows, mask, draw)`.
/// For each query, `rows`, `[.., heads, t, e + 2]`, holds the cotangent, the
/// [`AttentionLogSumExp`], and `along`, the sum of the cotangent times the result, all f32.
///
/// With the weights `p = exp(q k^T scale + mask - logs)`, the dropout factors `m`, and
/// `s = p (m ct v^T - along) scale`: `s k` w.r.t. the queries, `s^T q` w.r.t. the keys,
/// `(m p)^T ct` w.r.t. the values.
///
/// # Source
///
/// Dao et al. 2022, "FlashAttention", arXiv:2205.14135, appendix B.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionGrad {
    pub(crate) of: Attention,
    pub(crate) by: By,
}

/// The operand to differentiate with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Queries,
    Keys,
    Values,
}

impl By {
    pub const ALL: [By; 3] = [By::Queries, By::Keys, By::Values];

    /// Index of that operand.
    fn operand(self) -> usize {
        self as usize
    }
}

/// Queries, keys, values, rows, mask and random draw.
fn six<T: Copy>(operands: &[T]) -> [T; 6] {
    let [q, k, v, rows, mask, draw] = *operands else { unreachable!("six operands") };
    [q, k, v, rows, mask, draw]
}

impl AttentionGrad {
    fn extents(&self, operands: &[&Meta]) -> Result<Extents, OpError> {
        let [q, k, v, rows, mask, draw] = six(operands);
        let extents = self.of.extents([q, k, v, mask, draw])?;
        let expected = Meta::new([outer(q), &[extents.t, extents.e + 2]].concat(), DType::F32);
        if *rows == expected { Ok(extents) } else { Err(OpError::Target(expected.shape)) }
    }
}

/// The sum over the heads of queries that share a head of `like`.
fn gathered<'g>(x: Tensor<'g>, like: Tensor<'g>) -> Tensor<'g> {
    let (all, own) = (x.shape(), like.shape());
    if all == own {
        return x;
    }
    let (head, matrix) = (own.rank() - 3, &own.dims()[own.rank() - 2..]);
    let group = all.dims()[head] / own.dims()[head].max(1);
    let apart = [&own.dims()[..=head], &[group], matrix].concat();
    x.reshape(apart).sum(-3)
}

impl std::fmt::Display for AttentionGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name(), self.of.attributes())
    }
}

impl composite::Composite for AttentionGrad {
    fn name(&self) -> &'static str {
        match self.by {
            By::Queries => "attention_query_grad",
            By::Keys => "attention_key_grad",
            By::Values => "attention_value_grad",
        }
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        self.extents(&operands.iter().collect::<Vec<_>>())?;
        Ok(operands[self.by.operand()].clone())
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [q, k, v, rows, mask, draw] = six(operands);
        let dtype = q.dtype();
        let [q, k, v] = [q, k, v].map(|x| x.cast(DType::F32));
        let e = v.dim(-1);
        let part = |range| rows.slice(-1, range);
        let (ct, logs, along) = (part(0..e), part(e..e + 1), part(e + 1..e + 2));
        let weights = weights_from(self.of.scores(q, k, self.of.mask(mask)), logs);
        if self.by == By::Values {
            let weights = self.of.kept(weights, draw);
            return gathered(weights.swap_axes(-1, -2).matmul(ct), v).cast(dtype);
        }
        let slopes = self.of.kept(ct.matmul(serving(v, q).swap_axes(-1, -2)), draw);
        let steep = self.of.scaled(weights * (slopes - along), q.dim(-1));
        let steep = logs.equal(f64::NEG_INFINITY).select(0.0, steep);
        let grad = match self.by {
            By::Queries => steep.matmul(serving(k, q)),
            _ => gathered(steep.swap_axes(-1, -2).matmul(q), k),
        };
        grad.cast(dtype)
    }

    fn has_kernel(&self, operands: &[&Meta], result: &Meta) -> bool {
        let extents = self.extents(operands);
        extents.is_ok_and(|extents| extents.is_served(result.dtype))
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let extents = self.extents(operands).ok()?;
        let by = self.by;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            cpu::gradient(extents, by, operands, start, bytemuck::cast_slice_mut(out));
        };
        let [rows, width] = matrix(result).unwrap_or_default();
        let others = extents.t + extents.s - rows;
        // Keys and values sum over the queries of all heads that share them.
        let (heads, terms) = match by {
            By::Queries => (extents.heads, others),
            By::Keys | By::Values => (extents.heads / extents.group, others * extents.group),
        };
        let cpu = CpuKernel::new(rows * width, 6 * terms + terms * rows::EXP_WORK / width, compute);
        let file = shader_file!("attention/attention_grad", ["attention", "exp"]);
        let shader = extents.shader(file, heads, rows);
        let shader = shader.with_override("BY", by.operand() as f64);
        let mut probe = Probe::new(self.clone(), operands, samples::grad_accuracy(terms).0)
            .operand(3, samples::ROWS_OF_QUERIES)
            .finite_if(extents.causal);
        for (axis, axes) in extents.parts(operands, 4) {
            probe = probe.along_axes(axis, axes);
        }
        let axis = result.shape.rank() - 2;
        let row = Some(axis);
        let probe = match by {
            _ if !extents.is_anywhere() => probe,
            By::Queries => {
                probe.along(axis, [row, None, None, row, extents.mask_rows(operands[4]), None])
            }
            By::Keys | By::Values => {
                probe.along(axis, [None, row, row, None, extents.mask_keys(operands[4]), None])
            }
        };
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        let Ok(extents) = self.extents(operands) else { return moved };
        let products = match self.by {
            By::Queries | By::Keys => 2 * extents.d + extents.e,
            By::Values => extents.d + extents.e,
        };
        Cost { flops: extents.product(products + 3), ..moved }
    }

    fn samples() -> Vec<Sample> {
        samples::grad()
    }
}
