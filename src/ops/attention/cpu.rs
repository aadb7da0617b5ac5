//! Attention on the CPU: the scores of a block of queries at a time, by products of matrices.

use super::{
    Extents,
    grad::By,
    softmax::{exp_sum, exponentials, row_max, row_sum},
};
use crate::cpu::gemm::{Matrix, product_into};

/// Queries whose scores are held at once.
const BLOCK: usize = 128;

/// Whole heads of operands.
fn head(operand: &[u32], head: usize, len: usize) -> &[f32] {
    bytemuck::cast_slice(&operand[head * len..(head + 1) * len])
}

/// Rows that follow one another in memory.
fn rows(data: &[f32], width: usize) -> Matrix<'_> {
    Matrix { data, strides: [width, 1] }
}

/// The same as columns.
fn columns(data: &[f32], width: usize) -> Matrix<'_> {
    Matrix { data, strides: [1, width] }
}

/// Some queries of a head, and the scores of the keys they see.
struct Block {
    /// The first query, and how many.
    first: usize,
    count: usize,
    /// Keys that any of them sees.
    seen: usize,
    /// `[count, seen]`
    scores: Vec<f32>,
}

impl Block {
    /// The blocks of a head.
    fn all<'a>(x: Extents, q: &'a [f32], k: &'a [f32]) -> impl Iterator<Item = Block> + 'a {
        (0..x.t).step_by(BLOCK).map(move |first| {
            let count = BLOCK.min(x.t - first);
            let seen = if x.causal { x.s.min(first + count) } else { x.s };
            let mut scores = vec![0.0; count * seen];
            let q = rows(&q[first * x.d..], x.d);
            product_into([count, seen, x.d], q, columns(k, x.d), &mut scores, seen, false);
            let scale = x.scale();
            scores.iter_mut().for_each(|score| *score *= scale);
            Block { first, count, seen, scores }
        })
    }

    /// Each query, the scores it sees, and those it does not.
    fn rows(&mut self, x: Extents) -> impl Iterator<Item = (usize, &mut [f32], &mut [f32])> {
        let (first, seen) = (self.first, self.seen);
        self.scores.chunks_exact_mut(seen).enumerate().map(move |(row, scores)| {
            let own = if x.causal { seen.min(first + row + 1) } else { seen };
            let (own, hidden) = scores.split_at_mut(own);
            (first + row, own, hidden)
        })
    }
}

/// `out` are the results of some heads.
pub(super) fn attention(x: Extents, operands: &[&[u32]], start: usize, out: &mut [f32]) {
    let len = x.t * x.e;
    let mut scratch = vec![0.0; x.s];
    for (index, out) in (start / len..).zip(out.chunks_exact_mut(len)) {
        let (q, k) = (head(operands[0], index, x.t * x.d), head(operands[1], index, x.s * x.d));
        let v = head(operands[2], index, x.s * x.e);
        for mut block in Block::all(x, q, k) {
            for (_, own, hidden) in block.rows(x) {
                let exps = &mut scratch[..own.len()];
                exponentials(own, row_max(own), exps);
                let sum = row_sum(exps);
                own.iter_mut().zip(exps).for_each(|(weight, exp)| *weight = *exp / sum);
                hidden.fill(0.0);
            }
            let Block { first, count, seen, scores } = &block;
            let weights = rows(scores, *seen);
            let out = &mut out[first * x.e..(first + count) * x.e];
            product_into([*count, x.e, *seen], weights, rows(v, x.e), out, x.e, false);
        }
    }
}

/// `out` are the logarithms of some heads.
pub(super) fn logs(x: Extents, operands: &[&[u32]], start: usize, out: &mut [f32]) {
    for (index, out) in (start / x.t..).zip(out.chunks_exact_mut(x.t)) {
        let (q, k) = (head(operands[0], index, x.t * x.d), head(operands[1], index, x.s * x.d));
        for mut block in Block::all(x, q, k) {
            for (query, own, _) in block.rows(x) {
                let max = row_max(own);
                out[query] = max + crate::ops::math::log(exp_sum(own, max));
            }
        }
    }
}

/// `out` are the derivatives of some heads.
pub(super) fn gradient(x: Extents, by: By, operands: &[&[u32]], start: usize, out: &mut [f32]) {
    let len = match by {
        By::Queries => x.t * x.d,
        By::Keys => x.s * x.d,
        By::Values => x.s * x.e,
    };
    let mut scratch = vec![0.0; x.s];
    for (index, out) in (start / len..).zip(out.chunks_exact_mut(len)) {
        let (q, k) = (head(operands[0], index, x.t * x.d), head(operands[1], index, x.s * x.d));
        let v = head(operands[2], index, x.s * x.e);
        let (logs, along) = (head(operands[3], index, x.t), head(operands[5], index, x.t));
        let ct = head(operands[4], index, x.t * x.e);
        out.fill(0.0);
        for mut block in Block::all(x, q, k) {
            let (first, count, seen) = (block.first, block.count, block.seen);
            let ct = &ct[first * x.e..];
            let mut steep = vec![0.0; if by == By::Values { 0 } else { count * seen }];
            if by != By::Values {
                let (ct, v) = (rows(ct, x.e), columns(v, x.e));
                product_into([count, seen, x.e], ct, v, &mut steep, seen, false);
            }
            for (query, own, hidden) in block.rows(x) {
                let exps = &mut scratch[..own.len()];
                exponentials(own, logs[query], exps);
                match by {
                    By::Values => own.copy_from_slice(exps),
                    _ => {
                        let steep = &steep[(query - first) * seen..];
                        for ((weight, exp), steep) in own.iter_mut().zip(exps).zip(steep) {
                            *weight = *exp * (steep - along[query]) * x.scale();
                        }
                    }
                }
                hidden.fill(0.0);
            }
            let weights = &block.scores;
            match by {
                By::Queries => {
                    let out = &mut out[first * x.d..(first + count) * x.d];
                    let (a, b) = (rows(weights, seen), rows(k, x.d));
                    product_into([count, x.d, seen], a, b, out, x.d, false);
                }
                By::Keys => {
                    let (a, b) = (columns(weights, seen), rows(&q[first * x.d..], x.d));
                    product_into([seen, x.d, count], a, b, out, x.d, true);
                }
                By::Values => {
                    let (a, b) = (columns(weights, seen), rows(ct, x.e));
                    product_into([seen, x.e, count], a, b, out, x.e, true);
                }
            }
        }
    }
}
