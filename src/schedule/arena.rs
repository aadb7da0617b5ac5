//! One step for all updates: variables with the same update are laid out contiguously.
//!
//! An optimizer step is the same expression for every parameter. Groups with the same expression
//! become one map over arenas, in which the parameter, its moments and its gradient start at the
//! same offset.

use super::{
    expr::{Affine, Body, Term},
    group::{Group, GroupKind},
    live_out::LiveOut,
    order::Ordered,
};
use crate::{
    dtype::DType,
    graph::{Node, NodeId},
    ops::Op,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Alignment of members in words: 256 bytes, the strictest alignment of a binding.
const ALIGNMENT: usize = 64;
/// The same if f16 is involved: on a GPU two f16 values share a word.
const ALIGNMENT_OF_HALVES: usize = 128;

/// Maximum words of an arena: 128 MiB, the smallest binding limit of any device.
const MAX_WORDS: usize = 32 << 20;

/// Rounds up to the alignment.
pub(super) fn aligned(words: usize) -> usize {
    words.div_ceil(ALIGNMENT) * ALIGNMENT
}

/// Groups that are merged into one step.
#[derive(Debug)]
pub(super) struct Batch {
    /// Positions of the groups; the step runs at the position of the last one.
    pub groups: Vec<usize>,
    /// First word of each group's part.
    pub offsets: Vec<usize>,
    /// Size of each arena in words.
    pub words: usize,
    /// Role of each operand.
    pub operands: Vec<Role>,
    /// The expression over all words.
    pub body: Body,
}

/// Role of an operand of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Role {
    /// The variable whose new value is root `.0`.
    Updated(usize),
    /// A value computed for this update, which others may read too: a gradient.
    Gradient,
    /// The same node in all groups: a learning rate.
    Shared(NodeId),
}

/// Finds the batches among groups whose effects happen in place.
pub(super) fn batches(ordered: &Ordered, nodes: &[Node], live_out: &LiveOut<'_>) -> Vec<Batch> {
    let mut readers: HashMap<NodeId, HashSet<usize>> = HashMap::new();
    let mut producer: HashMap<NodeId, usize> = HashMap::new();
    for (position, group) in ordered.groups.iter().enumerate() {
        for &operand in &group.operands {
            readers.entry(operand).or_default().insert(position);
        }
        producer.extend(group.roots.iter().map(|&root| (root, position)));
    }
    let readers = |node: NodeId| readers.get(&node).map_or(0, HashSet::len);
    let mut alike: BTreeMap<String, (Vec<usize>, Vec<Role>, Body)> = BTreeMap::new();
    for (position, group) in ordered.groups.iter().enumerate() {
        if let Some((roles, body)) = signature(group, ordered, readers, nodes, live_out) {
            let dtypes: Vec<DType> =
                group.roots.iter().map(|r| nodes[r.index()].meta.dtype).collect();
            let GroupKind::Map { terms, .. } = &group.kind else { continue };
            let key = format!("{roles:?} {body:?} {terms:?} {dtypes:?}");
            alike.entry(key).or_insert_with(|| (vec![], roles, body)).0.push(position);
        }
    }
    let mut batches = Vec::new();
    // A value has one place, also if two updates read it.
    let mut placed: HashSet<NodeId> = HashSet::new();
    for (groups, operands, body) in alike.into_values() {
        if groups.len() < 2 || !gradients_are_apart(&groups, &operands, ordered, &producer) {
            continue;
        }
        let gradients: Vec<NodeId> = gradients_of(&groups, &operands, ordered).collect();
        if gradients.iter().any(|gradient| placed.contains(gradient)) {
            continue;
        }
        placed.extend(gradients);
        let first = &ordered.groups[groups[0]];
        let has_halves = first
            .roots
            .iter()
            .chain(&first.operands)
            .any(|node| nodes[node.index()].meta.dtype == DType::F16);
        let alignment = if has_halves { ALIGNMENT_OF_HALVES } else { ALIGNMENT };
        let len = |position: usize| {
            let variable = ordered.groups[position].roots[0];
            nodes[variable.index()].meta.shape.len().next_multiple_of(alignment)
        };
        let mut batch = Batch { groups: vec![], offsets: vec![], words: 0, operands, body };
        for position in groups {
            // Every device can bind this much, so an arena fits wherever its members do.
            if batch.words + len(position) > MAX_WORDS {
                let (operands, body) = (batch.operands.clone(), batch.body.clone());
                let next = Batch { groups: vec![], offsets: vec![], words: 0, operands, body };
                batches.push(std::mem::replace(&mut batch, next));
            }
            batch.groups.push(position);
            batch.offsets.push(batch.words);
            batch.words += len(position);
        }
        batches.push(batch);
    }
    batches.retain(|batch| batch.groups.len() > 1);
    batches
}

