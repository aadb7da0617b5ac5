//! Matrix product of signed bytes.

use super::{
    super::{
        kernel::{CpuKernel, Kernel},
        *,
    },
    Product,
    shaders::Terms,
};
use crate::{
    dtype::DType,
    gemm::int8::{Rows, products},
};

/// `y[.., i, j] = sum_p a[.., i, p] b[.., j, p]` of signed bytes, packed four per word along the
/// last axis, the first in the lowest bits; the sums are 32-bit integers, which wrap.
#[derive(Clone, Debug, PartialEq)]
pub struct MatmulI8;

impl<'g> Tensor<'g> {
    /// Product of a matrix of packed bytes with the transpose of another: see
    /// [`pack_i8`](Tensor::pack_i8).
    ///
    /// `y[.., i, j] = sum_p self[.., i, p] other[.., j, p]`
    ///
    /// # Shapes
    ///
    /// `[.., m, k / 4] x [.., n, k / 4]` in u32 give `[.., m, n]` in i32. A single matrix on the
    /// right is used for all batches; otherwise the batch axes are equal.
    ///
    /// # Numerics
    ///
    /// Exact up to `k = 133,143`; sums past 32 bits wrap.
    ///
    /// # Gradient
    ///
    /// None: these are integers.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Extents`]; [`OpError::DType`] unless u32.
    #[doc(alias("MatMulInteger", "int_mm"))]
    #[track_caller]
    pub fn matmul_i8(self, other: Tensor<'g>) -> Tensor<'g> {
        let (a, b) = (self.shape(), other.shape());
        if a.rank() <= 2 || b.rank() != 2 {
            return self.graph.push(MatmulI8, &[self, other]);
        }
        // One matrix for all batches: their rows form one larger matrix.
        let (rows, inner) = a.dims().split_at(a.rank() - 1);
        let merged = self.reshape([rows.iter().product(), inner[0]]);
        let y = self.graph.push(MatmulI8, &[merged, other]);
        y.reshape([rows, &[b.dims()[0]]].concat())
    }
}

impl std::fmt::Display for MatmulI8 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("matmul_i8")
    }
}

/// The last two extents, preceded by the product of the others.
fn matrices(x: &Meta) -> Option<[usize; 3]> {
    let (outer, matrix) = x.shape.dims().split_last_chunk::<2>()?;
    Some([outer.iter().product(), matrix[0], matrix[1]])
}

/// The signed bytes of a word.
fn bytes(word: f64) -> [i64; 4] {
    (word as u32).to_le_bytes().map(|byte| i64::from(byte as i8))
}

impl Operation for MatmulI8 {
    fn name(&self) -> &'static str {
        "matmul_i8"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [a, b] = operands else { unreachable!("a product has two operands") };
        if let Some(operand) = operands.iter().find(|operand| operand.dtype != DType::U32) {
            return Err(OpError::DType(operand.dtype));
        }
        let (Some([_, m, lhs]), Some([_, n, rhs])) = (matrices(a), matrices(b)) else {
            return Err(OpError::Rank { least: 2 });
        };
        if lhs != rhs {
            return Err(OpError::Extents { what: "words of a row", lhs, rhs });
        }
        let outer = |x: &Meta| x.shape.dims()[..x.shape.rank() - 2].to_vec();
        if outer(a) != outer(b) {
            return Err(OpError::Broadcast);
        }
        Ok(Meta::new([outer(a), vec![m, n]].concat(), DType::I32))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [a, b] = operands else { unreachable!("a product has two operands") };
        let (rank, words) = (a.shape().rank(), a.shape().dims()[a.shape().rank() - 1]);
        let (m, n) = (a.shape().dims()[rank - 2], b.shape().dims()[rank - 2]);
        let meta = Meta::new([&a.shape().dims()[..rank - 2], &[m, n]].concat(), DType::I32);
        Array64::from_fn(meta, |c| {
            let (outer, [i, j]) = (&c[..rank - 2], [c[rank - 2], c[rank - 1]]);
            let sum: i64 = (0..words)
                .map(|word| {
                    let [a, b] = [(a, i), (b, j)]
                        .map(|(x, row)| bytes(x.at(&[outer, &[row, word]].concat())));
                    (0..4).map(|k| a[k] * b[k]).sum::<i64>()
                })
                .sum();
            f64::from(sum as i32)
        })
    }

    fn vjp<'g>(&self, _: &[Tensor<'g>], _: Tensor<'g>, _: Tensor<'g>) -> Vec<Option<Tensor<'g>>> {
        vec![None, None]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let ([batches, m, words], [_, n, _]) =
            (matrices(operands[0]).unwrap_or_default(), matrices(operands[1]).unwrap_or_default());
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let (mut row, mut out) = (start / n.max(1), out);
            while !out.is_empty() {
                // Rows of one matrix at a time.
                let (batch, count) = (row / m, (m - row % m).min(out.len() / n));
                let (block, rest) = out.split_at_mut(count * n);
                let a = Rows::of(&operands[0][row * words..(row + count) * words], words, count);
                let b = &operands[1][batch * n * words..(batch + 1) * n * words];
                products(&a, (b, words, n), block, n);
                (row, out) = (row + count, rest);
            }
        };
        let work = (2 * words).max(1);
        let cpu = CpuKernel::new(n, work, compute);
        let strides = [[words, 1], [1, words]];
        let transposed = [false, true];
        let product = Product { batches, m, n, k: words, transposed, a: strides[0], b: strides[1] };
        let served = product.served(Terms::Bytes);
        let outer = operands[0].shape.rank() - 2;
        let probe = Probe::new(self.clone(), operands, Bound::Exact)
            .along_all(0..outer)
            .along(outer, [Some(outer), None])
            .along(outer + 1, [None, Some(outer)]);
        let kernel = Kernel::new(served.shaders, cpu, probe);
        Some(Kernel { order: served.order, parts: served.parts, ..kernel })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let words = operands[0].shape.dims().last().copied().unwrap_or_default();
        Cost { flops: (8 * words * result.shape.len()) as f64, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        let of = |a: &[usize], b: &[usize]| {
            Sample::new(MatmulI8, [a, b].map(|dims| Meta::new(dims, DType::U32)))
                .operand(0, WORDS)
                .operand(1, WORDS)
                .bound(Bound::Exact, "integers")
                .without_gradient()
        };
        vec![
            of(&[3, 5], &[4, 5]),
            of(&[33, 9], &[35, 9]).named("past a tile"),
            of(&[2, 64, 8], &[2, 64, 8]).named("whole tiles"),
            of(&[5, 3], &[6, 3]).named("two columns past a vector"),
            of(&[66, 260], &[35, 260]).named("slices of the words"),
            of(&[2, 33, 1030], &[2, 34, 1030]).named("parts of the words"),
            of(&[1, 300], &[37, 300]).named("vector"),
            of(&[70, 1030], &[2, 1030]).named("vectors in parts"),
            of(&[2, 3, 4, 3], &[2, 3, 5, 3]).named("batches"),
            of(&[1, 1], &[1, 1]).named("one"),
            of(&[2, 0], &[3, 0]).named("no terms"),
            of(&[0, 2], &[3, 2]).named("no rows"),
        ]
    }
}

/// Words of bytes of either sign: all -127, all 127, all 0, and mixed ones.
const WORDS: Domain = Domain::Values(&[
    2_172_748_161.0,
    2_139_062_143.0,
    0.0,
    4_294_967_295.0,
    16_909_060.0,
    4_278_190_335.0,
    2_155_905_152.0,
]);
