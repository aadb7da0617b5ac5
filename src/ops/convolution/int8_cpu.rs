//! Convolution of bytes on the CPU: the windows of some positions are gathered as rows of a
//! product, a few at a time, so that they stay in cache.

use super::Problem;
use crate::gemm::int8::{Rows, products, widen};

/// Number of 16-bit integers gathered at once: 64 KiB.
const PANEL: usize = 1 << 15;

/// Computes the sums of all outputs at some positions, starting at `start`; `x` is
/// `[batch, ..spatial, groups words]`, `w` `[groups outputs, ..window, words]`, and the problem
/// counts inputs in words.
pub(crate) fn convolution(problem: &Problem, [x, w]: [&[u32]; 2], start: usize, out: &mut [u32]) {
    let (outputs, terms) = (problem.outputs, problem.terms());
    let channels = problem.groups * outputs;
    if channels == 0 {
        return;
    }
    let step = (PANEL / (4 * terms).max(1)).clamp(4, 256);
    for (block, out) in out.chunks_mut(step * channels).enumerate() {
        let (first, count) = (start + block * step, out.len() / channels);
        for group in 0..problem.groups {
            let mut seen = Rows::zeros(count, terms);
            pulp::Arch::new().dispatch(|| {
                for row in 0..count {
                    window(problem, x, first + row, group, seen.row_mut(row));
                }
            });
            let w = &w[group * outputs * terms..(group + 1) * outputs * terms];
            products(&seen, (w, terms, outputs), &mut out[group * outputs..], channels);
        }
    }
}

/// Gathers the window of a group at a position, counted over all images; the rest is 0.
#[inline(always)]
fn window(problem: &Problem, x: &[u32], position: usize, group: usize, row: &mut [i16]) {
    let Problem { groups, inputs: words, axes: [depth, height, width], .. } = *problem;
    let (image, within) = (position / problem.positions(), position % problem.positions());
    let at =
        [within / (height.out * width.out), within / width.out % height.out, within % width.out];
    for plane in 0..depth.window {
        let Some(z) = depth.source(at[0], plane) else { continue };
        for line in 0..height.window {
            let Some(y) = height.source(at[1], line) else { continue };
            let pixels = ((image * depth.extent + z) * height.extent + y) * width.extent;
            let tap = (plane * height.window + line) * width.window;
            let mut copy = |column: usize, x_column: usize, count: usize| {
                let from = ((pixels + x_column) * groups + group) * words;
                let to = 4 * words * (tap + column);
                widen(&x[from..from + count * words], &mut row[to..]);
            };
            if groups == 1 && width.dilation == 1 {
                // Neighboring taps read neighboring words.
                let first = width.low.saturating_sub(at[2] * width.stride);
                if let Some(x_column) = width.source(at[2], first).filter(|_| first < width.window)
                {
                    copy(first, x_column, (width.window - first).min(width.extent - x_column));
                }
                continue;
            }
            for column in 0..width.window {
                if let Some(x_column) = width.source(at[2], column) {
                    copy(column, x_column, 1);
                }
            }
        }
    }
}
