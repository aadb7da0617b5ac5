//! The logarithm of the softmax denominators of attention.

use super::*;

/// `ln sum exp(q k^T scale)` over the keys that each query sees, from the operands of [`Attention`],
/// whose kernel computes it on the way: lets the derivatives recompute the weights without storing
/// their matrix. Values and dropout have no part in it. Negative infinity where a query sees no key.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionLogSumExp(pub(crate) Attention);

impl std::fmt::Display for AttentionLogSumExp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name(), self.0.attributes())
    }
}

impl composite::Composite for AttentionLogSumExp {
    fn name(&self) -> &'static str {
        "attention_log_sum_exp"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let extents = self.0.extents(five(&operands.iter().collect::<Vec<_>>()))?;
        Ok(Meta::new([outer(&operands[0]), &[extents.t]].concat(), DType::F32))
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let [q, k, _, mask, _] = five(operands);
        let [q, k] = [q, k].map(|x| x.cast(DType::F32));
        let scores = self.0.scores(q, k, self.0.mask(mask));
        let outer = &scores.shape().dims()[..scores.rank().saturating_sub(1)].to_vec();
        let Some(is_blind) = is_blind(scores) else {
            return scores.graph.full(outer.as_slice(), DType::F32, f64::NEG_INFINITY);
        };
        let some = is_blind.select(0.0, scores).log_sum_exp(-1);
        is_blind.squeeze(-1).select(f64::NEG_INFINITY, some)
    }

    fn has_kernel(&self, operands: &[&Meta], result: &Meta) -> bool {
        let extents = self.0.extents(five(operands));
        extents.is_ok_and(|extents| extents.is_served(result.dtype))
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        forward::kernel(&self.0, operands, forward::LOG_SUM_EXP)
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        match self.0.extents(five(operands)) {
            Ok(extents) => Cost { flops: extents.product(extents.d + 2), ..moved },
            Err(_) => moved,
        }
    }

    fn samples() -> Vec<Sample> {
        samples::log_sum_exp()
    }
}
