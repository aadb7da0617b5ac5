//! Matrix products of bytes: tiles of rows times rows, in vectors of 16-bit integers.
//!
//! x86 multiplies vectors of 16-bit integers and adds adjacent products in one instruction. Bytes
//! are widened a block at a time; a tile of sums stays in registers, and each loaded vector is used
//! for several of them.

use std::array::from_fn;

/// Elements of the widest vector: rows are zero-padded to a multiple.
const LANES: usize = 32;

/// Vectors per block of the second operand: 128 KiB, which leaves room in an L2 cache.
const BLOCK: usize = (1 << 16) / LANES;

/// The widest vector, aligned to a cache line.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([i16; LANES]);

/// Rows of bytes widened to 16-bit integers.
#[derive(Debug)]
pub(crate) struct Rows {
    data: Vec<Line>,
    /// Vectors per row, at least one; the last is zero-padded.
    width: usize,
}

impl Rows {
    /// Zeros, for `count` rows of `words` words.
    pub fn zeros(count: usize, words: usize) -> Self {
        let width = (4 * words).div_ceil(LANES).max(1);
        Rows { data: vec![Line([0; LANES]); count * width], width }
    }

    /// The bytes of `count` rows of `row` words.
    pub fn of(words: &[u32], row: usize, count: usize) -> Self {
        let mut rows = Rows::zeros(count, row);
        let width = rows.width;
        pulp::Arch::new().dispatch(|| {
            for (index, wide) in rows.data.chunks_exact_mut(width).enumerate() {
                let wide = bytemuck::cast_slice_mut(wide);
                widen(&words[index * row..(index + 1) * row], wide);
            }
        });
        rows
    }

    /// A row to be filled.
    pub fn row_mut(&mut self, index: usize) -> &mut [i16] {
        bytemuck::cast_slice_mut(&mut self.data[index * self.width..(index + 1) * self.width])
    }

    fn count(&self) -> usize {
        self.data.len() / self.width
    }

    /// A row as vectors.
    #[inline(always)]
    fn vectors<V: bytemuck::Pod>(&self, index: usize) -> &[V] {
        bytemuck::cast_slice(&self.data[index * self.width..(index + 1) * self.width])
    }
}

/// Sign-extends the bytes of words, lowest bits first, into the first elements of `wide`.
#[inline(always)]
pub(crate) fn widen(words: &[u32], wide: &mut [i16]) {
    let bytes: &[i8] = bytemuck::cast_slice(words);
    for (wide, &byte) in wide.iter_mut().zip(bytes) {
        *wide = i16::from(byte);
    }
}

/// Sets `out[i * stride + j]` to the dot product of row `i` of `a` and row `j` of `b`; `b` has
/// `count` rows of `words` words. Sums wrap.
pub(crate) fn products(
    a: &Rows,
    (b, words, count): (&[u32], usize, usize),
    out: &mut [u32],
    stride: usize,
) {
    let rows = (BLOCK / a.width).max(4);
    for first in (0..count).step_by(rows) {
        let last = count.min(first + rows);
        let block = Rows::of(&b[first * words..last * words], words, last - first);
        block_of(a, &block, &mut out[first..], stride);
    }
}

/// Computes all sums of a block with the widest vectors available.
fn block_of(a: &Rows, b: &Rows, out: &mut [u32], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return simd.vectorize(
                #[inline(always)]
                || tiles::<_, 4, 4>(simd, a, b, out, stride),
            );
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(
                #[inline(always)]
                || tiles::<_, 4, 2>(simd, a, b, out, stride),
            );
        }
    }
    tiles::<_, 2, 2>(Plain, a, b, out, stride);
}

/// Vector operations of an instruction set.
trait Vectors: Copy {
    /// 16-bit integers.
    type Numbers: bytemuck::Pod;
    /// 32-bit sums, half as many.
    type Sums: bytemuck::Pod;

    /// Adds the sums of adjacent products.
    fn add_products(self, sums: Self::Sums, a: Self::Numbers, b: Self::Numbers) -> Self::Sums;
}

#[cfg(target_arch = "x86_64")]
impl Vectors for pulp::x86::V4 {
    type Numbers = pulp::i16x32;
    type Sums = pulp::i32x16;

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: Self::Numbers, b: Self::Numbers) -> Self::Sums {
        self.wrapping_add_i32x16(sums, self.multiply_wrapping_add_adjacent_i16x32(a, b))
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for pulp::x86::V3 {
    type Numbers = pulp::i16x16;
    type Sums = pulp::i32x8;

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: Self::Numbers, b: Self::Numbers) -> Self::Sums {
        self.wrapping_add_i32x8(sums, self.multiply_wrapping_add_adjacent_i16x16(a, b))
    }
}

