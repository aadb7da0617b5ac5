//! Products of matrices on matrix units.

use super::halves::{On, halves, scale, unscaled};
use crate::{
    graph::Tensor,
    ops::{
        Precision,
        matmul::{Matmul, UnitMatmul},
        precision::MatrixUnits,
    },
};

/// A product on units, of split operands or not.
pub(super) fn on_units<'g>(product: &Matmul, on: On, x: &[Tensor<'g>]) -> Tensor<'g> {
    let On { units, is_split } = on;
    if is_split {
        return split_product(product, units, x[0], x[1]);
    }
    let product = Matmul { precision: Precision::Full, ..product.clone() };
    x[0].graph.push(UnitMatmul { product, is_split, units }, x)
}

/// The product of two f32 operands by halves of them.
fn split_product<'g>(
    product: &Matmul,
    units: MatrixUnits,
    a: Tensor<'g>,
    b: Tensor<'g>,
) -> Tensor<'g> {
    let [rows, cols] = [a.rank() as i32 - 2, a.rank() as i32 - 1];
    let (terms_of_a, terms_of_b) = (
        if product.transpose_a { rows } else { cols },
        if product.transpose_b { cols } else { rows },
    );
    let (of_a, of_b) = (scale(a, terms_of_a), scale(b, terms_of_b));
    let op = UnitMatmul {
        product: Matmul { precision: Precision::Full, ..product.clone() },
        is_split: true,
        units,
    };
    let y = a.graph.push(op, &[halves(a * of_a), halves(b * of_b)]);
    let transposed = |x: Tensor<'g>, is_so| if is_so { x.swap_axes(rows, cols) } else { x };
    let of_rows = transposed(of_a, product.transpose_a);
    let of_columns = transposed(of_b, product.transpose_b);
    unscaled(y, of_rows, of_columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        array64::Array64,
        autodiff,
        dtype::DType,
        error::Error,
        graph::{Graph, Node},
        interpret::interpret,
        ops::{Op, contract::Noise},
        rewrite::{self, Target},
        shape::Meta,
    };

    const UNITS: MatrixUnits = MatrixUnits { edge: 16, lanes: [32; 2] };

    /// The operations of a rewritten graph that are products, as dumps show them.
    fn products(graph: &Graph, outputs: &[Tensor<'_>], available: &[MatrixUnits]) -> Vec<String> {
        let ids: Vec<_> = outputs.iter().map(|output| output.id).collect();
        let (rewritten, _) =
            rewrite::run(graph, &ids, false, Target::with_units(available)).expect("it is valid");
        let inner = rewritten.inner.borrow();
        let described = inner.nodes.iter().map(|node| node.op.describe());
        described.filter(|text| text.starts_with("matmul")).collect()
    }

    #[test]
    fn products_and_those_of_their_derivatives_are_split_where_there_are_units() {
        let graph = Graph::new();
        let [a, b] = ["a", "b"].map(|name| graph.input(name, [512, 512], DType::F32));
        let exact = a.matmul(b);
        assert_eq!(graph.set_precision(Precision::Split), Precision::Full);
        let fast = a.matmul(b);
        assert_eq!(graph.set_precision(Precision::Full), Precision::Split);
        let gradients = autodiff::grad(fast.sum(..), &[a, b]);
        let outputs = [[exact, fast].as_slice(), &gradients].concat();
        let there = products(&graph, &outputs, &[UNITS]);
        assert_eq!(
            there,
            ["matmul", "matmul_split[16x16]", "matmul_split[16x16, bt]", "matmul_split[16x16, at]"]
        );
        let elsewhere = products(&graph, &outputs, &[]);
        assert_eq!(
            elsewhere,
            ["matmul", "matmul[split]", "matmul[bt, split]", "matmul[at, split]"]
        );
    }

    #[test]
    fn what_is_asked_for_and_the_shape_decide() {
        let served = |precision, dtype, [m, k, n]: [usize; 3]| {
            let graph = Graph::new();
            graph.set_precision(precision);
            let a = graph.input("a", [m, k], dtype);
            let y = a.matmul(graph.input("b", [k, n], dtype));
            products(&graph, &[y], &[UNITS]).remove(0)
        };
        let (f16, f32) = (DType::F16, DType::F32);
        assert_eq!(served(Precision::Full, f16, [512; 3]), "matmul");
        assert_eq!(served(Precision::Units, f16, [512; 3]), "matmul_units[16x16]");
        assert_eq!(served(Precision::Split, f16, [5, 64, 3]), "matmul_units[16x16]");
        assert_eq!(served(Precision::Units, f16, [5, 63, 3]), "matmul[units]");
        assert_eq!(served(Precision::Units, f32, [512; 3]), "matmul[units]");
        assert_eq!(served(Precision::Split, f32, [512; 3]), "matmul_split[16x16]");
        assert_eq!(served(Precision::Split, f32, [512, 511, 512]), "matmul[split]");
        assert_eq!(served(Precision::Split, f32, [8192, 63, 8192]), "matmul[split]");
    }

    /// Splitting by itself, with everything else in f64: each result is judged by the magnitudes of its
    /// own terms, whatever those of its neighbors are.
    #[test]
    fn rows_and_columns_of_any_magnitude_keep_22_bits() -> Result<(), Error> {
        let [batches, m, k, n] = [2, 9, 70, 8];
        for (transpose_a, transpose_b) in [(false, false), (true, true)] {
            let mut noise = Noise::new(7);
            // Exponents of rows, columns and batches; 2^-149 is the least number, 2^127 near the largest.
            let of_row = |i: usize| [0, -30, -100, 90, -126, 3, 100, -60, 0][i];
            let of_col = |j: usize| [0, -30, -20, 20, 26, -10, -24, 1][j];
            let of_batch = |batch: usize| [0, -12][batch];
            let mut matrix =
                |rows: usize, cols: usize, exponent: &dyn Fn(usize, usize, usize) -> i32| {
                    let meta = Meta::new([batches, rows, cols], DType::F32);
                    Array64::from_fn(meta, |c| {
                        let scale = 2f64.powi(exponent(c[0], c[1], c[2]));
                        DType::F32.round((2.0 * noise.unit() - 1.0) * scale)
                    })
                };
            let a = match transpose_a {
                false => matrix(m, k, &|batch, i, _| of_row(i) + of_batch(batch)),
                true => matrix(k, m, &|batch, _, i| of_row(i) + of_batch(batch)),
            };
            let b = match transpose_b {
                false => matrix(k, n, &|_, _, j| of_col(j)),
                true => matrix(n, k, &|_, j, _| of_col(j)),
            };
            let graph = Graph::new();
            let inputs =
                [("a", &a), ("b", &b)].map(|(name, x)| graph.input(name, x.shape(), DType::F32));
            let product = Matmul::full(transpose_a, transpose_b);
            let y = split_product(&product, UNITS, inputs[0], inputs[1]);
            graph.check()?;
            let source = |op: &Op| {
                let is_a = matches!(op, Op::Input(input) if input.name == "a");
                Ok(if is_a { a.clone() } else { b.clone() })
            };
            let settle = |node: &Node, mut value: Array64| {
                if node.meta.dtype == DType::F16 {
                    value.data.iter_mut().for_each(|x| *x = DType::F16.round(*x));
                }
                Ok(value)
            };
            let results = interpret(&graph.inner.borrow().nodes, &[y.id], source, settle)?;
            for batch in 0..batches {
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let terms = (0..k).map(|p| {
                        let at = if transpose_a { [batch, p, i] } else { [batch, i, p] };
                        let bt = if transpose_b { [batch, j, p] } else { [batch, p, j] };
                        a.at(&at) * b.at(&bt)
                    });
                    let (sum, size) =
                        terms.fold((0.0, 0.0), |(sum, size), x: f64| (sum + x, size + x.abs()));
                    let error = (results[0].at(&[batch, i, j]) - sum).abs();
                    // The second half of either operand was rounded.
                    let bound = 2.0 * 2f64.powi(-22) * size;
                    assert!(error <= bound, "{i}, {j}: {error:e} of {size:e}");
                }
            }
        }
        Ok(())
    }
}
