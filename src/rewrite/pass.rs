//! A pass over a graph: copies the needed nodes one by one.

use crate::{
    error::Error,
    graph::{Effect, Graph, Inner, Node, NodeId, Tensor},
    ops::Op,
    steps,
};
use std::borrow::Cow;

/// A graph, the outputs requested from it, and whether its effects are.
pub(super) struct Wanted<'a> {
    pub graph: Cow<'a, Graph>,
    pub outputs: Vec<NodeId>,
    pub effects: bool,
}

impl Wanted<'_> {
    /// The effects that are wanted.
    fn effects<'a>(&self, inner: &'a Inner) -> impl Iterator<Item = &'a Effect> + use<'a> {
        let are_wanted = self.effects;
        inner.effects.iter().filter(move |_| are_wanted)
    }

    /// Which nodes are needed.
    pub fn needed(&self, inner: &Inner) -> Vec<bool> {
        let updates = self.effects(inner).flat_map(|effect| [effect.variable, effect.value]);
        self.graph.needed(&self.outputs.iter().copied().chain(updates).collect::<Vec<_>>())
    }
}

/// Copies the needed part of a graph, mapping each node through `rule`.
pub(super) fn pass(
    from: &Wanted<'_>,
    mut rule: impl for<'g> FnMut(&Node, &[Tensor<'g>], &'g Graph) -> Tensor<'g>,
) -> Result<Wanted<'static>, Error> {
    pass_with_copies(from, |node, operands, graph, _| rule(node, operands, graph))
}

/// The same with a rule that gets the copies of all nodes before, too; their number is that of the node.
pub(super) fn pass_with_copies(
    from: &Wanted<'_>,
    mut rule: impl for<'g> FnMut(&Node, &[Tensor<'g>], &'g Graph, &[NodeId]) -> Tensor<'g>,
) -> Result<Wanted<'static>, Error> {
    let old = from.graph.inner.borrow();
    let needed = from.needed(&old);
    steps::count(old.nodes.len());
    let graph = Graph::new();
    graph.inner.borrow_mut().nodes.reserve(old.nodes.len());
    let mut copies: Vec<NodeId> = Vec::with_capacity(old.nodes.len());
    for (node, needed) in old.nodes.iter().zip(needed) {
        if !needed {
            copies.push(NodeId(u32::MAX));
            continue;
        }
        graph.enter(Some(node.scope.clone()));
        graph.attribute(Some(node.location));
        let operands: Vec<_> = node
            .inputs
            .iter()
            .map(|input| Tensor { graph: &graph, id: copies[input.index()] })
            .collect();
        let copy = match &node.op {
            Op::Input(input) => graph.input(&input.name, &node.meta.shape, node.meta.dtype),
            Op::Variable(variable) => {
                graph.declare(&variable.path, old.variables[&variable.path].1.clone())
            }
            _ => rule(node, &operands, &graph, &copies),
        };
        graph.check()?;
        copies.push(copy.id);
    }
    let at = |id: NodeId| copies[id.index()];
    let effects =
        from.effects(&old).map(|e| Effect { variable: at(e.variable), value: at(e.value) });
    graph.inner.borrow_mut().effects = effects.collect();
    graph.enter(None);
    graph.attribute(None);
    graph.verify()?;
    let outputs = from.outputs.iter().map(|&id| at(id)).collect();
    Ok(Wanted { graph: Cow::Owned(graph), outputs, effects: from.effects })
}

/// Copies the node unchanged.
pub(super) fn keep<'g>(node: &Node, operands: &[Tensor<'g>], graph: &'g Graph) -> Tensor<'g> {
    graph.push(node.op.clone(), operands)
}
