//! Merges maps over the same space into one map with several results.
//!
//! A map takes what the other computes at the same point directly from it, and shared operands are
//! read only once. Values that no other group needs are then not stored at all.

use super::{
    expr::{Term, TermId},
    fuse::{MAX_BUFFERS, MAX_OPERATIONS},
    group::{Group, GroupKind},
};
use crate::graph::{Effect, NodeId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Nodes that must stay in memory after their group: results and new values of variables.
pub(super) struct LiveOut<'a> {
    pub outputs: &'a [NodeId],
    pub effects: &'a [Effect],
}

impl LiveOut<'_> {
    pub fn contains(&self, node: NodeId) -> bool {
        self.outputs.contains(&node) || self.effects.iter().any(|effect| effect.value == node)
    }

    /// The variable that is assigned this value.
    pub fn variable_of(&self, value: NodeId) -> Option<NodeId> {
        self.effects.iter().find(|effect| effect.value == value).map(|effect| effect.variable)
    }
}

/// How the bindings of a group are counted before the order is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A variable that could be updated in place is bound once.
    InPlace,
    /// Every operand and every result is a separate binding.
    All,
}

/// Merges maps until no further pair can be merged. Groups are topologically sorted before and
/// after.
pub(super) fn merge(groups: Vec<Group>, live_out: &LiveOut<'_>, count: Count) -> Vec<Group> {
    let mut merger = Merger::new(groups, live_out, count);
    let mut first = 0;
    while first < merger.order.len() {
        let a = merger.order[first];
        let partner =
            merger.candidates(a).into_iter().find_map(|b| Some((b, merger.merged(a, b)?)));
        match partner {
            // The merged group is tried again at its new position.
            Some((b, group)) => first = merger.replace(a, b, group).min(first),
            None => first += 1,
        }
    }
    let Merger { groups, order, .. } = merger;
    let mut groups: Vec<_> = groups;
    order.into_iter().filter_map(|id| groups[id].take()).collect()
}

/// Groups with their producers and readers.
struct Merger<'a> {
    live_out: &'a LiveOut<'a>,
    count: Count,
    groups: Vec<Option<Group>>,
    /// Indices into `groups`, operands first, and the position of each.
    order: Vec<usize>,
    position: Vec<usize>,
    producer: HashMap<NodeId, usize>,
    readers: HashMap<NodeId, BTreeSet<usize>>,
}

impl<'a> Merger<'a> {
    fn new(groups: Vec<Group>, live_out: &'a LiveOut<'a>, count: Count) -> Self {
        let order: Vec<usize> = (0..groups.len()).collect();
        let mut merger = Merger {
            live_out,
            count,
            position: order.clone(),
            order,
            producer: HashMap::new(),
            readers: HashMap::new(),
            groups: groups.into_iter().map(Some).collect(),
        };
        for id in 0..merger.groups.len() {
            merger.enter(id);
        }
        merger
    }

    /// Records the operands and roots of a group.
    fn enter(&mut self, id: usize) {
        if let Some(group) = &self.groups[id] {
            self.producer.extend(group.roots.iter().map(|&root| (root, id)));
            for &operand in &group.operands {
                self.readers.entry(operand).or_default().insert(id);
            }
        }
    }

    /// Removes a group.
    fn leave(&mut self, id: usize) -> Option<Group> {
        let group = self.groups[id].take()?;
        for root in &group.roots {
            self.producer.remove(root);
        }
        for operand in &group.operands {
            if let Some(readers) = self.readers.get_mut(operand) {
                readers.remove(&id);
            }
        }
        Some(group)
    }

    /// Later maps over the same space that read what `a` computes or reads; those that share the
    /// most come first.
    fn candidates(&self, a: usize) -> Vec<usize> {
        let Some(Group { roots, operands, kind: GroupKind::Map { space, .. }, .. }) =
            &self.groups[a]
        else {
            return vec![];
        };
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for (nodes, worth) in [(roots, 2), (operands, 1)] {
            for reader in nodes.iter().filter_map(|node| self.readers.get(node)).flatten() {
                *shared.entry(*reader).or_default() += worth;
            }
        }
        let mut candidates: Vec<(usize, usize)> = shared
            .into_iter()
            .filter(|&(b, _)| {
                let same =
                    |g: &Group| matches!(&g.kind, GroupKind::Map { space: s, .. } if s == space);
                self.position[b] > self.position[a] && self.groups[b].as_ref().is_some_and(same)
            })
            .collect();
        candidates.sort_by_key(|&(b, worth)| (std::cmp::Reverse(worth), self.position[b]));
        candidates.into_iter().map(|(b, _)| b).collect()
    }

    /// Puts the merged group at the position of the later one, followed by everything that depends
    /// on it. Returns the first position that changed.
    fn replace(&mut self, a: usize, b: usize, group: Group) -> usize {
        self.leave(a);
        self.leave(b);
        self.groups[b] = Some(group);
        self.enter(b);
        let (from, to) = (self.position[a], self.position[b]);
        // Groups between the two that depend on the merged group move behind it.
        let between: Vec<usize> = self.order[from + 1..to].to_vec();
        let mut behind: BTreeSet<usize> = BTreeSet::from([b]);
        let (mut before, mut after) = (vec![], vec![]);
        for id in between {
            let operands = self.groups[id].iter().flat_map(|group| &group.operands);
            let mut producers = operands.filter_map(|operand| self.producer.get(operand));
            if producers.any(|producer| behind.contains(producer)) {
                behind.insert(id);
                after.push(id);
            } else {
                before.push(id)
            }
        }
        let moved: Vec<usize> = before.into_iter().chain([b]).chain(after).collect();
        self.order.splice(from..=to, moved);
        for position in from..self.order.len() {
            self.position[self.order[position]] = position;
        }
        from
    }

