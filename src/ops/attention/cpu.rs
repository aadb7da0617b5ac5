//! Attention on the CPU: matrix products compute the scores of one block of queries at a time.

use super::{
    Dropped, Extents,
    extents::Masking,
    grad::By,
    rows::{exponentials, row_max, row_sum},
};
use crate::{
    gemm::{Matrix, product_into},
    ops::{
        math,
        random::{RandomFn, draw},
    },
};

/// Queries whose scores are held at once.
const BLOCK: usize = 128;

/// One whole head of an operand.
fn head(operand: &[u32], head: usize, len: usize) -> &[f32] {
    bytemuck::cast_slice(&operand[head * len..(head + 1) * len])
}

/// A matrix of consecutive rows.
fn rows(data: &[f32], width: usize) -> Matrix<'_> {
    Matrix { data, strides: [width, 1] }
}

/// The transpose of [`rows`].
fn columns(data: &[f32], width: usize) -> Matrix<'_> {
    Matrix { data, strides: [1, width] }
}

/// Adds the mask of a query to its scores; hidden ones become negative infinity.
fn hide(x: Extents, head: usize, query: usize, mask: &[u32], scores: &mut [f32]) {
    let (first, step) = x.mask_of(head, query);
    for (key, score) in scores.iter_mut().enumerate() {
        let word = mask[first + key * step];
        match x.masking {
            Masking::Numbers if f32::from_bits(word) != f32::NEG_INFINITY => {
                *score += f32::from_bits(word);
            }
            Masking::Numbers => *score = f32::NEG_INFINITY,
            _ if word == 0 => *score = f32::NEG_INFINITY,
            _ => {}
        }
    }
}

/// Replaces values that belong to the weights of a query by 0 where those are dropped, and multiplies
/// them by the factor that keeps the mean elsewhere.
fn keep(x: Extents, head: usize, query: usize, drawn: &[u32], weights: &mut [f32]) {
    let Some(Dropped { share, stream }) = x.dropped else { return };
    let (least, factor) = (share as f32, (1.0 / (1.0 - share)) as f32);
    let words = &drawn[4 * head..4 * head + 4];
    let first = words[3].wrapping_add((query * x.s) as u32);
    for (key, weight) in (0..).zip(weights) {
        let index = first.wrapping_add(key);
        let bits = draw(RandomFn::Uniform, [words[0], words[1]], words[2], stream, index);
        *weight = if f32::from_bits(bits) >= least { *weight * factor } else { 0.0 };
    }
}

/// Some queries of a head, and the scores of the keys they see.
struct Block {
    /// The first query, and the number of queries.
    first: usize,
    count: usize,
    /// Number of keys that any of them sees.
    seen: usize,
    /// `[count, seen]`
    scores: Vec<f32>,
}

impl Block {
    /// The blocks of a head of queries with the keys that it sees.
    fn all<'a>(
        x: Extents,
        number: usize,
        [q, k]: [&'a [f32]; 2],
        mask: &'a [u32],
    ) -> impl Iterator<Item = Block> + 'a {
        (0..x.t).step_by(BLOCK).map(move |first| {
            let count = BLOCK.min(x.t - first);
            let seen = if x.causal { x.s.min(first + count) } else { x.s };
            let mut scores = vec![0.0; count * seen];
            let q = rows(&q[first * x.d..], x.d);
            product_into([count, seen, x.d], q, columns(k, x.d), &mut scores, seen, false);
            scores.iter_mut().for_each(|score| *score *= x.scale);
            if x.masking != Masking::None {
                for (query, scores) in (first..).zip(scores.chunks_exact_mut(seen)) {
                    hide(x, number, query, mask, scores);
                }
            }
            Block { first, count, seen, scores }
        })
    }

    /// Each query, its visible scores, and its hidden ones.
    fn rows(&mut self, x: Extents) -> impl Iterator<Item = (usize, &mut [f32], &mut [f32])> {
        let (first, seen) = (self.first, self.seen);
        self.scores.chunks_exact_mut(seen).enumerate().map(move |(row, scores)| {
            let own = if x.causal { seen.min(first + row + 1) } else { seen };
            let (own, hidden) = scores.split_at_mut(own);
            (first + row, own, hidden)
        })
    }
}

