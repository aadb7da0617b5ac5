//! Reductions: by rows, by columns, and split into pieces if few results have many terms.

use super::{
    BLOCK, CHUNK, SERIAL,
    bytecode::Bytecode,
    device::each,
    evaluate::{Chunk, Scratch},
    kernel::Finish,
};
use crate::{
    dtype::DType,
    ops::reduce::ReduceFn,
    schedule::expr::{Body, TermId},
};
use std::{mem, ops::Range};

/// Terms per job.
const JOB: usize = 1 << 16;

/// Partial results that are combined in turn before they are combined with others.
const RUN: usize = 64;

/// Inner extents up to which columns are faster regardless of strides: folding a row costs as much
/// as 16 additions.
const SHORT: usize = 8;

/// A compiled reduction.
///
/// Sums are blocked: at most 64 vectors or partial sums are added sequentially before they are
/// added to the next level, so that errors grow far more slowly than with the number of terms.
#[derive(Debug)]
pub(super) struct Fold {
    function: ReduceFn,
    dtype: DType,
    bytecode: Bytecode,
    order: Order,
    outer: usize,
    inner: usize,
    /// Results per job.
    group: usize,
    /// Terms of each result per job.
    piece: usize,
    finish: Finish,
    /// Whether it is worth running on several threads.
    pub parallel: bool,
}

/// Evaluation order of the terms.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// All terms of a result, then those of the next.
    Rows,
    /// One term of every result, then the next one.
    Columns,
}

impl Fold {
    /// Compiles a reduction; `by_columns` if its results lie side by side in the operand.
    pub fn new(
        function: ReduceFn,
        [outer, inner]: [&[usize]; 2],
        by_columns: bool,
        body: &Body,
        value: TermId,
        finish: Finish,
    ) -> Self {
        let space = [outer, inner].concat();
        let turned_space = [inner, outer].concat();
        let mut turned = body.clone();
        for affine in turned.affines_mut() {
            affine.coefs.rotate_left(outer.len());
        }
        let [outer, inner] = [outer, inner].map(|dims| dims.iter().product::<usize>());
        let columns = outer > 0 && inner > 0 && ((inner <= SHORT && outer > inner) || by_columns);
        let (order, bytecode) = if columns {
            (Order::Columns, Bytecode::new(&turned, &[value], &turned_space, &[], false))
        } else {
            (Order::Rows, Bytecode::new(body, &[value], &space, &[], false))
        };
        // Minimum number of results a job computes side by side.
        let side = match order {
            Order::Rows => 1,
            Order::Columns => outer.min(BLOCK),
        };
        let (group, piece) = if side.saturating_mul(inner) >= 2 * JOB {
            (side, (JOB / side).max(1))
        } else {
            (side * (JOB / (side * inner.max(1))).max(1), inner.max(1))
        };
        let jobs = outer.div_ceil(group.max(1)) * inner.div_ceil(piece);
        let work = outer.saturating_mul(inner).saturating_mul(bytecode.varying.len() + 1);
        Fold {
            function,
            dtype: body.dtype(value),
            bytecode,
            order,
            outer,
            inner,
            group: group.max(1),
            piece,
            finish,
            parallel: jobs > 1 && work > SERIAL,
        }
    }

