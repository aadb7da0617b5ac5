//! Merges maps over the same space into one map with several results.
//!
//! A map takes what the other computes at the same point directly from it, and shared operands are
//! read only once. Values that no other group needs are then not stored at all.

use super::{
    expr::{Term, TermId},
    fuse::{MAX_BUFFERS, MAX_OPERATIONS},
    group::{Group, GroupKind},
    live_out::LiveOut,
    sequence::{Edges, Found, Sequence},
};
use crate::{graph::NodeId, steps};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

/// How the bindings of a group are counted before the order is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A variable that could be updated in place is bound once.
    InPlace,
    /// Every operand and every result is a separate binding.
    All,
}

/// Maximum number of maps over the same space that are tried for each node that they all read. Those
/// that share more with a map are tried first, and what is shared with hundreds is a learning rate:
/// merging saves next to nothing there.
const MAX_READERS: usize = 48;

/// Maximum number of groups that move when two maps are merged. The merged map takes the place of
/// the later one, and what depends on the first moves behind it; if that is more, what the later
/// one depends on moves in front.
const MAX_MOVED: usize = 256;

/// The groups that move when two maps are merged, and where to.
enum Room {
    /// Those that depend on the first map: behind the later one.
    Dependents(Vec<usize>),
    /// The later map and those it depends on: to the front.
    Needed(Vec<usize>),
}

/// Merges maps until no further pair can be merged. Groups are topologically sorted before and
/// after; `nodes` is the number of nodes of the graph.
pub(super) fn merge(
    groups: Vec<Group>,
    nodes: usize,
    live_out: &LiveOut<'_>,
    count: Count,
) -> Vec<Group> {
    let mut merger = Merger::new(groups, nodes, live_out, count);
    let mut merged = Vec::with_capacity(merger.groups.len());
    // The first group either joins a later group or is done: nothing moves in front of it.
    while let Some(a) = merger.sequence.pop_first() {
        let partner =
            merger.candidates(a).into_iter().find_map(|b| Some((b, merger.merged(a, b)?)));
        match partner {
            Some((b, group)) => merger.replace(a, b, group),
            None => merged.extend(merger.leave(a)),
        }
    }
    merged
}

/// The number of a map's space; `None` for other groups.
type Space = Option<usize>;

/// Groups with their producers and readers, of those that are not done.
struct Merger<'a> {
    live_out: &'a LiveOut<'a>,
    count: Count,
    groups: Vec<Option<Group>>,
    /// The variables that each group assigns.
    updated: Vec<Vec<NodeId>>,
    /// Numbers of groups, operands first.
    sequence: Sequence,
    ancestry: Ancestry,
    /// By node.
    producer: Vec<Option<usize>>,
    /// By node: the space and the number of each reader.
    readers: Vec<BTreeSet<(Space, usize)>>,
    spaces: HashMap<Vec<usize>, usize>,
}

impl<'a> Merger<'a> {
    fn new(groups: Vec<Group>, nodes: usize, live_out: &'a LiveOut<'a>, count: Count) -> Self {
        let mut merger = Merger {
            live_out,
            count,
            sequence: Sequence::new(groups.len()),
            ancestry: Ancestry::new(&groups, nodes),
            producer: vec![None; nodes],
            readers: vec![BTreeSet::new(); nodes],
            spaces: HashMap::new(),
            updated: vec![vec![]; groups.len()],
            groups: groups.into_iter().map(Some).collect(),
        };
        for id in 0..merger.groups.len() {
            merger.enter(id);
        }
        merger
    }

    fn space(&mut self, id: usize) -> Space {
        let Some(Group { kind: GroupKind::Map { space, .. }, .. }) = &self.groups[id] else {
            return None;
        };
        if let Some(&known) = self.spaces.get(space) {
            return Some(known);
        }
        let number = self.spaces.len();
        self.spaces.insert(space.clone(), number);
        Some(number)
    }