/// The expression of a group and the roles of its operands; `None` unless the group updates
/// variables elementwise and in place.
fn signature(
    group: &Group,
    ordered: &Ordered,
    readers: impl Fn(NodeId) -> usize,
    nodes: &[Node],
    live_out: &LiveOut<'_>,
) -> Option<(Vec<Role>, Body)> {
    let GroupKind::Map { space, body, .. } = &group.kind else { return None };
    let len: usize = space.iter().product();
    let variables: Vec<NodeId> = group
        .roots
        .iter()
        .map(|root| live_out.variable_of(*root).filter(|_| ordered.in_place.contains(root)))
        .collect::<Option<_>>()?;
    // The step runs at the position of the last group, so no other group may read a new value.
    let stays = |&root: &NodeId| live_out.is_output(root) || readers(root) > 0;
    if len == 0 || group.roots.iter().any(stays) {
        return None;
    }
    let roles = group.operands.iter().map(|&operand| {
        let node = &nodes[operand.index()];
        if let Some(root) = variables.iter().position(|&variable| variable == operand) {
            return Some(Role::Updated(root));
        }
        let loads = group.loads(operand);
        if loads.iter().all(|(index, guarded)| !guarded && index.is_constant() && index.offset == 0)
            && node.meta.shape.len() == 1
        {
            return Some(Role::Shared(operand));
        }
        let source = matches!(node.op, Op::Input(_) | Op::Variable(_) | Op::Constant(_));
        (!source
            && !live_out.contains(operand)
            && node.meta.shape.len() == len
            && group.reads_in_place(operand))
        .then_some(Role::Gradient)
    });
    let roles: Vec<Role> = roles.collect::<Option<_>>()?;
    // Loads are rebuilt from the roles: at the origin for a shared operand, at the point for the
    // rest. Any other use of coordinates cannot be carried over to the arena.
    let mut flat = Body::default();
    for (term, dtype) in &body.terms {
        let term = match term {
            Term::Load { operand, guards, .. } => {
                let index = match roles[*operand] {
                    Role::Shared(_) => Affine::constant(0, 1),
                    Role::Updated(_) | Role::Gradient => Affine::coordinate(0, 1),
                };
                Term::Load { operand: *operand, index, guards: guards.clone() }
            }
            Term::Coord(_) | Term::Inside(_) | Term::Acc => return None,
            other => other.clone(),
        };
        flat.terms.push((term, *dtype));
    }
    Some((roles, flat))
}

/// The gradients of a batch.
fn gradients_of<'a>(
    groups: &'a [usize],
    roles: &'a [Role],
    ordered: &'a Ordered,
) -> impl Iterator<Item = NodeId> + 'a {
    let slots = roles.iter().enumerate().filter(|(_, role)| **role == Role::Gradient);
    slots.flat_map(move |(slot, _)| groups.iter().map(move |&k| ordered.groups[k].operands[slot]))
}

/// Whether no group reads one gradient of the batch and writes another: they share a buffer, which
/// a step may not bind both for reading and for writing.
fn gradients_are_apart(
    members: &[usize],
    roles: &[Role],
    ordered: &Ordered,
    producer: &HashMap<NodeId, usize>,
) -> bool {
    for (slot, role) in roles.iter().enumerate() {
        if *role != Role::Gradient {
            continue;
        }
        let gradients: HashSet<NodeId> =
            members.iter().map(|&member| ordered.groups[member].operands[slot]).collect();
        let collides = |group: &Group| group.operands.iter().any(|node| gradients.contains(node));
        let mut producers = gradients.iter().filter_map(|gradient| producer.get(gradient));
        if gradients.len() < members.len()
            || producers.any(|&producer| collides(&ordered.groups[producer]))
        {
            return false;
        }
    }
    true
}
