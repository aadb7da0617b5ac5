//! Expansion of operations without a kernel for their shapes into their definition.

use super::pass::keep;
use crate::{
    dtype::DType,
    graph::{Graph, Node, Tensor},
    ops::{Op, class::Class},
    shape::Meta,
};

fn expands(op: &Op, operands: &[&Meta], result: &Meta) -> bool {
    matches!(op.class(operands, result), Class::Composite)
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
    if !expands(&node.op, &metas.iter().collect::<Vec<_>>(), &node.meta) {
        return keep(node, x, graph);
    }
    if metas.iter().any(|meta| meta.dtype == DType::F16) {
        // In f32, so that intermediates are not rounded to f16, just as in a kernel.
        let wide: Vec<Tensor> = x.iter().map(|x| x.widened()).collect();
        return graph.push(node.op.clone(), &wide).cast(node.meta.dtype);
    }
    node.op.expand(x).unwrap_or_else(|| keep(node, x, graph))
}
