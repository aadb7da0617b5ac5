//! The loop on the CPU.

use super::Product;
use crate::gemm::{Matrix, product_into};

/// Elements transposed at once, which stay in the L2 cache; fewer are left to the product.
const PART: usize = 1 << 16;

/// Edge of the squares that are transposed in registers.
const SIDE: usize = 8;

/// `out[j, i] = b[i, j]` for `rows` and `columns` of `b`, whose rows are `stride` elements apart.
#[inline(always)]
fn turn(b: &[f32], stride: usize, [rows, columns]: [usize; 2], out: &mut [f32]) {
    for i in (0..rows).step_by(SIDE) {
        for j in (0..columns).step_by(SIDE) {
            if i + SIDE > rows || j + SIDE > columns {
                for i in i..rows.min(i + SIDE) {
                    for j in j..columns.min(j + SIDE) {
                        out[j * rows + i] = b[i * stride + j];
                    }
                }
                continue;
            }
            let mut square = [[0.0; SIDE]; SIDE];
            for (k, row) in square.iter_mut().enumerate() {
                row.copy_from_slice(&b[(i + k) * stride + j..][..SIDE]);
            }
            for k in 0..SIDE {
                let turned = square.map(|row| row[k]);
                out[(j + k) * rows + i..][..SIDE].copy_from_slice(&turned);
            }
        }
    }
}

impl Product {
    /// Whole rows of the result, which may belong to several batches.
    pub(super) fn rows(self, a: &[f32], b: &[f32], first: usize, out: &mut [f32]) {
        let Product { m, n, k, .. } = self;
        if k == 0 || n == 0 {
            out.fill(0.0);
            return;
        }
        let (mut row, mut out) = (first, out);
        while !out.is_empty() {
            let (batch, within) = (row / m, row % m);
            let count = (m - within).min(out.len() / n);
            let (block, rest) = out.split_at_mut(count * n);
            let a = &a[batch * m * k + within * self.a[0]..(batch + 1) * m * k];
            let b = &b[batch * k * n..(batch + 1) * k * n];
            if self.b[0] == 1 && k > 1 && k * n > PART {
                self.product_with_transposed(count, a, b, block);
            } else {
                crate::gemm::product(count, n, k, a, self.a, b, self.b, block);
            }
            row += count;
            out = rest;
        }
    }

    /// Some rows, with the second matrix stored as `[n, k]`: transposes one part of it at a time,
    /// so that vectors are loaded along its rows.
    fn product_with_transposed(self, rows: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
        let Product { n, k, .. } = self;
        let step = (PART / n).next_multiple_of(SIDE).min(k);
        let mut turned = vec![0.0; step * n];
        for first in (0..k).step_by(step) {
            let count = step.min(k - first);
            // The loops are compiled for each instruction set.
            pulp::Arch::new().dispatch(|| turn(&b[first..], k, [n, count], &mut turned));
            let a = Matrix { data: &a[first * self.a[1]..], strides: self.a };
            let b = Matrix { data: &turned, strides: [n, 1] };
            product_into([rows, n, count], a, b, out, n, first > 0);
        }
    }
}
