//! Batched matrix product.

mod cpu;
mod grads;
mod int8;
mod shaders;
mod units;
mod vectors;

pub(crate) use self::units::UnitMatmul;
pub use grads::LinearGrads;
pub(crate) use int8::MatmulI8;

use super::*;
use super::{
    kernel::{CpuKernel, Kernel},
    precision::Precision,
    transpose::Transpose,
    units::Refusal,
};
use crate::shape::Shape;
pub(super) use shaders::{Results, Terms};

/// `y[.., i, j] = sum_p a[.., i, p] b[.., p, j]`, where either matrix may be stored transposed.
///
/// The batch axes of the operands are equal; the builder broadcasts them.
#[derive(Clone, Debug, PartialEq)]
pub struct Matmul {
    /// The first operand is `[.., k, m]`.
    pub(crate) transpose_a: bool,
    /// The second operand is `[.., n, k]`.
    pub(crate) transpose_b: bool,
    /// How exact it has to be.
    pub(crate) precision: Precision,
}

impl Matmul {
    /// The product in full precision, of operands of which each may be stored transposed.
    pub(crate) const fn full(transpose_a: bool, transpose_b: bool) -> Self {
        Matmul { transpose_a, transpose_b, precision: Precision::Full }
    }
}

/// Extents and strides of a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    batches: usize,
    m: usize,
    n: usize,
    k: usize,
    /// Whether each matrix is stored transposed.
    transposed: [bool; 2],
    /// Distance between neighbors along a column and along a row of the first matrix.
    a: [usize; 2],
    /// The same for the second matrix.
    b: [usize; 2],
}

/// Extents of the last two axes, swapped where the matrix is stored transposed.
fn matrix(shape: &Shape, transposed: bool) -> [usize; 2] {
    let dims = &shape.dims()[shape.rank() - 2..];
    if transposed { [dims[1], dims[0]] } else { [dims[0], dims[1]] }
}

/// Extents of the axes before the last two.
fn batch(shape: &Shape) -> &[usize] {
    &shape.dims()[..shape.rank() - 2]
}

impl Matmul {
    /// Rows of the result per CPU chunk, out of `rows`: each chunk rearranges a second operand that
    /// is stored transposed, which is expensive for a few rows.
    fn least_rows(&self, rows: usize) -> usize {
        if self.transpose_b { (rows / 2).clamp(1, 32) } else { 1 }
    }

    /// A flag for each operand that is stored transposed.
    fn flags(&self) -> &'static [&'static str] {
        match (self.transpose_a, self.transpose_b) {
            (false, false) => &[],
            (true, false) => &["at"],
            (false, true) => &["bt"],
            (true, true) => &["at", "bt"],
        }
    }

    /// The product of operands that fit.
    pub(super) fn product(&self, a: &Shape, b: &Shape) -> Product {
        let ([m, k], [_, n]) = (matrix(a, self.transpose_a), matrix(b, self.transpose_b));
        Product {
            batches: Shape::from(batch(a)).len(),
            m,
            n,
            k,
            transposed: [self.transpose_a, self.transpose_b],
            a: if self.transpose_a { [1, m] } else { [k, 1] },
            b: if self.transpose_b { [1, k] } else { [n, 1] },
        }
    }
}

