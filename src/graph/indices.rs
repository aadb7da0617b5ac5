//! Indices that are known while a graph is built.
//!
//! What a device makes of an index out of range is defined, but it is a mistake all the same: where
//! the indices of an operation are a constant, the graph says so.

use super::{Graph, Node, NodeId};
use crate::{error::OpError, ops::Op};

/// The mistake of an operation whose indices are all one number.
pub(crate) fn refuse_constant(graph: &Graph, op: &Op, inputs: &[NodeId]) -> Result<(), OpError> {
    let inner = graph.inner.borrow();
    let operands: Vec<_> = inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
    let Some((operand, extent)) = op.indexes(&operands) else { return Ok(()) };
    let source = unmoved(|id| &inner.nodes[id.index()], inputs[operand]);
    match &inner.nodes[source.index()].op {
        Op::Full(full) if full.word as usize >= extent && !operands[operand].shape.is_empty() => {
            Err(OpError::Index { index: full.word, extent })
        }
        _ => Ok(()),
    }
}

/// The node whose elements these are, all of them, however they are arranged.
pub(crate) fn unmoved<'a>(node: impl Fn(NodeId) -> &'a Node, id: NodeId) -> NodeId {
    let mut id = id;
    while let Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Flip(_) = node(id).op {
        id = node(id).inputs[0];
    }
    id
}