    /// Records the operands and roots of a group.
    fn enter(&mut self, id: usize) {
        let space = self.space(id);
        let Some(group) = &self.groups[id] else { return };
        let variables = group.roots.iter().filter_map(|&root| self.live_out.variable_of(root));
        self.updated[id] = variables.collect();
        for root in &group.roots {
            self.producer[root.index()] = Some(id);
        }
        for operand in &group.operands {
            self.readers[operand.index()].insert((space, id));
        }
    }

    /// Removes a group.
    fn leave(&mut self, id: usize) -> Option<Group> {
        let space = self.space(id);
        let group = self.groups[id].take()?;
        for root in &group.roots {
            self.producer[root.index()] = None;
        }
        for operand in &group.operands {
            self.readers[operand.index()].remove(&(space, id));
        }
        Some(group)
    }

    /// Later maps over the same space that read what `a` computes or reads; those that share the
    /// most come first.
    fn candidates(&mut self, a: usize) -> Vec<usize> {
        let space @ Some(_) = self.space(a) else { return vec![] };
        let Some(first) = &self.groups[a] else { return vec![] };
        let shared = first.roots.iter().chain(&first.operands);
        let mut candidates: Vec<usize> = Vec::new();
        for node in shared {
            let maps = self.readers[node.index()].range((space, 0)..=(space, usize::MAX));
            // One of them is `a` itself.
            let maps = maps.map(|&(_, b)| b).take(MAX_READERS + 1);
            candidates.extend(maps.filter(|&b| b != a));
        }
        candidates.sort_unstable();
        candidates.dedup();
        steps::count(candidates.len());
        let mut ranked: Vec<(Reverse<usize>, Option<u64>, usize)> = candidates
            .into_iter()
            .filter_map(|b| {
                let worth = self.worth([a, b])?;
                Some((Reverse(worth), self.sequence.label(b), b))
            })
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., b)| b).collect()
    }

    /// How much two maps share; `None` if they bind too many buffers however they are merged. A result that
    /// the second one reads may not be needed any more, and a variable may be bound once.
    fn worth(&self, [a, b]: [usize; 2]) -> Option<usize> {
        let (first, second) = (self.groups[a].as_ref()?, self.groups[b].as_ref()?);
        let (mut worth, mut taken, mut bindings) = (0, 0, first.operands.len());
        for operand in &second.operands {
            if first.roots.contains(operand) {
                worth += 2;
                taken += 1;
            } else if first.operands.contains(operand) {
                worth += 1;
            } else {
                bindings += 1;
            }
        }
        bindings += first.roots.len() - taken + second.roots.len();
        let updated = self.updated[a].iter().chain(&self.updated[b]);
        let reads = |variable: &&NodeId| {
            first.operands.contains(variable) || second.operands.contains(variable)
        };
        let once = match self.count {
            Count::InPlace => updated.filter(reads).count(),
            Count::All => 0,
        };
        (bindings - once <= MAX_BUFFERS).then_some(worth)
    }

    /// Replaces `a` and `b` by the merged group, after the move that makes room for it.
    fn replace(&mut self, a: usize, b: usize, (group, room): (Group, Room)) {
        self.leave(a);
        self.leave(b);
        self.groups[b] = Some(group);
        self.enter(b);
        match room {
            Room::Dependents(dependents) => self.sequence.move_behind(dependents, b),
            Room::Needed(mut needed) => {
                needed.push(b);
                self.sequence.move_to_front(needed);
            }
        }
    }

    /// The groups that must move for `a`, which comes first, and `b` to be one group; `None` if `b` depends on
    /// `a` through another group, or if it is too much.
    fn room(&self, a: usize, b: usize) -> Option<Room> {
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        self.after(a, |reader| sources.extend((reader != b).then_some(reader)));
        self.before(b, |producer| targets.extend((producer != a).then_some(producer)));
        let leads_on = |id| self.ancestry.leads(id, b);
        match self.sequence.search([a, b], [sources, targets], self, MAX_MOVED, leads_on) {
            Found::Path | Found::TooMuch => None,
            Found::Ahead(dependents) => Some(Room::Dependents(dependents)),
            Found::Behind(needed) => Some(match self.dependents(a, b) {
                Some(dependents) => Room::Dependents(dependents),
                None => Room::Needed(needed),
            }),
        }
    }

    /// The groups that depend on `a` and come before `b`, unless it is too much.
    fn dependents(&self, a: usize, b: usize) -> Option<Vec<usize>> {
        let end = self.sequence.label(b);
        let mut seen = HashSet::from([b]);
        let mut dependents = Vec::new();
        let mut next = Some(a);
        for turn in 0.. {
            let Some(id) = next else { break };
            self.after(id, |reader| {
                steps::count(1);
                if self.sequence.label(reader) < end && seen.insert(reader) {
                    dependents.push(reader);
                }
            });
            if dependents.len() > MAX_MOVED {
                return None;
            }
            next = dependents.get(turn).copied();
        }
        Some(dependents)
    }

    /// Whether a group other than these two reads a node, or the node outlives the run.
    fn is_needed(&self, node: NodeId, [a, b]: [usize; 2]) -> bool {
        let mut readers = self.readers[node.index()].iter();
        let others = readers.any(|&(_, reader)| reader != a && reader != b);
        others || self.live_out.contains(node)
    }

    /// Merges the two groups if order and bindings allow it.
    fn merged(&self, a: usize, b: usize) -> Option<(Group, Room)> {
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
        {
            return None;
        }
        let room = self.room(a, b)?;
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
        (buffers(&group, self.live_out, self.count) <= MAX_BUFFERS).then_some((group, room))
    }
}

