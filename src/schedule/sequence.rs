//! A topological order that is kept while the graph changes.
//!
//! Each item has a label, and labels increase along the order: to compare two items, or to move a
//! few, no other item is touched. A new edge against the order, or a path between two items, is
//! searched for only among the items between its ends, from both ends at once.
//!
//! # Source
//!
//! Pearce & Kelly 2007, "A dynamic topological sort algorithm for directed acyclic graphs"; labels:
//! Dietz & Sleator 1987, "Two algorithms for maintaining order in a list".

use crate::steps;
use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    ops::RangeInclusive,
};

/// How many more labels there may be in a block twice as long.
const SPARSE: f64 = 4.0 / 3.0;

/// Items `0..len`, in an order that can change.
pub(super) struct Sequence {
    /// Distance between the labels of neighbors in the beginning.
    gap: u64,
    /// By item; `None` once it is removed.
    labels: Vec<Option<u64>>,
    items: BTreeMap<u64, usize>,
}

/// The outcome of a search between two items.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A path.
    Path,
    /// No path; all that is reachable forward.
    Ahead(Vec<usize>),
    /// No path; all that is reachable backward.
    Behind(Vec<usize>),
    /// No path that is short.
    TooMuch,
}

/// The edges of a graph.
pub(super) trait Edges {
    /// Calls `visit` with the items that depend on this one.
    fn after(&self, item: usize, visit: impl FnMut(usize));
    /// Calls `visit` with the items that this one depends on.
    fn before(&self, item: usize, visit: impl FnMut(usize));
}

impl Sequence {
    /// The items in increasing order.
    pub fn new(len: usize) -> Self {
        let gap = (1 << 62) / (len as u64 + 1);
        let label = |item: usize| gap * (item as u64 + 1);
        Sequence {
            gap,
            labels: (0..len).map(|item| Some(label(item))).collect(),
            items: (0..len).map(|item| (label(item), item)).collect(),
        }
    }

    /// Removes the first item.
    pub fn pop_first(&mut self) -> Option<usize> {
        let (_, item) = self.items.pop_first()?;
        self.labels[item] = None;
        Some(item)
    }

    /// Removes an item.
    pub fn remove(&mut self, item: usize) {
        if let Some(label) = self.labels[item].take() {
            self.items.remove(&label);
        }
    }

    /// Larger for later items; `None` once it is removed.
    pub fn label(&self, item: usize) -> Option<u64> {
        self.labels[item]
    }

    /// Moves items to directly behind another one, in their order.
    pub fn move_behind(&mut self, mut items: Vec<usize>, other: usize) {
        items.sort_unstable_by_key(|&item| self.labels[item]);
        items.iter().for_each(|&item| self.remove(item));
        let next = |sequence: &Self| {
            let label = sequence.labels[other]?;
            let behind = sequence.items.range(label + 1..).next().map(|(&next, _)| next);
            Some((label, behind.unwrap_or(label + sequence.gap.min(u64::MAX / 2 - label / 2))))
        };
        self.insert(&items, next);
    }

    /// Moves items to directly in front of another one, in their order.
    pub fn move_before(&mut self, mut items: Vec<usize>, other: usize) {
        items.sort_unstable_by_key(|&item| self.labels[item]);
        items.iter().for_each(|&item| self.remove(item));
        let last = |sequence: &Self| {
            let label = sequence.labels[other]?;
            let before = sequence.items.range(..label).next_back().map(|(&last, _)| last);
            Some((before.unwrap_or(0), label))
        };
        self.insert(&items, last);
    }

    /// Moves items to the front, in their order.
    pub fn move_to_front(&mut self, mut items: Vec<usize>) {
        items.sort_unstable_by_key(|&item| self.labels[item]);
        items.iter().for_each(|&item| self.remove(item));
        let first = |sequence: &Self| {
            let first = sequence.items.first_key_value().map(|(&first, _)| first);
            Some((0, first.unwrap_or(sequence.gap)))
        };
        self.insert(&items, first);
    }

