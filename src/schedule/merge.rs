//! Maps over one space become one map with several results.
//!
//! A map that reads what another computes at the same point takes it from there, and one that
//! reads the same operands reads them once. What nobody else needs is then not stored at all.

use super::{
    expr::{Body, Term, TermId},
    fuse::MAX_BUFFERS,
    group::{Group, GroupKind},
};
use crate::graph::{Effect, NodeId};
use std::collections::HashMap;

/// What must stay in memory after its group: results and new values of variables.
pub(super) struct Kept<'a> {
    pub outputs: &'a [NodeId],
    pub effects: &'a [Effect],
}

impl Kept<'_> {
    pub fn contains(&self, node: NodeId) -> bool {
        self.outputs.contains(&node) || self.effects.iter().any(|effect| effect.value == node)
    }

    /// The variable that gets this value.
    pub fn variable_of(&self, value: NodeId) -> Option<NodeId> {
        self.effects.iter().find(|effect| effect.value == value).map(|effect| effect.variable)
    }
}

/// Merges maps until no two can be.
pub(super) fn merge(mut groups: Vec<Group>, kept: &Kept<'_>) -> Vec<Group> {
    let mut first = 0;
    while first < groups.len() {
        let partner = (first + 1..groups.len()).find_map(|second| {
            related(&groups[first], &groups[second])
                .then(|| merged(&groups, first, second, kept))
                .flatten()
                .map(|group| (second, group))
        });
        match partner {
            // The merged group stands where the later one stood; nothing between needs it.
            Some((second, group)) => {
                groups[second] = group;
                groups.remove(first);
                groups = ordered(groups);
                first = 0;
            }
            None => first += 1,
        }
    }
    groups
}

/// Whether two groups are maps over one space, and one reads the other or both read something.
fn related(a: &Group, b: &Group) -> bool {
    let (GroupKind::Map { space: x, .. }, GroupKind::Map { space: y, .. }) = (&a.kind, &b.kind)
    else {
        return false;
    };
    x == y && b.operands.iter().any(|o| a.roots.contains(o) || a.operands.contains(o))
}

/// The two groups as one, if order and bindings allow it.
fn merged(groups: &[Group], a: usize, b: usize, kept: &Kept<'_>) -> Option<Group> {
    let (GroupKind::Map { space, body, terms }, GroupKind::Map { body: later, terms: wanted, .. }) =
        (&groups[a].kind, &groups[b].kind)
    else {
        return None;
    };
    if passes_between(groups, a, b) {
        return None;
    }
    let (first, second) = (&groups[a], &groups[b]);
    let pointwise = |node: &NodeId| second.reads_in_place(*node);
    if !first.roots.iter().all(pointwise) {
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
                        let known = operands.iter().position(|known| *known == node);
                        let operand = known.unwrap_or_else(|| {
                            operands.push(node);
                            operands.len() - 1
                        });
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
    let results =
        results.chain(second.roots.iter().copied().zip(wanted.iter().map(|&t| renamed[t])));
    let others = |node: NodeId| {
        groups.iter().enumerate().any(|(k, g)| k != a && k != b && g.operands.contains(&node))
    };
    let (roots, terms): (Vec<_>, Vec<_>) =
        results.filter(|&(root, _)| kept.contains(root) || others(root)).unzip();
    let mut nodes = [first.nodes.as_slice(), &second.nodes].concat();
    nodes.sort_unstable();
    nodes.dedup();
    let kind = GroupKind::Map { space: space.clone(), body, terms };
    let group = pruned(Group { roots, operands, nodes, kind });
    (buffers(&group, kept) <= MAX_BUFFERS).then_some(group)
}

/// Leaves out operands that no term loads any more.
fn pruned(mut group: Group) -> Group {
    if let GroupKind::Map { body, terms, .. } = &mut group.kind {
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
        let mut slim = Body::default();
        for (id, (mut term, dtype)) in old.terms.into_iter().enumerate() {
            if !live[id] {
                continue;
            }
            match &mut term {
                Term::Load { operand, .. } => {
                    let node = group.operands[*operand];
                    *operand =
                        operands.iter().position(|known| *known == node).unwrap_or_else(|| {
                            operands.push(node);
                            operands.len() - 1
                        });
                }
                Term::Apply(_, operands) => operands.iter_mut().for_each(|o| *o = renamed[*o]),
                _ => {}
            }
            renamed[id] = slim.push(term, dtype);
        }
        *body = slim;
        terms.iter_mut().for_each(|term| *term = renamed[*term]);
        group.operands = operands;
    }
    group
}

/// Storage buffers a group binds: a variable that is updated in place is bound once.
fn buffers(group: &Group, kept: &Kept<'_>) -> usize {
    let in_place = group.roots.iter().filter(|root| {
        kept.variable_of(**root).is_some_and(|variable| {
            group.operands.contains(&variable) && group.reads_in_place(variable)
        })
    });
    group.operands.len() + group.roots.len() - in_place.count()
}

/// Whether something of `a` reaches `b` by way of another group, or anything of `b` reaches `a`.
fn passes_between(groups: &[Group], a: usize, b: usize) -> bool {
    let mut reached = vec![false; groups.len()];
    for k in a + 1..=b {
        let depends = |on: usize| groups[k].operands.iter().any(|o| groups[on].roots.contains(o));
        let through = (a + 1..k).any(|between| reached[between] && depends(between));
        if k == b {
            return through;
        }
        reached[k] = through || depends(a);
    }
    false
}

/// In an order in which operands come first, else as before.
fn ordered(groups: Vec<Group>) -> Vec<Group> {
    let producer: HashMap<NodeId, usize> = groups
        .iter()
        .enumerate()
        .flat_map(|(k, group)| group.roots.iter().map(move |root| (*root, k)))
        .collect();
    let edges = groups.iter().enumerate().flat_map(|(k, group)| {
        group
            .operands
            .iter()
            .filter_map(|o| producer.get(o))
            .map(move |&p| (p, k))
            .collect::<Vec<_>>()
    });
    let order = super::order::topological(groups.len(), edges);
    let order = order.expect("merging keeps the groups free of cycles");
    let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
    order.into_iter().filter_map(|k| groups[k].take()).collect()
}
