//! Operations that have no kernel for their shapes become what they are defined by.

use super::keep;
use crate::{
    graph::{Graph, Node, Tensor},
    ops::{Op, lowering::Lowering},
    shape::Meta,
};

fn expands(op: &Op, operands: &[&Meta], result: &Meta) -> bool {
    matches!(op.lower(operands, result), Lowering::Expand)
}

/// Whether anything is left to expand; an expansion may contain another.
pub(super) fn applies(graph: &Graph) -> bool {
    let inner = graph.inner.borrow();
    inner.nodes.iter().any(|node| {
        let operands: Vec<_> = node.inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
        expands(&node.op, &operands, &node.meta)
    })
}

pub(super) fn rule<'g>(node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Tensor<'g> {
    let metas: Vec<Meta> = x.iter().map(|x| x.meta()).collect();
    if expands(&node.op, &metas.iter().collect::<Vec<_>>(), &node.meta)
        && let Some(expansion) = node.op.expand(x)
    {
        return expansion;
    }
    keep(node, x, graph)
}