    /// Inserts removed items between two labels, which `bounds` finds.
    fn insert(&mut self, items: &[usize], bounds: impl Fn(&Self) -> Option<(u64, u64)>) {
        let count = items.len() as u64;
        let Some((mut low, mut high)) = bounds(self) else { return };
        if high - low <= count {
            self.spread(low, count);
            let Some(bounds) = bounds(self) else { return };
            (low, high) = bounds;
        }
        let step = (high - low) / (count + 1);
        for (&item, k) in items.iter().zip(1..) {
            steps::count(1);
            self.labels[item] = Some(low + step * k);
            self.items.insert(low + step * k, item);
        }
    }

    /// Spaces labels around this one evenly, for `count` more between any two: those of the smallest
    /// block that is sparse enough. The larger it is the sparser it must be, so that blocks rarely
    /// fill up, and spreading costs the logarithm of the length per insertion.
    fn spread(&mut self, label: u64, count: u64) {
        for bits in 1..u64::BITS {
            let start = label >> bits << bits;
            let block = start..=start + ((1 << bits) - 1);
            let within = self.items.range(block.clone()).count();
            steps::count(within);
            let step = (1u64 << bits) / (within as u64 + 1);
            if step / 2 > count && within as f64 <= SPARSE.powi(bits as i32) {
                let items: Vec<(u64, usize)> =
                    self.items.range(block).map(|(&label, &item)| (label, item)).collect();
                for (label, _) in &items {
                    self.items.remove(label);
                }
                for ((_, item), k) in items.into_iter().zip(0..) {
                    self.labels[item] = Some(start + step * k + step / 2);
                    self.items.insert(start + step * k + step / 2, item);
                }
                return;
            }
        }
    }

    /// Searches for a path from one of `sources` to one of `targets` among the items from `first` to
    /// `last`, following the edges of at most `most` items from either end. `leads_on` may know that
    /// a path leads from an item to a target.
    pub fn search(
        &self,
        [first, last]: [usize; 2],
        [sources, targets]: [Vec<usize>; 2],
        edges: &impl Edges,
        most: usize,
        leads_on: impl Fn(usize) -> bool,
    ) -> Found {
        let bounds = self.labels[first].unwrap_or(0)..=self.labels[last].unwrap_or(u64::MAX);
        let mut search = Search { sequence: self, bounds, reached: HashMap::new(), meets: false };
        let (mut ahead, mut behind) = (Vec::new(), Vec::new());
        let forward = |search: &mut Search<'_>, item, ahead: &mut Vec<usize>| {
            if search.reach(item, true) {
                ahead.push(item);
                search.meets |= leads_on(item);
            }
        };
        let backward = |search: &mut Search<'_>, item, behind: &mut Vec<usize>| {
            if search.reach(item, false) {
                behind.push(item);
            }
        };
        sources.into_iter().for_each(|item| forward(&mut search, item, &mut ahead));
        targets.into_iter().for_each(|item| backward(&mut search, item, &mut behind));
        let mut turn = 0;
        loop {
            if search.meets {
                return Found::Path;
            }
            if ahead.len().min(behind.len()) > most {
                return Found::TooMuch;
            }
            let Some(&item) = ahead.get(turn) else { return Found::Ahead(ahead) };
            let Some(&other) = behind.get(turn) else { return Found::Behind(behind) };
            edges.after(item, |next| forward(&mut search, next, &mut ahead));
            edges.before(other, |previous| backward(&mut search, previous, &mut behind));
            turn += 1;
        }
    }
}

/// A search from two ends.
struct Search<'a> {
    sequence: &'a Sequence,
    bounds: RangeInclusive<u64>,
    /// Whether each item was reached forward.
    reached: HashMap<usize, bool>,
    /// Whether some item was reached from both ends.
    meets: bool,
}

