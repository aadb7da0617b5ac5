//! Common subexpression elimination: equal operations on equal operands are merged.
//!
//! Random operations differ by their stream, so two draws are never merged.

use super::pass::keep;
use crate::graph::{Graph, Node, NodeId, Tensor};
use std::collections::HashMap;

/// Nodes built so far, by operation and operands.
#[derive(Default)]
pub(super) struct Known(HashMap<(String, Vec<NodeId>), NodeId>);

impl Known {
    pub fn rule<'g>(&mut self, node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Tensor<'g> {
        // The derived `Debug` text shows every attribute exactly: floats print all their digits.
        let key = (format!("{:?}", node.op), x.iter().map(|x| x.id).collect());
        let id = *self.0.entry(key).or_insert_with(|| keep(node, x, graph).id);
        Tensor { graph, id }
    }
}