/// Plain loops that the compiler vectorizes.
#[derive(Clone, Copy)]
struct Plain;

impl Vectors for Plain {
    type Numbers = [i16; 8];
    type Sums = [i32; 4];

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: Self::Numbers, b: Self::Numbers) -> Self::Sums {
        from_fn(|k| {
            let product = |k: usize| i32::from(a[k]) * i32::from(b[k]);
            sums[k].wrapping_add(product(2 * k).wrapping_add(product(2 * k + 1)))
        })
    }
}

/// Computes tile after tile of `M` rows of `a` and `N` of `b`; past the end the last row is
/// repeated and not stored.
#[inline(always)]
fn tiles<V: Vectors, const M: usize, const N: usize>(
    simd: V,
    a: &Rows,
    b: &Rows,
    out: &mut [u32],
    stride: usize,
) {
    let (rows, columns) = (a.count(), b.count());
    for i in (0..rows).step_by(M) {
        let of_a = from_fn(|k| a.vectors(rows.min(i + k + 1) - 1));
        for j in (0..columns).step_by(N) {
            let of_b = from_fn(|k| b.vectors(columns.min(j + k + 1) - 1));
            let sums = tile::<V, M, N>(simd, of_a, of_b);
            for (i, sums) in (i..rows).zip(sums) {
                for (j, sum) in (j..columns).zip(sums) {
                    out[i * stride + j] = sum as u32;
                }
            }
        }
    }
}

/// Computes the sums of a tile.
#[inline(always)]
fn tile<V: Vectors, const M: usize, const N: usize>(
    simd: V,
    a: [&[V::Numbers]; M],
    b: [&[V::Numbers]; N],
) -> [[i32; N]; M] {
    let len = a[0].len();
    let (a, b) = (a.map(|row| &row[..len]), b.map(|row| &row[..len]));
    let mut sums = [[<V::Sums as bytemuck::Zeroable>::zeroed(); N]; M];
    for p in 0..len {
        let columns: [V::Numbers; N] = from_fn(|j| b[j][p]);
        for (sums, row) in sums.iter_mut().zip(a) {
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = simd.add_products(*sum, row[p], column);
            }
        }
    }
    sums.map(|sums| {
        sums.map(|sum| {
            let parts: &[i32] = bytemuck::cast_slice(std::slice::from_ref(&sum));
            parts.iter().fold(0i32, |total, part| total.wrapping_add(*part))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(len: usize, seed: u32) -> Vec<u32> {
        (0..len as u32).map(|k| (k + seed).wrapping_mul(2_654_435_761) ^ (k << 9)).collect()
    }

    /// Every available instruction set, at every remainder of a tile.
    #[test]
    fn tiles_give_sums_of_products() {
        for (m, n, k) in [(1, 1, 1), (4, 4, 8), (5, 7, 9), (9, 3, 40), (3, 300, 70)] {
            let (a, b) = (words(m * k, 1), words(n * k, 5));
            let byte = |x: &[u32], row: usize, p: usize| {
                i32::from((x[row * k + p / 4] >> (8 * (p % 4))) as u8 as i8)
            };
            let expected: Vec<i32> = (0..m * n)
                .map(|at| (0..4 * k).map(|p| byte(&a, at / n, p) * byte(&b, at % n, p)).sum())
                .collect();
            let (rows, block) = (Rows::of(&a, k, m), Rows::of(&b, k, n));
            let mut out = vec![7; m * n];
            products(&rows, (&b, k, n), &mut out, n);
            assert_eq!(bytemuck::cast_slice::<u32, i32>(&out), expected, "{m} {n} {k}");
            out.fill(7);
            tiles::<_, 2, 2>(Plain, &rows, &block, &mut out, n);
            assert_eq!(bytemuck::cast_slice::<u32, i32>(&out), expected, "plain, {m} {n} {k}");
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                out.fill(7);
                simd.vectorize(|| tiles::<_, 4, 2>(simd, &rows, &block, &mut out, n));
                assert_eq!(bytemuck::cast_slice::<u32, i32>(&out), expected, "V3, {m} {n} {k}");
            }
        }
    }
}
