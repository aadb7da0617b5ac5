//! Memory sharing: values that are not live at the same time may use the same slot.

use super::arena::aligned;
use crate::steps;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

/// A value's size and live range.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiveRange {
    /// Size in words.
    pub words: usize,
    /// The step that writes it.
    pub from: usize,
    /// The last step that reads it.
    pub to: usize,
}

/// Assigns a slot to each value; returns the slots, and the size of each slot in words.
///
/// Values are placed in the order in which they are written. Each takes the smallest free slot that
/// is large enough, else grows the largest free one, else gets a new one. A slot becomes free after
/// the last step that reads its value, so no step reads and writes the same slot.
pub(super) fn assign(ranges: &[LiveRange]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|&value| ranges[value].from);
    let mut slots: Vec<usize> = Vec::new();
    // Free slots by size, and the others by the last step that reads their value.
    let mut free: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut busy: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    let mut assigned = vec![0; ranges.len()];
    for value in order {
        let LiveRange { words, from, to } = ranges[value];
        let words = aligned(words.max(1));
        while let Some(&Reverse((until, slot))) = busy.peek()
            && until < from
        {
            steps::count(1);
            busy.pop();
            free.insert((slots[slot], slot));
        }
        steps::count(1);
        let fitting = free.range((words, 0)..).next().or_else(|| free.last()).copied();
        let slot = match fitting {
            Some(chosen) => {
                free.remove(&chosen);
                chosen.1
            }
            None => {
                slots.push(0);
                slots.len() - 1
            }
        };
        slots[slot] = slots[slot].max(words);
        busy.push(Reverse((to.max(from), slot)));
        assigned[value] = slot;
    }
    (assigned, slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::contract::Noise;

    #[test]
    fn values_alive_together_never_share() {
        let mut noise = Noise::new(1);
        let ranges: Vec<LiveRange> = (0..200)
            .map(|from| LiveRange {
                words: (noise.unit() * 1000.0) as usize,
                from,
                to: from + (noise.unit() * 12.0) as usize,
            })
            .collect();
        let (slot, sizes) = assign(&ranges);
        for (i, a) in ranges.iter().enumerate() {
            assert!(sizes[slot[i]] >= a.words);
            for (j, b) in ranges.iter().enumerate().skip(i + 1) {
                let together = a.from <= b.to && b.from <= a.to;
                assert!(!(together && slot[i] == slot[j]), "{i} and {j} share slot {}", slot[i]);
            }
        }
        let all: usize = ranges.iter().map(|life| life.words).sum();
        let shared: usize = sizes.iter().sum();
        assert!(shared * 8 < all, "{shared} of {all} words");
    }
}