impl Search<'_> {
    /// Whether the item is between the ends and had not been reached.
    fn reach(&mut self, item: usize, forward: bool) -> bool {
        steps::count(1);
        if !self.sequence.labels[item].is_some_and(|label| self.bounds.contains(&label)) {
            return false;
        }
        match self.reached.entry(item) {
            Entry::Vacant(new) => {
                new.insert(forward);
                true
            }
            Entry::Occupied(known) => {
                self.meets |= *known.get() != forward;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::contract::Noise;

    /// Moves to the front, to the same place again and again, and anywhere keep the order that a list
    /// would have.
    #[test]
    fn moves_are_those_of_a_list() {
        let mut noise = Noise::new(1);
        let mut pick = |len: usize| (noise.unit().abs() * 0.999 * len as f64) as usize;
        let len = 300;
        let mut sequence = Sequence::new(len);
        let mut list: Vec<usize> = (0..len).collect();
        for turn in 0..3000 {
            let count = 1 + pick(3);
            let mut items: Vec<usize> = (0..count).map(|_| 1 + pick(len - 1)).collect();
            items.sort_unstable();
            items.dedup();
            let target = if turn % 3 == 0 { 0 } else { pick(len) };
            items.retain(|&item| item != target);
            let mut moved = list.clone();
            moved.retain(|item| items.contains(item));
            list.retain(|item| !items.contains(item));
            let place = list.iter().position(|&item| item == target).expect("it stays");
            match turn % 4 {
                0 => {
                    sequence.move_to_front(items);
                    list.splice(0..0, moved);
                }
                1 => {
                    sequence.move_before(items, target);
                    list.splice(place..place, moved);
                }
                _ => {
                    sequence.move_behind(items, target);
                    list.splice(place + 1..place + 1, moved);
                }
            }
            assert!(sequence.items.values().eq(&list));
        }
        assert!((0..len).all(|item| sequence.items[&sequence.labels[item].unwrap_or(0)] == item));
        assert_eq!(sequence.pop_first(), Some(list[0]));
    }

    struct Lists([Vec<Vec<usize>>; 2]);

    impl Edges for Lists {
        fn after(&self, item: usize, visit: impl FnMut(usize)) {
            self.0[0][item].iter().copied().for_each(visit);
        }

        fn before(&self, item: usize, visit: impl FnMut(usize)) {
            self.0[1][item].iter().copied().for_each(visit);
        }
    }

    /// Searches agree with a walk along all edges of random graphs.
    #[test]
    fn searches_find_what_a_walk_finds() {
        let mut noise = Noise::new(2);
        let mut pick = |len: usize| (noise.unit().abs() * 0.999 * len as f64) as usize;
        let len = 30;
        let mut found = [0; 3];
        for _ in 0..600 {
            let mut lists = Lists([vec![vec![]; len], vec![vec![]; len]]);
            for _ in 0..40 {
                let (a, b) = (pick(len - 1), pick(len));
                if a < b {
                    lists.0[0][a].push(b);
                    lists.0[1][b].push(a);
                }
            }
            let (a, b) = (pick(len / 2), len / 2 + pick(len / 2));
            let walk = |start: usize, side: usize, is_within: &dyn Fn(usize) -> bool| {
                let mut reached = vec![start];
                let mut turn = 0;
                while let Some(&item) = reached.get(turn) {
                    let next = lists.0[side][item].iter().filter(|&&next| is_within(next));
                    let new: Vec<_> =
                        next.copied().filter(|next| !reached.contains(next)).collect();
                    reached.extend(new);
                    turn += 1;
                }
                reached.sort_unstable();
                reached.dedup();
                reached
            };
            let [mut ahead, behind] =
                [walk(a, 0, &|item| item <= b), walk(b, 1, &|item| item >= a)];
            let connected = ahead.contains(&b);
            let sequence = Sequence::new(len);
            let search =
                |most| sequence.search([a, b], [vec![a], vec![b]], &lists, most, |_| false);
            match search(usize::MAX) {
                Found::Path => found[0] += usize::from(connected),
                Found::Ahead(mut items) => {
                    items.sort_unstable();
                    ahead.sort_unstable();
                    assert!(!connected && items == ahead);
                    found[1] += 1;
                }
                Found::Behind(mut items) => {
                    items.sort_unstable();
                    assert!(!connected && items == behind);
                    found[2] += 1;
                }
                Found::TooMuch => unreachable!("there is no limit"),
            }
            assert!(matches!(search(usize::MAX), Found::Path) == connected);
            if !connected && ahead.len().min(behind.len()) > 3 {
                assert_eq!(search(2), Found::TooMuch);
            }
        }
        assert!(found.iter().all(|&found| found > 30), "{found:?}");
    }
}
