//! Layers of a traced graph: the tree of its scopes, and what each of them has.

use super::LayerSummary;
use crate::{
    graph::{Node, NodeId, Tensor},
    nn::{Scope, scope::Visit},
    ops::Op,
    shape::Meta,
};
use std::collections::{HashMap, HashSet};

/// The whole as one layer, and all layers in it, each before those within it.
pub(super) fn layers(cx: &Scope<'_>, output: Tensor<'_>) -> (LayerSummary, Vec<LayerSummary>) {
    let (graph, visits) = (cx.graph(), cx.visits());
    let mut tree = Tree::new(&visits);
    tree.add_variables(cx);
    let inner = graph.inner.borrow();
    let updates = inner.effects.iter().map(|effect| effect.value);
    let run = graph.needed(&[output.id()].into_iter().chain(updates).collect::<Vec<_>>());
    tree.add_operations(&inner.nodes, &run);
    tree.add_values(&inner.nodes, &run, &made_in_time(&inner.nodes, &visits), output.id());
    tree.summed()
}

/// Which nodes were made while their scope was live, and not afterwards, as those of a derivative
/// are.
fn made_in_time(nodes: &[Node], visits: &[Visit]) -> Vec<bool> {
    let mut marks = vec![false; nodes.len()];
    for Visit { path, nodes: time } in visits {
        let made = marks.iter_mut().zip(nodes).take(time.end).skip(time.start);
        made.for_each(|(mark, node)| *mark |= node.scope == *path);
    }
    marks
}

/// A layer, and where it is in the tree.
#[derive(Default)]
struct Branch {
    /// Its own numbers, until they are summed up.
    layer: LayerSummary,
    /// The one it is within; the root is within itself.
    parent: usize,
    is_leaf: bool,
    /// Its last value that is used outside of it.
    output: Option<NodeId>,
    /// Its operation that takes most.
    largest: Option<(f64, &'static str)>,
}

/// The scopes, each before those within it. The first is the root.
struct Tree {
    branches: Vec<Branch>,
    by_path: HashMap<String, usize>,
}

impl Tree {
    /// A tree without numbers. Siblings are in the order in which they were first entered.
    fn new(visits: &[Visit]) -> Self {
        let mut ranks: HashMap<&str, usize> = HashMap::from([("", 0)]);
        for path in visits.iter().flat_map(|visit| steps(&visit.path)) {
            let next = ranks.len();
            ranks.entry(path).or_insert(next);
        }
        let mut paths: Vec<&str> = ranks.keys().copied().collect();
        paths.sort_by_cached_key(|path| {
            steps(path).filter_map(|step| ranks.get(step)).collect::<Vec<_>>()
        });
        let mut tree = Tree { branches: vec![], by_path: HashMap::new() };
        for path in paths {
            let parent = tree.nearest(parent_of(path));
            if let Some(parent) = tree.branches.get_mut(parent) {
                parent.is_leaf = false;
            }
            tree.by_path.insert(path.to_owned(), tree.branches.len());
            let layer = LayerSummary { path: path.to_owned(), ..LayerSummary::default() };
            tree.branches.push(Branch { layer, parent, is_leaf: true, ..Branch::default() });
        }
        tree
    }

    /// The scope of this path, or the closest one around it.
    fn nearest(&self, mut path: &str) -> usize {
        loop {
            match self.by_path.get(path) {
                Some(&branch) => return branch,
                None if path.is_empty() => return 0,
                None => path = parent_of(path),
            }
        }
    }

    fn of_scope(&mut self, path: &str) -> &mut Branch {
        let index = self.nearest(path);
        &mut self.branches[index]
    }

    /// Counts variables where their paths lead.
    fn add_variables(&mut self, cx: &Scope<'_>) {
        let uses = cx.uses();
        let trainable: HashSet<String> = cx.params().into_iter().map(|(path, _)| path).collect();
        for (path, (_, declaration)) in &cx.graph().inner.borrow().variables {
            let layer = &mut self.of_scope(parent_of(path)).layer;
            let elements = declaration.meta.shape.len();
            let Some(&uses) = uses.get(path) else {
                layer.variables += elements;
                continue;
            };
            layer.params += elements;
            layer.trainable += if trainable.contains(path) { elements } else { 0 };
            layer.calls = fewer(layer.calls, uses);
        }
    }