/// Computes output and log-sum-exp of some heads, from head `first` on; nothing of the one that is
/// empty.
pub(super) fn attention(
    x: Extents,
    operands: &[&[u32]],
    first: usize,
    [output, logs]: [&mut [f32]; 2],
) {
    let mut scratch = vec![0.0; x.s];
    for number in 0..(output.len() / (x.t * x.e)).max(logs.len() / x.t) {
        let index = first + number;
        let q = head(operands[0], index, x.t * x.d);
        let k = head(operands[1], index / x.group, x.s * x.d);
        for mut block in Block::all(x, index, [q, k], operands[3]) {
            for (query, own, hidden) in block.rows(x) {
                let exps = &mut scratch[..own.len()];
                let max = row_max(own);
                exponentials(own, max, exps);
                let sum = row_sum(exps);
                if let Some(log) = logs.get_mut(number * x.t + query) {
                    // Where the largest is an infinity, it cannot be subtracted, and is the result.
                    *log = if max.is_infinite() { max } else { max + math::log(sum) };
                }
                if max == f32::NEG_INFINITY {
                    own.fill(0.0); // it sees no key
                } else {
                    own.iter_mut().zip(exps).for_each(|(weight, exp)| *weight = *exp / sum);
                    keep(x, index, query, operands[4], own);
                }
                hidden.fill(0.0);
            }
            let Block { first, count, seen, scores } = &block;
            let weights = rows(scores, *seen);
            let rows_of = |query: usize| (number * x.t + query) * x.e;
            if let Some(output) = output.get_mut(rows_of(*first)..rows_of(first + count)) {
                let v = head(operands[2], index / x.group, x.s * x.e);
                product_into([*count, x.e, *seen], weights, rows(v, x.e), output, x.e, false);
            }
        }
    }
}

/// Computes the derivatives of some heads in `out`: of queries, or of keys or values with all
/// queries that see them.
pub(super) fn gradient(x: Extents, by: By, operands: &[&[u32]], start: usize, out: &mut [f32]) {
    let (len, members) = match by {
        By::Queries => (x.t * x.d, 1),
        By::Keys => (x.s * x.d, x.group),
        By::Values => (x.s * x.e, x.group),
    };
    for (own, out) in (start / len..).zip(out.chunks_exact_mut(len)) {
        out.fill(0.0);
        for index in own * members..(own + 1) * members {
            of_head(x, by, operands, index, out);
        }
    }
}

/// Adds the derivatives of one head of queries.
fn of_head(x: Extents, by: By, operands: &[&[u32]], index: usize, out: &mut [f32]) {
    let q = head(operands[0], index, x.t * x.d);
    let k = head(operands[1], index / x.group, x.s * x.d);
    let v = head(operands[2], index / x.group, x.s * x.e);
    // For each query the cotangent, the logarithm, and the sum of the cotangent times the result.
    let width = x.e + 2;
    let of_rows = head(operands[3], index, x.t * width);
    let mut scratch = vec![0.0; x.s];
    for mut block in Block::all(x, index, [q, k], operands[4]) {
        let (first, count, seen) = (block.first, block.count, block.seen);
        let ct = Matrix { data: &of_rows[first * width..], strides: [width, 1] };
        let mut steep = vec![0.0; if by == By::Values { 0 } else { count * seen }];
        if by != By::Values {
            product_into([count, seen, x.e], ct, columns(v, x.e), &mut steep, seen, false);
        }
        for (query, own, hidden) in block.rows(x) {
            let [log, along] = [0, 1].map(|k| of_rows[query * width + x.e + k]);
            hidden.fill(0.0);
            if log == f32::NEG_INFINITY {
                own.fill(0.0); // it sees no key
                continue;
            }
            let exps = &mut scratch[..own.len()];
            exponentials(own, log, exps);
            match by {
                By::Values => {
                    own.copy_from_slice(exps);
                    keep(x, index, query, operands[5], own);
                }
                _ => {
                    let steep = &mut steep[(query - first) * seen..][..own.len()];
                    keep(x, index, query, operands[5], steep);
                    for ((weight, exp), steep) in own.iter_mut().zip(exps).zip(steep) {
                        *weight = *exp * (*steep - along) * x.scale;
                    }
                }
            }
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
                product_into([seen, x.e, count], columns(weights, seen), ct, out, x.e, true);
            }
        }
    }
}
