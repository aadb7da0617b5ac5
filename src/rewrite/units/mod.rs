//! Products and convolutions on matrix units: those that asked for it, on a device that has some.

mod convolutions;
mod halves;
mod products;

use super::pass::keep;
use crate::{
    graph::{Graph, Node, Tensor},
    ops::{Op, convolution::UnitConvolution, matmul::UnitMatmul, precision::MatrixUnits},
    shape::Meta,
};
use halves::On;

/// Operations that get their units at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Before gradients of weights are split by images.
    Convolutions,
    /// After transposes have become flags of products.
    Products,
}

/// The replacement of an operation.
enum Serving {
    /// One on units.
    Units(On),
    /// One on units of the same size with other subgroups.
    Other(MatrixUnits),
    /// One without units, which the device does not have.
    None,
}

impl Kind {
    /// The units of an operation of this kind on this device; `None` if it stays what it is.
    fn serving(self, op: &Op, operands: &[&Meta], available: &[MatrixUnits]) -> Option<Serving> {
        let asked = match (self, op) {
            (Kind::Products, Op::Matmul(op)) => op.on_units(operands),
            (Kind::Convolutions, Op::Convolution(op)) => op.on_units(operands),
            (Kind::Convolutions, Op::ConvolutionInputGrad(op)) => op.on_units(operands),
            (Kind::Convolutions, Op::ConvolutionWeightGrad(op)) => op.on_units(operands),
            (Kind::Products, Op::UnitMatmul(op)) => return other(op.units, available),
            (Kind::Convolutions, Op::UnitConvolution(op)) => return other(op.units, available),
            _ => None,
        };
        let is_split = asked?.ok()?;
        Some(Serving::Units(On { is_split, units: *available.first()? }))
    }

    /// Whether anything is to be done.
    pub(super) fn applies(self, graph: &Graph, available: &[MatrixUnits]) -> bool {
        let inner = graph.inner.borrow();
        inner.nodes.iter().any(|node| {
            let operands = node.inputs.iter().map(|id| &inner.nodes[id.index()].meta);
            self.serving(&node.op, &operands.collect::<Vec<_>>(), available).is_some()
        })
    }

    pub(super) fn rule<'g>(
        self,
        node: &Node,
        x: &[Tensor<'g>],
        graph: &'g Graph,
        available: &[MatrixUnits],
    ) -> Tensor<'g> {
        let metas: Vec<Meta> = x.iter().map(|x| x.meta()).collect();
        let serving = self.serving(&node.op, &metas.iter().collect::<Vec<_>>(), available);
        match (serving, &node.op) {
            (Some(Serving::Units(on)), Op::Matmul(product)) => products::on_units(product, on, x),
            (Some(Serving::Units(on)), Op::Convolution(op)) => convolutions::forward(op, on, x),
            (Some(Serving::Units(on)), Op::ConvolutionInputGrad(op)) => {
                convolutions::input_grad(op, on, x)
            }
            (Some(Serving::Units(on)), Op::ConvolutionWeightGrad(op)) => {
                convolutions::weight_grad(op, on, x)
            }
            (Some(Serving::Other(units)), Op::UnitMatmul(op)) => {
                graph.push(UnitMatmul { units, ..op.clone() }, x)
            }
            (Some(Serving::Other(units)), Op::UnitConvolution(op)) => {
                graph.push(UnitConvolution { units, ..op.clone() }, x)
            }
            (Some(Serving::None), op) => op.expand(x).unwrap_or_else(|| keep(node, x, graph)),
            _ => keep(node, x, graph),
        }
    }
}

/// The replacement of an operation on these units.
fn other(units: MatrixUnits, available: &[MatrixUnits]) -> Option<Serving> {
    match MatrixUnits::of_edge(units.edge, available) {
        None => Some(Serving::None),
        Some(same) if same == units => None,
        Some(same) => Some(Serving::Other(same)),
    }
}
