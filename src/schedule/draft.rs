//! A group under construction.

use super::expr::{Affine, Body, Guard, TermId};
use crate::graph::NodeId;
use std::collections::HashMap;

/// A group under construction.
pub(super) struct Draft {
    pub(super) space: Vec<usize>,
    pub(super) body: Body,
    pub(super) operands: Vec<NodeId>,
    pub(super) nodes: Vec<NodeId>,
    /// Nodes that must be stored if this attempt is accepted.
    pub(super) requests: Vec<NodeId>,
    /// The kernel or reduction whose result the body continues, and its coordinates.
    pub(super) anchor: Option<(NodeId, Vec<Affine>)>,
    pub(super) anchor_allowed: bool,
    pub(super) known: HashMap<(NodeId, Vec<Affine>, Vec<Guard>), TermId>,
    /// Maximum depth to which operations may be inlined, and the depth reached.
    pub(super) depth: usize,
    pub(super) reached: usize,
}

impl Draft {
    pub(super) fn new(space: Vec<usize>, depth: usize) -> Self {
        Draft {
            space,
            body: Body::default(),
            operands: vec![],
            nodes: vec![],
            requests: vec![],
            anchor: None,
            anchor_allowed: depth > 0,
            known: HashMap::new(),
            depth,
            reached: 0,
        }
    }

    /// Finishes the expression and starts another one, over another space, in the same group.
    pub(super) fn turn_to(&mut self, space: Vec<usize>) {
        self.space = space;
        self.known.clear();
        self.anchor_allowed = false;
    }

    pub(super) fn operand(&mut self, node: NodeId) -> usize {
        let known = self.operands.iter().position(|&known| known == node);
        known.unwrap_or_else(|| {
            self.operands.push(node);
            self.operands.len() - 1
        })
    }
}

/// Current position of the walk within a group.
#[derive(Clone)]
pub(super) struct At {
    pub(super) coords: Vec<Affine>,
    pub(super) guards: Vec<Guard>,
    /// Whether every node from the root to here has a single consumer.
    pub(super) exclusive: bool,
    pub(super) depth: usize,
}

impl At {
    /// The root, at every point of the space.
    pub(super) fn root(space: &[usize]) -> Self {
        let coords = (0..space.len()).map(|dim| Affine::coordinate(dim, space.len())).collect();
        At { coords, guards: vec![], exclusive: true, depth: 0 }
    }
}
