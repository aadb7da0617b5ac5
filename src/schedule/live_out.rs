//! Values that are live at the end of a run: results and new values of variables.

use crate::graph::{Effect, NodeId};
use std::collections::{HashMap, HashSet};

/// Nodes that must stay in memory after their group: results and new values of variables.
pub(super) struct LiveOut<'a> {
    pub effects: &'a [Effect],
    outputs: HashSet<NodeId>,
    /// By new value.
    variables: HashMap<NodeId, NodeId>,
}

impl<'a> LiveOut<'a> {
    pub fn new(outputs: &[NodeId], effects: &'a [Effect]) -> Self {
        let variables = effects.iter().map(|effect| (effect.value, effect.variable)).collect();
        LiveOut { effects, outputs: outputs.iter().copied().collect(), variables }
    }

    pub fn contains(&self, node: NodeId) -> bool {
        self.is_output(node) || self.variables.contains_key(&node)
    }

    pub fn is_output(&self, node: NodeId) -> bool {
        self.outputs.contains(&node)
    }

    /// The variable that is assigned this value.
    pub fn variable_of(&self, value: NodeId) -> Option<NodeId> {
        self.variables.get(&value).copied()
    }
}
