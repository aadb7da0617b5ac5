//! Steps of recurrent networks after their matrix products, and their derivatives.

mod gru;
mod lstm;

pub use gru::{GruCell, GruCellGrad};
pub use lstm::{LstmCell, LstmCellGrad};

use super::{
    contract::Bound,
    kernel::{CpuKernel, Kernel, Shader, ShaderFile},
    probe::Probe,
    rows::{EXP_WORK, Rows},
};
use crate::{
    error::OpError,
    graph::Tensor,
    shape::{Meta, Shape},
};

/// The shape of a cell, if the pre-activations have `count` gates for each of its elements.
fn infer_state(gates: &Meta, state: &Meta, count: usize) -> Result<Shape, OpError> {
    for meta in [gates, state] {
        if !meta.dtype.is_float() {
            return Err(OpError::DType(meta.dtype));
        }
    }
    if gates.dtype != state.dtype {
        return Err(OpError::DTypes);
    }
    let (Some((all, outer)), Some((&width, _))) =
        (gates.shape.dims().split_last(), state.shape.dims().split_last())
    else {
        return Err(OpError::Rank { least: 1 });
    };
    let rhs = count.saturating_mul(width);
    if *all != rhs {
        return Err(OpError::Extents {
            what: "actual and expected extents of the gates",
            lhs: *all,
            rhs,
        });
    }
    match [outer, &[width]].concat() {
        expected if expected == state.shape.dims() => Ok(state.shape.clone()),
        expected => Err(OpError::Target(expected.into())),
    }
}

/// Splits the last axis into equal parts.
fn parts<'g, const N: usize>(x: Tensor<'g>) -> [Tensor<'g>; N] {
    let width = x.dim(-1) / N;
    std::array::from_fn(|k| x.slice(-1, k * width..(k + 1) * width))
}

/// The rows of a state, each as long as its last axis.
fn rows_of(state: &Meta) -> Rows {
    let cols = state.shape.dims().last().copied().unwrap_or(1);
    let rows = state.shape.len().checked_div(cols).unwrap_or(0);
    Rows { rows: rows as u32, cols: cols as u32 }
}

/// The kernel of a derivative: an invocation computes `each` results of one element of a state.
fn kernel(
    file: ShaderFile,
    by: u32,
    rows: Rows,
    each: usize,
    compute: impl Fn(&[&[u32]], usize, &mut [u32]) + Send + Sync + 'static,
    probe: Probe,
) -> Kernel {
    let elements = rows.rows as usize * rows.cols as usize;
    let shader =
        Shader::of(file, rows.params(), elements.div_ceil(256)).with_override("BY", f64::from(by));
    let granule = (each * rows.cols as usize).max(1);
    // A handful of exponentials per element, shared by its results.
    let work = 4 * EXP_WORK / each;
    let cpu = CpuKernel::new(granule, work, compute);
    Kernel::new(vec![shader], cpu, probe)
}

/// Error bound of the derivative, and its justification.
fn accuracy() -> (Bound, &'static str) {
    (Bound::Abs(2e-6), "a dozen rounded operations on values below 2")
}

/// The gates of a row, each of `h` elements.
#[inline(always)]
fn slices<const N: usize>(gates: &[f32], h: usize) -> [&[f32]; N] {
    std::array::from_fn(|k| &gates[k * h..(k + 1) * h])
}