    /// Counts the operations that run.
    fn add_operations(&mut self, nodes: &[Node], run: &[bool]) {
        for (node, _) in nodes.iter().zip(run).filter(|(_, run)| **run) {
            let operands: Vec<&Meta> =
                node.inputs.iter().map(|input| &nodes[input.index()].meta).collect();
            let flops = node.op.cost(&operands, &node.meta).flops;
            let branch = self.of_scope(&node.scope);
            branch.layer.flops += flops;
            let is_larger = branch.largest.is_none_or(|(most, _)| flops > most);
            if is_larger && !is_source(&node.op) {
                branch.largest = Some((flops, node.op.name()));
            }
        }
    }

    /// Finds the values that leave a layer, and counts those that pass from one scope to another in
    /// a run.
    fn add_values(&mut self, nodes: &[Node], run: &[bool], forward: &[bool], output: NodeId) {
        let mut passes = vec![false; nodes.len()];
        for (user, node) in nodes.iter().enumerate().filter(|(user, _)| forward[*user]) {
            for &input in node.inputs.iter().filter(|input| forward[input.index()]) {
                let maker = &nodes[input.index()];
                if maker.scope != node.scope && !is_source(&maker.op) {
                    passes[input.index()] |= run[user];
                    self.leave(&maker.scope, Some(&node.scope), input);
                }
            }
        }
        if let Some(maker) = nodes.get(output.index()) {
            passes[output.index()] = !is_source(&maker.op);
            self.leave(&maker.scope, None, output);
        }
        for (node, _) in nodes.iter().zip(&passes).filter(|(_, passes)| **passes) {
            self.of_scope(&node.scope).layer.activation_bytes += 4 * node.meta.shape.len();
        }
        for branch in &mut self.branches {
            branch.layer.output = branch.output.map(|id| nodes[id.index()].meta.clone());
        }
    }

    /// Notes that a value leaves its scope, and those around it as far as its user is not within
    /// them, or all of them.
    fn leave(&mut self, scope: &str, user: Option<&str>, value: NodeId) {
        let mut path = scope;
        loop {
            let is_within = |user: &str| {
                user.strip_prefix(path)
                    .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
            };
            if user.is_some_and(is_within) {
                return;
            }
            let branch = self.of_scope(path);
            branch.output = branch.output.max(Some(value));
            if path.is_empty() {
                return;
            }
            path = parent_of(path);
        }
    }

    /// Adds the numbers of each layer to those of the one around it, and parts the root from the
    /// rest.
    fn summed(mut self) -> (LayerSummary, Vec<LayerSummary>) {
        for index in (1..self.branches.len()).rev() {
            let LayerSummary {
                calls, params, trainable, variables, flops, activation_bytes, ..
            } = self.branches[index].layer;
            let parent = self.branches[index].parent;
            let sum = &mut self.branches[parent].layer;
            sum.calls = fewer(sum.calls, calls);
            sum.params += params;
            sum.trainable += trainable;
            sum.variables += variables;
            sum.flops += flops;
            sum.activation_bytes += activation_bytes;
        }
        let mut layers = self.branches.into_iter().map(|branch| {
            let Branch { mut layer, is_leaf, largest, .. } = branch;
            layer.calls = layer.calls.max(1);
            let stated = layer.name().split_once(':').map(|(_, kind)| kind.to_owned());
            let largest = largest.filter(|_| is_leaf).map(|(_, op)| op.to_owned());
            LayerSummary { kind: stated.or(largest), ..layer }
        });
        let total = layers.next().unwrap_or_default();
        (total, layers.collect())
    }
}

/// The smaller number of calls; 0 stands for no parameters, which tell nothing.
fn fewer(a: usize, b: usize) -> usize {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

/// Paths from the one below the root to this one.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.map(|end| &path[..end]).filter(|step| !step.is_empty())
}

/// The path without its last name.
fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Whether it holds a value that a program is given, and calculates none.
fn is_source(op: &Op) -> bool {
    matches!(op, Op::Input(_) | Op::Variable(_) | Op::Constant(_))
}