impl<'g> Tensor<'g> {
    /// Matrix product: `y[.., i, j] = sum_p self[.., i, p] other[.., p, j]`.
    ///
    /// # Shapes
    ///
    /// `[.., m, k] x [.., k, n] -> [.., m, n]`. The axes before the last two broadcast. A vector
    /// on the left is a row, one on the right a column, and its axis is dropped again.
    ///
    /// # Numerics
    ///
    /// f32 accumulation.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`] for scalars; [`OpError::Extents`]; [`OpError::Broadcast`];
    /// [`OpError::DTypes`]; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// NumPy's `matmul`.
    #[doc(alias("mm", "bmm", "dot", "mv", "addmm", "baddbmm"))]
    #[track_caller]
    pub fn matmul(self, other: Tensor<'g>) -> Tensor<'g> {
        let (a, b) = (self.shape(), other.shape());
        let refuse = |reason| (self.graph, [self, other], reason);
        let (graph, operands, reason) = match (a.rank(), b.rank()) {
            _ if self.failed() || other.failed() => {
                return self.graph.push(Matmul::full(false, false), &[self, other]);
            }
            (0, _) | (_, 0) => refuse(OpError::Rank { least: 1 }),
            (rank, other_rank) => {
                let lhs = a.dims()[rank - 1];
                let rhs = b.dims()[other_rank.max(2) - 2];
                let both = [&a, &b].map(|shape| shape.rank().max(2) - 2);
                let [of_a, of_b] = [(&a, both[0]), (&b, both[1])]
                    .map(|(shape, batches)| Shape::from(&shape.dims()[..batches]));
                match of_a.broadcast_with(&of_b) {
                    _ if lhs != rhs => refuse(OpError::Extents { what: "inner extents", lhs, rhs }),
                    None => refuse(OpError::Broadcast),
                    Some(common) => return self.matmul_batches(other, &common),
                }
            }
        };
        graph.refuse("matmul", &operands, reason)
    }

    /// The product of operands that fit except for their batch axes, which broadcast to `common`.
    #[track_caller]
    fn matmul_batches(self, other: Tensor<'g>, common: &Shape) -> Tensor<'g> {
        let (a, b) = (self.shape(), other.shape());
        if a.rank() == 1 {
            let dropped = if b.rank() == 1 { -1 } else { -2 };
            return self.unsqueeze(0).matmul(other).squeeze(dropped);
        }
        if b.rank() == 1 {
            return self.matmul(other.unsqueeze(1)).squeeze(-1);
        }
        let precision = self.graph.precision();
        if a.rank() > 2 && b.rank() == 2 {
            // One matrix for all batches: their rows form one larger matrix.
            let (rows, inner) = a.dims().split_at(a.rank() - 1);
            let merged = self.reshape([Shape::from(rows).len(), inner[0]]);
            let (other, transpose_b) = other.as_stored();
            let op = Matmul { transpose_a: false, transpose_b, precision };
            let y = self.graph.push(op, &[merged, other]);
            return y.reshape([rows, &[b.dims()[1]]].concat());
        }
        let (lhs, transpose_a) = self.as_stored();
        let (rhs, transpose_b) = other.as_stored();
        let spread = |x: Tensor<'g>| {
            let matrix = &x.shape().dims()[x.rank() - 2..].to_vec();
            [common.dims(), matrix].concat()
        };
        let (lhs, rhs) = (lhs.broadcast_to(spread(lhs)), rhs.broadcast_to(spread(rhs)));
        self.graph.push(Matmul { transpose_a, transpose_b, precision }, &[lhs, rhs])
    }

    /// The matrix as stored in memory, and whether this is its transpose: the gradient of a weight
    /// that is used transposed then has the layout of the weight.
    fn as_stored(self) -> (Tensor<'g>, bool) {
        let node = self.graph.node(self.id);
        let Op::Transpose(Transpose { axes }) = &node.op else { return (self, false) };
        let rank = axes.len();
        let outer_stay = (0..rank - 2).all(|axis| axes[axis] == axis);
        if outer_stay && axes[rank - 1] == rank - 2 {
            (Tensor { graph: self.graph, id: node.inputs[0] }, true)
        } else {
            (self, false)
        }
    }
}

/// Writes flags that are not empty, in brackets.
pub(super) fn write_flags(f: &mut std::fmt::Formatter<'_>, flags: &[&str]) -> std::fmt::Result {
    let flags: Vec<&str> = flags.iter().copied().filter(|flag| !flag.is_empty()).collect();
    if flags.is_empty() { Ok(()) } else { write!(f, "[{}]", flags.join(", ")) }
}

impl std::fmt::Display for Matmul {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        write_flags(f, &[self.flags(), &[self.precision.flag()]].concat())
    }
}

