//! A pass over a graph: copies the needed nodes one by one.

use crate::{
    error::Error,
    graph::{Effect, Graph, Node, NodeId, Tensor},
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

/// Copies the needed part of a graph, mapping each node through `rule`.
pub(super) fn pass(
    from: &Wanted<'_>,
    mut rule: impl for<'g> FnMut(&Node, &[Tensor<'g>], &'g Graph) -> Tensor<'g>,
) -> Result<Wanted<'static>, Error> {
    let old = from.graph.inner.borrow();
    let effects = || old.effects.iter().filter(|_| from.effects);
    let updates = effects().flat_map(|effect| [effect.variable, effect.value]);
    let needed =
        from.graph.needed(&from.outputs.iter().copied().chain(updates).collect::<Vec<_>>());
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
            _ => rule(node, &operands, &graph),
        };
        graph.check()?;
        copies.push(copy.id);
    }
    let at = |id: NodeId| copies[id.index()];
    let effects = effects().map(|e| Effect { variable: at(e.variable), value: at(e.value) });
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
