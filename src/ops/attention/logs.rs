//! Logarithms of the softmax denominators of attention.

use super::*;
use crate::ops::kernel::shader_file;

/// `ln sum exp(q k^T scale)` from `(q, k, mask)`, for each query: lets the derivatives of
/// [`Attention`] recompute its weights without storing their matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionLogs(pub(crate) Attention);

impl AttentionLogs {
    fn extents(&self, operands: &[&Meta]) -> Result<Extents, OpError> {
        let [q, k, mask] = operands else { unreachable!("three operands") };
        self.0.extents([q, k, k, mask, mask])
    }
}

impl std::fmt::Display for AttentionLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attention_logs{}", self.0.attributes())
    }
}

impl composite::Composite for AttentionLogs {
    fn name(&self) -> &'static str {
        "attention_logs"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let extents = self.extents(&operands.iter().collect::<Vec<_>>())?;
        Ok(Meta::new([outer(&operands[0]), &[extents.t]].concat(), DType::F32))
    }

    fn expand<'g>(&self, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let &[q, k, mask] = operands else { unreachable!("three operands") };
        let [q, k] = [q, k].map(|x| x.cast(DType::F32));
        self.0.scores(q, k, self.0.mask(mask)).log_sum_exp(-1)
    }

    fn has_kernel(&self, operands: &[&Meta], result: &Meta) -> bool {
        let extents = self.extents(operands);
        extents.is_ok_and(|extents| extents.is_served(result.dtype))
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let extents = self.extents(operands).ok()?;
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            cpu::logs(extents, operands, start, bytemuck::cast_slice_mut(out));
        };
        let cpu = CpuKernel {
            granule: extents.t,
            work: extents.s * (2 * extents.d + rows::EXP_WORK),
            compute: Arc::new(compute),
        };
        let file = shader_file!("attention/attention_logs", ["attention", "exp", "log"]);
        let shader = extents.shader(file, extents.heads, extents.t);
        let mut probe = Probe::new(self.clone(), operands, samples::accuracy(extents.s).0);
        for (axis, axes) in extents.parts(operands, 2) {
            probe = probe.along_axes(axis, axes);
        }
        let rows = operands[0].shape.rank() - 2;
        if extents.is_anywhere() {
            probe = probe.along(rows, [Some(rows), None, extents.mask_rows(operands[2])]);
        }
        Some(Kernel::new(vec![shader], cpu, probe))
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let moved = Cost::moved(operands, result);
        match self.extents(operands) {
            Ok(extents) => Cost { flops: extents.product(extents.d + 2), ..moved },
            Err(_) => moved,
        }
    }

    fn samples() -> Vec<Sample> {
        samples::logs()
    }
}
