//! The order of groups: operands first, and a variable is overwritten only after its last read.

use super::{
    fuse::MAX_BUFFERS,
    group::Group,
    live_out::LiveOut,
    sequence::{Edges, Found, Sequence},
};
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

/// The direct successors and predecessors of each group.
struct Neighbors {
    after: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
}

impl Edges for Neighbors {
    fn after(&self, item: usize, visit: impl FnMut(usize)) {
        self.after[item].iter().copied().for_each(visit);
    }

    fn before(&self, item: usize, visit: impl FnMut(usize)) {
        self.before[item].iter().copied().for_each(visit);
    }
}

impl Neighbors {
    fn connect(&mut self, first: usize, second: usize) {
        self.after[first].push(second);
        self.before[second].push(first);
    }

    /// Reorders the sequence such that `first` comes before `second`; false if it depends on it.
    fn allow(&self, sequence: &mut Sequence, first: usize, second: usize) -> bool {
        if sequence.label(first) < sequence.label(second) {
            return true;
        }
        let ends = [vec![second], vec![first]];
        match sequence.search([second, first], ends, self, usize::MAX, |_| false) {
            Found::Path | Found::TooMuch => return false,
            Found::Ahead(items) => sequence.move_behind(items, first),
            Found::Behind(items) => sequence.move_before(items, second),
        }
        true
    }
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
    let mut edges =
        Neighbors { after: vec![vec![]; groups.len()], before: vec![vec![]; groups.len()] };
    let mut readers: HashMap<NodeId, Vec<usize>> = HashMap::new();
    for (k, group) in groups.iter().enumerate() {
        for operand in &group.operands {
            readers.entry(*operand).or_default().push(k);
            if let Some(&producer) = producer.get(operand) {
                edges.connect(producer, k);
            }
        }
    }
    let mut sequence = Sequence::new(groups.len());
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
        if readers.iter().all(|&reader| edges.allow(&mut sequence, reader, writer)) {
            readers.iter().for_each(|&reader| edges.connect(reader, writer));
            in_place.insert(effect.value);
        }
    }
    let order = topological(&edges.after).expect("no edge closed a cycle");
    let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
    let groups = order.into_iter().filter_map(|k| groups[k].take()).collect();
    Ordered { groups, in_place }
}
