//! The order of groups: operands first, and a variable is overwritten only after its last read.

use super::{fuse::MAX_BUFFERS, group::Group, horizontal_fusion::LiveOut};
use crate::graph::NodeId;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

/// Sorts `0..len` so that every edge `(before, after)` is respected, smallest numbers first; `None`
/// if there is a cycle.
pub(super) fn topological(
    len: usize,
    edges: impl IntoIterator<Item = (usize, usize)>,
) -> Option<Vec<usize>> {
    let mut after: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); len];
    let mut waits = vec![0; len];
    for (first, second) in edges {
        if first != second && after[first].insert(second) {
            waits[second] += 1;
        }
    }
    let mut ready: BinaryHeap<_> = (0..len).filter(|&k| waits[k] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(len);
    while let Some(Reverse(k)) = ready.pop() {
        order.push(k);
        for &next in &after[k] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    (order.len() == len).then_some(order)
}

/// Groups in execution order, and the effects applied by writing the variable in place.
pub(super) struct Ordered {
    pub groups: Vec<Group>,
    /// Values written in place of their variable; all other effects are copies at the end.
    pub in_place: BTreeSet<NodeId>,
}

impl Ordered {
    /// Whether every map binds no more buffers than every device offers.
    pub fn fits(&self, live_out: &LiveOut<'_>) -> bool {
        self.groups.iter().all(|group| {
            let once = group.roots.iter().filter(|root| {
                let variable = live_out.variable_of(**root);
                self.in_place.contains(root)
                    && variable.is_some_and(|variable| group.operands.contains(&variable))
            });
            group.operands.len() + group.roots.len() - once.count() <= MAX_BUFFERS
        })
    }
}

/// Decides which effects happen in place, and orders the groups accordingly.
pub(super) fn order(groups: Vec<Group>, live_out: &LiveOut<'_>) -> Ordered {
    let producer: HashMap<NodeId, usize> = groups
        .iter()
        .enumerate()
        .flat_map(|(k, group)| group.roots.iter().map(move |root| (*root, k)))
        .collect();
    let mut edges: Vec<(usize, usize)> = groups
        .iter()
        .enumerate()
        .flat_map(|(k, group)| {
            let producers = group.operands.iter().filter_map(|o| producer.get(o));
            producers.map(|&p| (p, k)).collect::<Vec<_>>()
        })
        .collect();
    let mut in_place = BTreeSet::new();
    for effect in live_out.effects {
        let Some(&writer) = producer.get(&effect.value) else { continue };
        if !groups[writer].reads_in_place(effect.variable) {
            continue;
        }
        let readers = groups
            .iter()
            .enumerate()
            .filter(|(k, group)| *k != writer && group.operands.contains(&effect.variable));
        let known = edges.len();
        edges.extend(readers.map(|(reader, _)| (reader, writer)));
        // A reader of the old value may also need the new one: the value is then copied later.
        match topological(groups.len(), edges.iter().copied()) {
            Some(_) => drop(in_place.insert(effect.value)),
            None => edges.truncate(known),
        }
    }
    let order = topological(groups.len(), edges).expect("checked with every edge");
    let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
    let groups = order.into_iter().filter_map(|k| groups[k].take()).collect();
    Ordered { groups, in_place }
}
