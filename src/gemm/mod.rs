//! Matrix products, using the `gemm` crate: only its f32 part, so that the other element types are
//! not compiled.

pub(crate) mod int8;

use gemm_common::Parallelism;
use gemm_f32::gemm::f32::get_gemm_fn;

/// Terms above which the sums of a small product are split. The `gemm` crate takes the terms of a large
/// one in blocks, those of a small one in turn, which leaves two digits of 10^6 terms of one sign.
const LONG: usize = 4096;

/// Terms that are then added in turn.
const SHORT: usize = 256;

/// Elements of a small product.
const SMALL: usize = 4096;

/// Computes `out = a b`: row-major `[m, n]` from `[m, k]` and `[k, n]`, whose strides are the
/// distances in elements between rows and between columns.
///
/// It runs on the caller's thread. The order of additions depends on `m`, `n` and `k`; callers that
/// distribute rows over threads split them by shape, so the result does not depend on the number of
/// threads.
///
/// # Panics
///
/// If an operand is shorter than its extents and strides require.
#[expect(clippy::too_many_arguments, reason = "three extents, and two matrices with strides")]
pub(crate) fn product(
    m: usize,
    n: usize,
    k: usize,
    a: &[f32],
    a_strides: [usize; 2],
    b: &[f32],
    b_strides: [usize; 2],
    out: &mut [f32],
) {
    assert_eq!(out.len(), m * n, "the result is [{m}, {n}]");
    let (a, b) = (Matrix { data: a, strides: a_strides }, Matrix { data: b, strides: b_strides });
    product_into([m, n, k], a, b, out, n, false);
}

/// A matrix with the given strides, in elements, between rows and between columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub data: &'a [f32],
    pub strides: [usize; 2],
}

impl Matrix<'_> {
    /// The matrix that starts at this element.
    fn from(&self, first: usize) -> Self {
        Matrix { data: &self.data[first..], ..*self }
    }

    /// Whether every element lies within the data; there is at least one.
    fn holds(&self, extents: [usize; 2]) -> bool {
        let [rows, columns] =
            [0, 1].map(|axis| (extents[axis] - 1).checked_mul(self.strides[axis]));
        let last = rows.zip(columns).and_then(|(rows, columns)| rows.checked_add(columns));
        last.is_some_and(|last| last < self.data.len())
    }
}

/// Computes `out = a b`, or `out += a b` if `add`, for extents `[m, n, k]`, where the rows of `out`
/// are `row` elements apart.
///
/// # Panics
///
/// Same as [`product`].
pub(crate) fn product_into(
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    row: usize,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    let result = Matrix { data: out, strides: [row, 1] };
    assert!(row >= n && result.holds([m, n]), "[{m}, {n}] by {row}");
    if k == 0 {
        if !add {
            out.chunks_mut(row).take(m).for_each(|row| row[..n].fill(0.0));
        }
        return;
    }
    assert!(a.holds([m, k]), "a [{m}, {k}] by {:?}", a.strides);
    assert!(b.holds([k, n]), "b [{k}, {n}] by {:?}", b.strides);
    if k > LONG && m * n <= SMALL {
        return split([m, n, k], a, b, out, row, add);
    }
    multiply([m, n, k], a, b, out, row, add);
}

/// Adds up the products of both halves of the terms, and of theirs.
fn split(
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    row: usize,
    add: bool,
) {
    if k <= SHORT {
        return multiply([m, n, k], a, b, out, row, add);
    }
    let half = k / 2;
    split([m, n, half], a, b, out, row, add);
    let (a, b) = (a.from(half * a.strides[1]), b.from(half * b.strides[0]));
    let mut rest = vec![0.0; m * n];
    split([m, n, k - half], a, b, &mut rest, n, false);
    for (out, rest) in out.chunks_mut(row).zip(rest.chunks(n)) {
        out.iter_mut().zip(rest).for_each(|(y, rest)| *y += rest);
    }
}

/// The kernels are fastest if the columns of the result are contiguous, so a result with contiguous
/// rows is computed as its transpose: `outᵀ = bᵀ aᵀ`.
#[expect(unsafe_code, reason = "the gemm crate takes pointers; `product_into` checked the bounds")]
fn multiply(
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    row: usize,
    add: bool,
) {
    let [a_row, a_column] = a.strides.map(|stride| stride as isize);
    let [b_row, b_column] = b.strides.map(|stride| stride as isize);
    let (a, b) = (a.data.as_ptr(), b.data.as_ptr());
    let row = row as isize;
    // The order of additions depends on the choice: it is the one that the `gemm` crate makes.
    let transposed = row > 1;
    let (m, n, columns, rows) = if transposed { (n, m, row, 1) } else { (m, n, 1, row) };
    let left = if transposed { (b, b_row, b_column) } else { (a, a_column, a_row) };
    let right = if transposed { (a, a_row, a_column) } else { (b, b_column, b_row) };
    // SAFETY: the greatest index into each matrix lies within its slice, and strides are not
    // negative, so every access is in bounds; `out` is exclusive, its rows do not overlap, and it
    // is initialized, so it may be read.
    unsafe {
        get_gemm_fn()(
            m,
            n,
            k,
            out.as_mut_ptr(),
            columns,
            rows,
            add,
            left.0,
            left.1,
            left.2,
            right.0,
            right.1,
            right.2,
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_agrees_with_the_definition() {
        for [m, n, k] in [[1, 1, 1], [3, 5, 7], [17, 1, 33], [1, 19, 40], [4, 4, 0], [0, 3, 2]] {
            let a: Vec<f32> = (0..m * k).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
            for (a_strides, b_strides) in [([k, 1], [n, 1]), ([1, m], [n, 1]), ([k, 1], [1, k])] {
                let mut out = vec![f32::NAN; m * n];
                product(m, n, k, &a, a_strides, &b, b_strides, &mut out);
                for row in 0..m {
                    for column in 0..n {
                        let term = |t: usize| {
                            a[row * a_strides[0] + t * a_strides[1]]
                                * b[t * b_strides[0] + column * b_strides[1]]
                        };
                        let expected: f32 = (0..k).map(term).sum();
                        assert_eq!(out[row * n + column], expected, "[{m}, {n}, {k}]");
                    }
                }
            }
        }
    }
}
