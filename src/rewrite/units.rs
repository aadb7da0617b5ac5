//! Products on matrix units: those that asked for it, on a device that has some.
//!
//! An operand in f32 becomes two halves here. Each of its rows (columns, of the right operand) is
//! multiplied by a power of 2, so that its largest element is a large half, rounded to f16, and what was cut
//! off is rounded again. The result is multiplied by the inverse of both powers.

use super::pass::keep;
use crate::{
    dtype::DType,
    graph::{Graph, Node, Tensor},
    ops::{
        Op,
        matmul::{
            Matmul,
            units::{LARGEST, UnitMatmul},
        },
        precision::{MatrixUnits, Precision},
    },
    shape::Meta,
};

/// Exponents of the powers: the inverse of none is below the normal numbers, or infinite.
const EXPONENTS: [f64; 2] = [-113.0, 126.0];

/// The units of a product on this device; `None` if it stays what it is.
fn serving(op: &Op, operands: &[&Meta], available: &[MatrixUnits]) -> Option<Serving> {
    match op {
        Op::Matmul(product) => {
            let is_split = product.on_units(operands)?.ok()?;
            Some(Serving::Units { units: *available.first()?, is_split })
        }
        Op::UnitMatmul(product) => match MatrixUnits::of_edge(product.units.edge, available) {
            None => Some(Serving::None),
            Some(units) if units == product.units => None,
            Some(units) => Some(Serving::Other(units)),
        },
        _ => None,
    }
}

/// What a product becomes.
enum Serving {
    /// One on these units.
    Units { units: MatrixUnits, is_split: bool },
    /// One on units of the same size with other subgroups.
    Other(MatrixUnits),
    /// One without units, which the device does not have.
    None,
}

/// Whether anything is to be done.
pub(super) fn applies(graph: &Graph, available: &[MatrixUnits]) -> bool {
    let inner = graph.inner.borrow();
    inner.nodes.iter().any(|node| {
        let operands: Vec<_> = node.inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
        serving(&node.op, &operands, available).is_some()
    })
}

pub(super) fn rule<'g>(
    node: &Node,
    x: &[Tensor<'g>],
    graph: &'g Graph,
    available: &[MatrixUnits],
) -> Tensor<'g> {
    let metas: Vec<Meta> = x.iter().map(|x| x.meta()).collect();
    let serving = serving(&node.op, &metas.iter().collect::<Vec<_>>(), available);
    match (serving, &node.op) {
        (Some(Serving::Units { units, is_split: true }), Op::Matmul(product)) => {
            split_product(product, units, x[0], x[1])
        }
        (Some(Serving::Units { units, is_split }), Op::Matmul(product)) => {
            let product = Matmul { precision: Precision::Full, ..product.clone() };
            graph.push(UnitMatmul { product, is_split, units }, x)
        }
        (Some(Serving::Other(units)), Op::UnitMatmul(product)) => {
            graph.push(UnitMatmul { units, ..product.clone() }, x)
        }
        (Some(Serving::None), op) => op.expand(x).unwrap_or_else(|| keep(node, x, graph)),
        _ => keep(node, x, graph),
    }
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
    let (of_a, of_b) = (exponent(a, terms_of_a), exponent(b, terms_of_b));
    let op = UnitMatmul {
        product: Matmul { precision: Precision::Full, ..product.clone() },
        is_split: true,
        units,
    };
    let y = a.graph.push(op, &[halves(a * of_a.exp2()), halves(b * of_b.exp2())]);
    let transposed = |x: Tensor<'g>, is_so| if is_so { x.swap_axes(rows, cols) } else { x };
    let of_rows = (-transposed(of_a, product.transpose_a)).exp2();
    let of_columns = (-transposed(of_b, product.transpose_b)).exp2();
    // The smaller factor first: the result overflows if it must, and not on the way.
    y * of_rows.minimum(of_columns) * of_rows.maximum(of_columns)
}

/// The exponent of the power of 2 that makes the largest magnitude along an axis one of halves.
fn exponent(x: Tensor<'_>, axis: i32) -> Tensor<'_> {
    let [least, most] = EXPONENTS;
    (LARGEST.log2() - x.abs().amax_keepdims(axis).log2().floor()).maximum(least).minimum(most)
}

/// Two halves of which `x` is the sum, one after the other along a new first axis.
fn halves(x: Tensor<'_>) -> Tensor<'_> {
    let high = x.cast(DType::F16);
    let low = (x - high.cast(DType::F32)).cast(DType::F16);
    x.graph.stack(&[high, low], 0)
}
