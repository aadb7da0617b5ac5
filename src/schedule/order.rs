//! The order of groups: operands first, and a variable is overwritten only after its last read.

use super::{fuse::MAX_BUFFERS, group::Group, horizontal_fusion::LiveOut};
use crate::graph::NodeId;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
};

/// Sorts groups, given by what comes after each, smallest numbers first; `None` if there is a cycle.
fn topological(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut waits = vec![0; after.len()];
    after.iter().flatten().for_each(|&next| waits[next] += 1);
    let mut ready: BinaryHeap<_> =
        (0..after.len()).filter(|&k| waits[k] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(Reverse(k)) = ready.pop() {
        order.push(k);
        for &next in &after[k] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    (order.len() == after.len()).then_some(order)
}

/// Whether a path along the edges leads from `start` to one of `ends`.
fn reaches(after: &[Vec<usize>], start: usize, ends: &BTreeSet<usize>) -> bool {
    let mut seen = BTreeSet::from([start]);
    let mut next = vec![start];
    while let Some(k) = next.pop() {
        if k != start && ends.contains(&k) {
            return true;
        }
        next.extend(after[k].iter().copied().filter(|&k| seen.insert(k)));
    }
    false
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
    let mut after: Vec<Vec<usize>> = vec![vec![]; groups.len()];
    let mut readers: HashMap<NodeId, Vec<usize>> = HashMap::new();
    for (k, group) in groups.iter().enumerate() {
        for operand in &group.operands {
            readers.entry(*operand).or_default().push(k);
            if let Some(&producer) = producer.get(operand) {
                after[producer].push(k);
            }
        }
    }
    let mut in_place = BTreeSet::new();
    for effect in live_out.effects {
        let Some(&writer) = producer.get(&effect.value) else { continue };
        if !groups[writer].reads_in_place(effect.variable) {
            continue;
        }
        let readers = readers.get(&effect.variable).into_iter().flatten();
        let readers: BTreeSet<usize> =
            readers.copied().filter(|&reader| reader != writer).collect();
        // A reader of the old value may also need the new one: the value is then copied later.
        if !reaches(&after, writer, &readers) {
            readers.iter().for_each(|&reader| after[reader].push(writer));
            in_place.insert(effect.value);
        }
    }
    let order = topological(&after).expect("no edge closed a cycle");
    let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
    let groups = order.into_iter().filter_map(|k| groups[k].take()).collect();
    Ordered { groups, in_place }
}
