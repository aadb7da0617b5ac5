//! Indices that are known while a graph is built.
//!
//! The result of an out-of-range index is defined on every device, but it is an error all the same:
//! if the indices of an operation are constant, the graph reports it.

use super::{Graph, Node, NodeId};
use crate::{error::OpError, ops::Op};

/// Checks the range of indices that are all one constant.
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

/// Follows layout operations back to the node whose elements these are.
pub(crate) fn unmoved<'a>(node: impl Fn(NodeId) -> &'a Node, id: NodeId) -> NodeId {
    let mut id = id;
    while let Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Flip(_) = node(id).op {
        id = node(id).inputs[0];
    }
    id
}
