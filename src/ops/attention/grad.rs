//! The derivatives of attention.

use super::*;

/// The derivative of [`Attention`] by one of its operands, of `(q, k, v, logs, ct, along)`: `logs` are
/// those of [`AttentionLogs`], and `along` the sums of `ct y` of each query, both f32.
///
/// With the weights `p = exp(q k^T / sqrt d - logs)` and `s = p (ct v^T - along) / sqrt d`: `s k` by the
/// queries, `s^T q` by the keys, `p^T ct` by the values.
///
/// # Source
///
/// Dao et al. 2022, "FlashAttention", arXiv:2205.14135, appendix B.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionGrad {
    pub(crate) of: Attention,
    pub(crate) by: By,
}

/// By what is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Queries,
    Keys,
    Values,
}

impl By {
    pub const ALL: [By; 3] = [By::Queries, By::Keys, By::Values];

    /// Its operand.
    fn operand(self) -> usize {
        self as usize
    }
}

impl AttentionGrad {
    fn extents(&self, operands: &[&Meta]) -> Result<Extents, OpError> {
        let extents = self.of.extents(operands[0], operands[1], operands[2])?;
        let of = |width: &[usize], dtype| {
            Meta::new([outer(operands[0]), &[extents.t], width].concat(), dtype)
        };
        let row = of(&[], DType::F32);
        let expected = [row.clone(), of(&[extents.e], operands[0].dtype), row];
        for (operand, expected) in operands[3..].iter().zip(&expected) {
            if *operand != expected {
                return Err(OpError::Target(expected.shape.clone()));
            }
        }
        Ok(extents)
    }
}

impl std::fmt::Display for AttentionGrad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name(), if self.of.causal { "[causal]" } else { "" })
    }
}

impl Operation for AttentionGrad {
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

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        crate::reference::expanded(&self.clone().into(), operands)
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        crate::autodiff::through_expansion(&self.clone().into(), operands, ct)
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        let wide: Vec<Tensor> = operands.iter().map(|x| x.cast(DType::F32)).collect();
        let &[q, k, v, logs, ct, along] = wide.as_slice() else { unreachable!("six operands") };
        let weights = (self.of.scores(q, k) - logs.unsqueeze(-1)).exp();
        if self.by == By::Values {
            return Some(weights.swap_axes(-1, -2).matmul(ct).cast(operands[0].dtype()));
        }
        let steep = weights * (ct.matmul(v.swap_axes(-1, -2)) - along.unsqueeze(-1));
        let steep = steep * constant(steep, (q.dim(-1).max(1) as f64).sqrt().recip());
        let grad = match self.by {
            By::Queries => steep.matmul(k),
            _ => steep.swap_axes(-1, -2).matmul(q),
        };
        Some(grad.cast(operands[0].dtype()))
    }

    fn lower(&self, operands: &[&Meta], result: &Meta) -> Lowering {
        let Ok(extents) = self.extents(operands) else { return Lowering::Expand };
        if !extents.is_served(result.dtype) {
            return Lowering::Expand;
        }
        let by = self.by;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            cpu::gradient(extents, by, operands, start, bytemuck::cast_slice_mut(out));
        };
        let [rows, width] = matrix(result).unwrap_or_default();
        let others = extents.t + extents.s - rows;
        let cpu = CpuKernel {
            granule: rows * width,
            work: 6 * others + others * softmax::EXP_WORK / width,
            compute: Arc::new(compute),
        };
        let source = include_str!("../../../shaders/attention_grad.wgsl");
        let mut shader = extents.shader(("attention_grad", source), rows);
        shader.overrides.push(("BY", by.operand() as f64));
        let heads = result.shape.rank() - 2;
        let probe = Probe::new(self.clone(), operands, samples::grad_accuracy(others).0)
            .operand(3, samples::LOGS)
            .along_all(0..heads);
        // A causal query or key knows by its position what it sees and who sees it.
        let row = Some(heads);
        let probe = match self.by {
            _ if self.of.causal => probe,
            By::Queries => probe.along(heads, [row, None, None, row, row, row]),
            By::Keys | By::Values => probe.along(heads, [None, row, row, None, None, None]),
        };
        Lowering::Kernel(Kernel::new(vec![shader], cpu, probe))
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
