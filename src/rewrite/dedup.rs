//! Common subexpression elimination: equal operations on equal operands are merged.
//!
//! Random operations differ by their stream, so two draws are never merged.

use super::pass::keep;
use crate::{
    graph::{Graph, Node, NodeId, Tensor},
    ops::Op,
};
use std::{collections::HashMap, fmt::Write};

/// Nodes built so far, by operation and operands.
pub(super) struct Known {
    nodes: HashMap<String, NodeId>,
    key: String,
}

impl Known {
    pub fn for_nodes(count: usize) -> Self {
        Known { nodes: HashMap::with_capacity(count), key: String::new() }
    }

    pub fn rule<'g>(&mut self, node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Tensor<'g> {
        // The derived `Debug` text shows every attribute exactly: floats print all their digits.
        self.key.clear();
        let _ = write!(self.key, "{:?}", node.op);
        for operand in x {
            let _ = write!(self.key, " {}", operand.id.index());
        }
        if let Some(&id) = self.nodes.get(&self.key)
            && is_same(&node.op, &graph.op(id))
        {
            return Tensor { graph, id };
        }
        let new = keep(node, x, graph);
        self.nodes.insert(self.key.clone(), new.id);
        new
    }
}

/// Whether operations of one text are one: that of a constant has a digest of its elements.
fn is_same(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Constant(a), Op::Constant(b)) => a == b,
        _ => true,
    }
}