impl Edges for Merger<'_> {
    fn after(&self, id: usize, visit: impl FnMut(usize)) {
        let roots = self.groups[id].iter().flat_map(|group| &group.roots);
        let readers = roots.flat_map(|root| &self.readers[root.index()]);
        readers.map(|&(_, reader)| reader).for_each(visit);
    }

    fn before(&self, id: usize, visit: impl FnMut(usize)) {
        let operands = self.groups[id].iter().flat_map(|group| &group.operands);
        operands.filter_map(|operand| self.producer[operand.index()]).for_each(visit);
    }
}

/// The deepest way to each group, through the producer that has the most groups in front of it. In
/// a deep network it leads through all layers, so most paths are known without a search.
///
/// The ways are those of the groups before they were merged. They remain: a merged group is where
/// each of its parts was.
struct Ancestry {
    /// The group's own number, and the end of the numbers of those whose ways lead through it.
    spans: Vec<Range<usize>>,
}

impl Ancestry {
    fn new(groups: &[Group], nodes: usize) -> Self {
        let mut producer: Vec<Option<usize>> = vec![None; nodes];
        let mut depth = vec![0; groups.len()];
        let mut parents: Vec<Option<usize>> = Vec::with_capacity(groups.len());
        for (id, group) in groups.iter().enumerate() {
            let producers = group.operands.iter().filter_map(|operand| producer[operand.index()]);
            let parent = producers.max_by_key(|&producer| depth[producer]);
            group.roots.iter().for_each(|root| producer[root.index()] = Some(id));
            depth[id] = parent.map_or(0, |parent| depth[parent] + 1);
            parents.push(parent);
        }
        let mut sizes = vec![1; groups.len()];
        for (id, parent) in parents.iter().enumerate().rev() {
            if let Some(parent) = *parent {
                sizes[parent] += sizes[id];
            }
        }
        // Each group takes the next numbers of its parent's.
        let (mut spans, mut free) = (Vec::with_capacity(groups.len()), Vec::new());
        let mut outside = 0;
        for (parent, size) in parents.iter().zip(&sizes) {
            let next = parent.map_or(&mut outside, |parent| &mut free[parent]);
            let span = *next..*next + size;
            *next = span.end;
            free.push(span.start + 1);
            spans.push(span);
        }
        Ancestry { spans }
    }

    /// Whether the way to `b` leads through `a`.
    fn leads(&self, a: usize, b: usize) -> bool {
        self.spans[a].contains(&self.spans[b].start)
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