    /// Whether `b` depends on `a` through another group.
    fn passes_between(&self, a: usize, b: usize) -> bool {
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        for &id in &self.order[self.position[a] + 1..=self.position[b]] {
            let operands = self.groups[id].iter().flat_map(|group| &group.operands);
            let mut producers = operands.filter_map(|operand| self.producer.get(operand));
            if id == b {
                return producers.any(|producer| reached.contains(producer));
            }
            if producers.any(|producer| *producer == a || reached.contains(producer)) {
                reached.insert(id);
            }
        }
        false
    }

    /// Whether a group other than these two reads a node, or the node outlives the run.
    fn is_needed(&self, node: NodeId, [a, b]: [usize; 2]) -> bool {
        let others = self
            .readers
            .get(&node)
            .is_some_and(|readers| readers.iter().any(|&reader| reader != a && reader != b));
        others || self.live_out.contains(node)
    }

    /// Merges the two groups if order and bindings allow it.
    fn merged(&self, a: usize, b: usize) -> Option<Group> {
        let (first, second) = (self.groups[a].as_ref()?, self.groups[b].as_ref()?);
        let (
            GroupKind::Map { space, body, terms },
            GroupKind::Map { body: later, terms: wanted, .. },
        ) = (&first.kind, &second.kind)
        else {
            return None;
        };
        if first.nodes.len() + second.nodes.len() > 2 * MAX_OPERATIONS
            || !first.roots.iter().all(|root| second.reads_in_place(*root))
            || self.passes_between(a, b)
        {
            return None;
        }
        let mut operands = first.operands.clone();
        let mut body = body.clone();
        let mut renamed: Vec<TermId> = Vec::with_capacity(later.terms.len());
        for (term, dtype) in &later.terms {
            let id = match term {
                Term::Load { operand, index, guards } => {
                    let node = second.operands[*operand];
                    match first.roots.iter().position(|root| *root == node) {
                        Some(root) => terms[root],
                        None => {
                            let operand = position_or_push(&mut operands, node);
                            let (index, guards) = (index.clone(), guards.clone());
                            body.push(Term::Load { operand, index, guards }, *dtype)
                        }
                    }
                }
                Term::Apply(function, operands) => {
                    let operands = operands.iter().map(|&operand| renamed[operand]).collect();
                    body.push(Term::Apply(*function, operands), *dtype)
                }
                other => body.push(other.clone(), *dtype),
            };
            renamed.push(id);
        }
        let results = first.roots.iter().copied().zip(terms.iter().copied());
        let later = second.roots.iter().copied().zip(wanted.iter().map(|&term| renamed[term]));
        let needed = results.chain(later).filter(|&(root, _)| self.is_needed(root, [a, b]));
        let (roots, terms): (Vec<_>, Vec<_>) = needed.unzip();
        let mut nodes = [first.nodes.as_slice(), &second.nodes].concat();
        nodes.sort_unstable();
        nodes.dedup();
        let kind = GroupKind::Map { space: space.clone(), body, terms };
        let group = pruned(Group { roots, operands, nodes, kind });
        (buffers(&group, self.live_out, self.count) <= MAX_BUFFERS).then_some(group)
    }
}

fn position_or_push(nodes: &mut Vec<NodeId>, node: NodeId) -> usize {
    let known = nodes.iter().position(|known| *known == node);
    known.unwrap_or_else(|| {
        nodes.push(node);
        nodes.len() - 1
    })
}

/// Removes terms that no result needs, and operands that no term loads.
fn pruned(mut group: Group) -> Group {
    let GroupKind::Map { body, terms, .. } = &mut group.kind else { return group };
    let mut live = vec![false; body.terms.len()];
    for &term in terms.iter() {
        live[term] = true;
    }
    for id in (0..body.terms.len()).rev() {
        if let (true, Term::Apply(_, operands)) = (live[id], &body.terms[id].0) {
            for &operand in operands {
                live[operand] = true;
            }
        }
    }
    let old = std::mem::take(body);
    let mut renamed = vec![0; live.len()];
    let mut operands = Vec::new();
    for (id, (mut term, dtype)) in old.terms.into_iter().enumerate() {
        if !live[id] {
            continue;
        }
        match &mut term {
            Term::Load { operand, .. } => {
                *operand = position_or_push(&mut operands, group.operands[*operand]);
            }
            Term::Apply(_, operands) => operands.iter_mut().for_each(|o| *o = renamed[*o]),
            _ => {}
        }
        renamed[id] = body.push(term, dtype);
    }
    terms.iter_mut().for_each(|term| *term = renamed[*term]);
    group.operands = operands;
    group
}

/// Number of storage buffers a group binds.
pub(super) fn buffers(group: &Group, live_out: &LiveOut<'_>, count: Count) -> usize {
    let once = group.roots.iter().filter(|root| {
        live_out.variable_of(**root).is_some_and(|variable| {
            group.operands.contains(&variable) && group.reads_in_place(variable)
        })
    });
    let once = if count == Count::InPlace { once.count() } else { 0 };
    group.operands.len() + group.roots.len() - once
}
