//! Indices that the host knows before a device sees them.
//!
//! What a device makes of an index out of range is defined, but it is a mistake all the same. Where
//! indices are an input, or a constant, and reach their operation unchanged, the mistake is told.

use crate::{
    error::{OpError, RunError},
    graph::{Graph, NodeId},
    ops::Op,
    shape::Meta,
    value::Fed,
};
use std::collections::BTreeMap;

/// The inputs of a program that hold indices: the least extent they point into, by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Indexed(BTreeMap<usize, usize>);

impl Indexed {
    /// Those of the nodes that are needed, among these inputs.
    pub fn new(graph: &Graph, needed: &[bool], inputs: &[(String, Meta)]) -> Self {
        let mut extents = BTreeMap::new();
        let inner = graph.inner.borrow();
        for (node, _) in inner.nodes.iter().zip(needed).filter(|(_, needed)| **needed) {
            let operands: Vec<_> =
                node.inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
            let Some((operand, extent)) = node.op.indexes(&operands) else { continue };
            let source = unmoved(|id| &inner.nodes[id.index()], node.inputs[operand]);
            if let Op::Input(input) = &inner.nodes[source.index()].op
                && let Some(position) = inputs.iter().position(|(name, _)| *name == input.name)
            {
                let least: &mut usize = extents.entry(position).or_insert(extent);
                *least = extent.min(*least);
            }
        }
        Indexed(extents)
    }

    /// Looks at what comes from the host.
    pub fn check(&self, inputs: &[(String, Meta)], fed: &[Fed<'_>]) -> Result<(), RunError> {
        for (&input, &extent) in &self.0 {
            let Fed::Host(array) = &fed[input] else { continue };
            let outside = |&word: &u32| word as usize >= extent;
            if let Some(position) = array.words().iter().position(outside) {
                let (name, index) = (inputs[input].0.clone(), array.words()[position]);
                return Err(RunError::IndexOutOfRange { name, index, position, extent });
            }
        }
        Ok(())
    }
}

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
fn unmoved<'a>(node: impl Fn(NodeId) -> &'a crate::graph::Node, id: NodeId) -> NodeId {
    let mut id = id;
    while let Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Flip(_) = node(id).op {
        id = node(id).inputs[0];
    }
    id
}
