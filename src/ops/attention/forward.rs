//! The kernel of attention, which has two results: the output, and the log-sum-exp of the scores that
//! the derivatives need.

use super::*;
use crate::ops::kernel::shader_file;

/// The numbers of the results.
pub(super) const OUTPUT: usize = 0;
pub(super) const LOG_SUM_EXP: usize = 1;

/// The kernel of [`Attention`] and [`AttentionLogSumExp`], for one of its results.
pub(super) fn kernel(of: &Attention, operands: &[&Meta], result: usize) -> Option<Kernel> {
    let extents = of.extents(five(operands)).ok()?;
    let work = 4 * extents.s + extents.s * rows::EXP_WORK / extents.e;
    let granules = [extents.t * extents.e, extents.t];
    let cpu = CpuKernel::with_siblings(granules, work, move |operands, first, outs| {
        let [output, logs] = outs else { unreachable!("two results") };
        let outs = [output, logs].map(|out| bytemuck::cast_slice_mut(out));
        cpu::attention(extents, operands, first, outs);
    });
    let file = shader_file!("attention/attention", ["attention", "exp", "log", "mask", "nan"]);
    let shader = extents.shader(file, extents.heads, extents.t);
    let probe = |op: Op| {
        // Tiles of keys that are hidden from all of a tile's queries are left out.
        let mut probe =
            Probe::new(op, operands, samples::accuracy(extents.s).0).finite_if(extents.causal);
        for (axis, axes) in extents.parts(operands, 3) {
            probe = probe.along_axes(axis, axes);
        }
        let rows = operands[0].shape.rank() - 2;
        if extents.is_anywhere() {
            let of_mask = extents.mask_rows(operands[3]);
            probe = probe.along(rows, [Some(rows), None, None, of_mask, None]);
        }
        probe
    };
    let results = vec![
        ("output", probe(of.clone().into())),
        ("log_sum_exp", probe(AttentionLogSumExp(of.clone()).into())),
    ];
    Some(Kernel::with_siblings(vec![shader], cpu, results, result))
}