    pub fn run(&self, operands: &[&[u32]], mut outs: Vec<&mut [u32]>, parallel: bool) {
        let Some(out) = outs.first_mut() else { return };
        if self.inner <= self.piece {
            return each(out, self.group, parallel, |job, out| {
                let start = job * self.group;
                Scratch::with(|scratch| {
                    self.finish.apply(scratch, operands, start, out, |scratch, acc| {
                        self.fold(scratch, operands, start, 0..self.inner, acc);
                    });
                });
            });
        }
        let pieces = self.inner.div_ceil(self.piece);
        let mut partial = vec![0; pieces * self.outer];
        let mut jobs: Vec<(usize, Range<usize>, &mut [u32])> = Vec::new();
        for (piece, row) in partial.chunks_mut(self.outer.max(1)).enumerate() {
            let first = piece * self.piece;
            let terms = first..self.inner.min(first + self.piece);
            for (group, part) in row.chunks_mut(self.group).enumerate() {
                jobs.push((group * self.group, terms.clone(), part));
            }
        }
        each(&mut jobs, 1, parallel, |_, jobs| {
            for (start, terms, acc) in jobs {
                Scratch::with(|scratch| self.fold(scratch, operands, *start, terms.clone(), acc));
            }
        });
        each(out, CHUNK, parallel, |chunk, out| {
            let start = chunk * CHUNK;
            Scratch::with(|scratch| {
                self.finish.apply(scratch, operands, start, out, |_, acc| {
                    let identity = self.function.identity(self.dtype);
                    let combine = |acc: &mut [u32], rows: &[u32]| {
                        acc.fill(identity);
                        for row in rows.chunks(self.outer.max(1)) {
                            let row = &row[start..start + acc.len()];
                            self.function.combine_words(self.dtype, acc, row);
                        }
                    };
                    if pieces <= RUN {
                        return combine(acc, &partial);
                    }
                    acc.fill(identity);
                    let mut part = vec![identity; acc.len()];
                    for rows in partial.chunks(self.outer * RUN) {
                        combine(&mut part, rows);
                        self.function.combine_words(self.dtype, acc, &part);
                    }
                });
            });
        });
    }

    /// Combines `terms` of the results `start..start + acc.len()`.
    fn fold(
        &self,
        scratch: &mut Scratch,
        operands: &[&[u32]],
        start: usize,
        terms: Range<usize>,
        acc: &mut [u32],
    ) {
        acc.fill(self.function.identity(self.dtype));
        if terms.is_empty() || acc.is_empty() {
            return;
        }
        self.bytecode.begin(scratch, operands);
        match self.order {
            Order::Rows if self.inner <= BLOCK => {
                let rows = BLOCK / self.inner;
                for (block, acc) in acc.chunks_mut(rows).enumerate() {
                    let first = (start + block * rows) * self.inner;
                    let values = self.values(scratch, operands, first, acc.len() * self.inner);
                    for (acc, row) in acc.iter_mut().zip(values.chunks(self.inner)) {
                        *acc = self.function.fold_words(self.dtype, *acc, row);
                    }
                }
            }
            Order::Rows => {
                let identity = self.function.identity(self.dtype);
                for (row, acc) in acc.chunks_mut(1).enumerate() {
                    for term in terms.clone().step_by(BLOCK) {
                        let first = (start + row) * self.inner + term;
                        let count = BLOCK.min(terms.end - term);
                        let values = self.values(scratch, operands, first, count);
                        let part = self.function.fold_words(self.dtype, identity, values);
                        self.function.combine_words(self.dtype, acc, &[part]);
                    }
                }
            }
            Order::Columns if 2 * self.outer <= BLOCK => self.wide(scratch, operands, terms, acc),
            Order::Columns => {
                for (block, acc) in acc.chunks_mut(BLOCK).enumerate() {
                    for term in terms.clone() {
                        let first = term * self.outer + start + block * BLOCK;
                        let values = self.values(scratch, operands, first, acc.len());
                        self.function.combine_words(self.dtype, acc, values);
                    }
                }
            }
        }
    }

    /// Folds columns so short that a block takes several terms of all results.
    fn wide(
        &self,
        scratch: &mut Scratch,
        operands: &[&[u32]],
        terms: Range<usize>,
        acc: &mut [u32],
    ) {
        let rows = BLOCK / self.outer;
        let mut lanes = mem::take(&mut scratch.lanes);
        lanes.clear();
        lanes.resize(rows * self.outer, self.function.identity(self.dtype));
        for term in terms.clone().step_by(rows) {
            let count = rows.min(terms.end - term) * self.outer;
            let values = self.values(scratch, operands, term * self.outer, count);
            self.function.combine_words(self.dtype, &mut lanes[..count], values);
        }
        for row in lanes.chunks(self.outer) {
            self.function.combine_words(self.dtype, acc, row);
        }
        scratch.lanes = lanes;
    }

    /// Terms `first..first + count` in evaluation order.
    fn values<'a>(
        &self,
        scratch: &'a mut Scratch,
        operands: &'a [&'a [u32]],
        first: usize,
        count: usize,
    ) -> &'a [u32] {
        let chunk = Chunk { operands, acc: &[], start: first };
        self.bytecode.block(scratch, chunk, 0, count, &mut []);
        self.bytecode.value(scratch, chunk, 0, count)
    }
}
