//! Shared code of kernels that process matrices row by row.

use super::{
    kernel::{CpuKernel, Kernel, Shader, ShaderFile, fold},
    math,
    probe::Probe,
    reduce::ReduceFn,
};
use crate::ops::params::{Params, params};
use crate::{dtype::DType, shape::Meta};

/// The extents of a matrix that is processed row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub rows: u32,
    pub cols: u32,
}

impl Rows {
    /// The `Params` of the shaders with one workgroup per row.
    pub fn params(self) -> Params {
        params! { rows: self.rows, cols: self.cols }
    }

    /// The tensor as a matrix whose rows lie along the last axis that is not 1; `None` if `axis`
    /// is not that axis.
    pub fn along(x: &Meta, axis: usize) -> Option<Rows> {
        let (outer, inner) = x.shape.dims().split_at(axis);
        let cols = inner[0];
        let contiguous = inner[1..].iter().all(|&dim| dim == 1);
        // Without elements there are no rows to process.
        let rows = if cols == 0 { 0 } else { outer.iter().product::<usize>() };
        contiguous.then_some(Rows { rows: rows as u32, cols: cols as u32 })
    }

    /// Words `row * cols ..` of a matrix, as floats.
    pub fn row(self, x: &[u32], row: usize) -> &[f32] {
        let cols = self.cols as usize;
        bytemuck::cast_slice(&x[row * cols..(row + 1) * cols])
    }

    /// A kernel with one workgroup per row.
    pub fn kernel(
        self,
        file: ShaderFile,
        granule: usize,
        work: usize,
        compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
        probe: Probe,
    ) -> Kernel {
        let shader = Shader {
            file,
            overrides: vec![("WG_SIZE", f64::from(self.cols.next_power_of_two().clamp(32, 256)))],
            params: self.params(),
            workgroups: fold(self.rows as usize),
        };
        let cpu = CpuKernel::new(granule, work, compute);
        Kernel::new(vec![shader], cpu, probe)
    }
}

/// Approximate number of operations of an exponential.
pub(crate) const EXP_WORK: usize = 16;

/// Maximum of a row; NaN if there is one.
pub(crate) fn row_max(row: &[f32]) -> f32 {
    let least = ReduceFn::Max.identity(DType::F32);
    f32::from_bits(ReduceFn::Max.fold_words(DType::F32, least, bytemuck::cast_slice(row)))
}

/// `out[i] = exp(row[i] - max)`.
pub(crate) fn exponentials(row: &[f32], max: f32, out: &mut [f32]) {
    let out = bytemuck::cast_slice_mut(out);
    // By value: a reference would have to be reloaded after each store.
    math::floats1(&[bytemuck::cast_slice(row)], out, move |x| math::exp(x - max));
}

/// `sum exp(x - max)` of a row: in blocks, in the order of [`ReduceFn::fold_words`].
pub(crate) fn exp_sum(row: &[f32], max: f32) -> f32 {
    const BLOCK: usize = 512;
    let mut scratch = [0.0; BLOCK];
    let mut sum = 0.0;
    for block in row.chunks(BLOCK) {
        let terms = &mut scratch[..block.len()];
        exponentials(block, max, terms);
        sum += row_sum(terms);
    }
    sum
}

/// Sum of a row, in the order of [`ReduceFn::fold_words`].
pub(crate) fn row_sum(row: &[f32]) -> f32 {
    f32::from_bits(ReduceFn::Sum.fold_words(DType::F32, 0, bytemuck::cast_slice(row)))
}