impl Operation for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        let [a, b] = operands else { unreachable!("a product has two operands") };
        if a.dtype != b.dtype {
            return Err(OpError::DTypes);
        }
        if !a.dtype.is_float() {
            return Err(OpError::DType(a.dtype));
        }
        if a.shape.rank() < 2 || b.shape.rank() < 2 {
            return Err(OpError::Rank { least: 2 });
        }
        let [m, lhs] = matrix(&a.shape, self.transpose_a);
        let [rhs, n] = matrix(&b.shape, self.transpose_b);
        if lhs != rhs {
            return Err(OpError::Extents { what: "inner extents", lhs, rhs });
        }
        if batch(&a.shape) != batch(&b.shape) {
            return Err(OpError::Broadcast);
        }
        Ok(Meta::new([batch(&a.shape), &[m, n]].concat(), a.dtype))
    }

    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let [a, b] = operands else { unreachable!("a product has two operands") };
        let ([m, k], [_, n]) =
            (matrix(a.shape(), self.transpose_a), matrix(b.shape(), self.transpose_b));
        let meta = Meta::new([batch(a.shape()), &[m, n]].concat(), a.meta.dtype);
        let mut data = Vec::with_capacity(meta.shape.len());
        for index in 0..meta.shape.len() {
            let (batch, i, j) = (index / (m * n), index / n % m, index % n);
            let a_at = |p| if self.transpose_a { p * m + i } else { i * k + p };
            let b_at = |p| if self.transpose_b { j * k + p } else { p * n + j };
            let terms =
                (0..k).map(|p| a.data[batch * m * k + a_at(p)] * b.data[batch * k * n + b_at(p)]);
            data.push(terms.sum());
        }
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        _: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let [a, b] = *operands else { unreachable!("a product has two operands") };
        let product = |lhs, transpose_a, rhs, transpose_b| {
            let op = Matmul { transpose_a, transpose_b, precision: self.precision };
            Some(ct.graph.push(op, &[lhs, rhs]))
        };
        // With A and B the multiplied matrices: ct Bᵀ and Aᵀ ct, each as it is stored.
        vec![
            if self.transpose_a {
                product(b, self.transpose_b, ct, true)
            } else {
                product(ct, false, b, !self.transpose_b)
            },
            if self.transpose_b {
                product(ct, true, a, self.transpose_a)
            } else {
                product(a, !self.transpose_a, ct, false)
            },
        ]
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], _: &Meta) -> Option<Kernel> {
        let product = self.product(&operands[0].shape, &operands[1].shape);
        let compute = move |operands: &[&[u32]], start: usize, out: &mut [u32]| {
            let [a, b] = [0, 1].map(|index| bytemuck::cast_slice(operands[index]));
            product.rows(a, b, start / product.n.max(1), bytemuck::cast_slice_mut(out));
        };
        let cpu = CpuKernel::new(
            product.n.max(1) * self.least_rows(product.batches * product.m),
            2 * product.k.max(1),
            compute,
        );
        let served = product.served(Terms::Floats);
        let batches = operands[0].shape.rank() - 2;
        let (a, b) =
            (batches + usize::from(self.transpose_a), batches + 1 - usize::from(self.transpose_b));
        let probe = Probe::new(self.clone(), operands, served.accuracy.0)
            .along_all(0..batches)
            .along(batches, [Some(a), None])
            .along(batches + 1, [None, Some(b)]);
        let kernel = Kernel::new(served.shaders, cpu, probe);
        let order = Refusal::of(self.on_units(operands)).and_order(served.order);
        Some(Kernel { order, parts: served.parts, ..kernel })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        let Product { batches, m, n, k, .. } = self.product(&operands[0].shape, &operands[1].shape);
        let flops = 2.0 * [batches, m, n, k].map(|extent| extent as f64).iter().product::<f64>();
        Cost { flops, ..Cost::moved(operands, result) }
    }

    fn samples() -> Vec<Sample> {
        use crate::dtype::DType::F32;
        let of = |batch: &[usize], [m, n, k]: [usize; 3], transpose_a, transpose_b| {
            let dims = |rows, cols, transposed| {
                let dims = if transposed { [cols, rows] } else { [rows, cols] };
                Meta::new([batch, &dims].concat(), F32)
            };
            let op = Matmul::full(transpose_a, transpose_b);
            let operands = [dims(m, k, transpose_a), dims(k, n, transpose_b)];
            let product = op.product(&operands[0].shape, &operands[1].shape);
            let (bound, reason) = product.served(Terms::Floats).accuracy;
            Sample::new(op, operands).bound(bound, reason)
        };
        let mut samples = vec![
            of(&[], [65, 66, 67], false, false).named("past a tile"),
            of(&[], [1, 1, 1], false, false).named("one"),
            of(&[], [1, 33, 129], false, false).named("row"),
            of(&[], [37, 1, 5], false, false).named("column"),
            of(&[3, 2], [5, 3, 4], false, false).named("two batch axes"),
            of(&[16], [65, 66, 3], false, false).without_gradient().named("many large tiles"),
            of(&[4097], [3, 2, 2], false, false).without_gradient().named("many batches"),
            of(&[2], [64, 64, 8], false, false).without_gradient().named("whole tiles"),
            of(&[16], [64, 128, 16], false, false).without_gradient().named("whole large tiles"),
            of(&[200], [61, 62, 3], false, true).without_gradient().named("many tiles of 64 x 64"),
            of(&[100], [125, 126, 9], true, false)
                .without_gradient()
                .named("many tiles of 128 x 64"),
            of(&[], [547, 70, 18], false, true).without_gradient().named("panels of tiles"),
            of(&[], [33, 34, 259], false, false).named("slices of k"),
            of(&[], [20, 40, 288], true, true).without_gradient().named("whole slices of k"),
            of(&[2], [5, 36, 260], false, true).without_gradient().named("slices of few rows"),
            of(&[], [33, 34, 1030], false, false).named("parts of k"),
            of(&[2], [32, 20, 1056], true, true).without_gradient().named("whole parts of k"),
            of(&[], [5, 6, 2881], false, true).without_gradient().named("a part of one term"),
            of(&[], [5, 6, 5000], false, true).without_gradient().named("many parts of k"),
            of(&[], [1, 37, 300], false, false).named("vector"),
            of(&[2], [70, 1, 260], false, false).without_gradient().named("vector on the right"),
            of(&[], [4, 36, 260], true, true).without_gradient().named("four vectors"),
            of(&[], [3, 64, 300], false, false).without_gradient().named("three vectors"),
            of(&[2], [66, 3, 259], true, false)
                .without_gradient()
                .named("three vectors on the right"),
            of(&[], [67, 4, 257], false, false)
                .without_gradient()
                .named("four vectors on the right"),
            of(&[], [2, 35, 1030], false, true).without_gradient().named("two vectors in parts"),
            of(&[], [1, 1, 5000], false, false).without_gradient().named("vectors"),
            of(&[66_000], [1, 2, 2], false, false).without_gradient().named("a folded grid"),
            of(&[], [3, 4, 0], false, false).named("no terms"),
            of(&[2], [3, 4, 0], true, true).named("no terms, transposed"),
            of(&[], [0, 4, 3], false, false).named("no rows"),
            of(&[0], [2, 3, 4], false, true).named("no batches"),
        ];
        for (transpose_a, transpose_b) in [(false, true), (true, false), (true, true)] {
            samples.push(of(&[2], [9, 7, 11], transpose_a, transpose_b));
            samples.push(of(&[], [33, 34, 35], transpose_a, transpose_b).named("past a tile"));
        }
        let large = of(&[16], [33, 70, 5], true, true).without_gradient();
        samples.push(large.named("many large tiles, transposed"));
        // 82,000 elements, which the CPU transposes in parts that are not multiples of a square.
        for transpose_a in [false, true] {
            let wide = of(&[], [5, 205, 401], transpose_a, true).without_gradient();
            samples.push(wide.named("turned in parts"));
        }
        with_halves(
            samples,
            &[
                "",
                "one",
                "past a tile",
                "slices of k",
                "parts of k",
                "vector",
                "row",
                "two batch axes",
                "no terms",
                "many large tiles",
            ],
        )
    }
}
