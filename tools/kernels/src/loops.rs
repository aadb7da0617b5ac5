//! The loops of a kernel, and the one that does its work.

use crate::listing::{Block, Class, Instruction};
use std::collections::{BTreeMap, BTreeSet};

/// The instructions of a loop, without those of loops within it.
#[derive(Clone, Debug)]
pub struct Loop {
    /// Instructions by what they do.
    pub mix: BTreeMap<Class, usize>,
    /// Multiply-adds that sum: see [`chains`].
    pub sums: usize,
    /// Chains of them, each of which sums into a register.
    pub accumulators: usize,
    /// Positions of all its blocks, those of loops within it among them.
    body: BTreeSet<usize>,
}

impl Loop {
    /// Instructions of a pass.
    pub fn instructions(&self) -> usize {
        self.mix.values().sum()
    }

    /// How many of them are of a class.
    pub fn count(&self, class: Class) -> usize {
        self.mix.get(&class).copied().unwrap_or(0)
    }

    /// The share of multiply-adds, by one or by matrices of them.
    pub fn share(&self) -> f64 {
        let products = self.count(Class::MultiplyAdd) + self.count(Class::Matrix);
        products as f64 / self.instructions() as f64
    }
}

/// The natural loops, in the order of their first blocks: an edge back to a block that is on every way to
/// where the edge begins, and all that leads there from it.
pub fn loops(blocks: &[Block]) -> Vec<Loop> {
    let predecessors = predecessors(blocks);
    let dominators = dominators(blocks, &predecessors);
    let mut bodies = BTreeMap::<usize, BTreeSet<usize>>::new();
    for (last, block) in blocks.iter().enumerate() {
        for &first in block.successors.iter().filter(|&&first| dominates(&dominators, first, last))
        {
            let body = bodies.entry(first).or_default();
            body.insert(first);
            let mut waiting = vec![last];
            while let Some(block) = waiting.pop() {
                if body.insert(block) {
                    waiting.extend(&predecessors[block]);
                }
            }
        }
    }
    let own = |body: &BTreeSet<usize>| {
        let is_within =
            |inner: &&BTreeSet<usize>| inner.len() < body.len() && inner.is_subset(body);
        let within: BTreeSet<_> = bodies.values().filter(is_within).flatten().collect();
        body.iter().filter(|block| !within.contains(block)).copied().collect::<Vec<_>>()
    };
    bodies
        .values()
        .map(|body| {
            let own = own(body);
            let instructions = || own.iter().flat_map(|&block| &blocks[block].instructions);
            let mut mix = BTreeMap::new();
            for instruction in instructions() {
                *mix.entry(instruction.class).or_default() += 1;
            }
            let (sums, accumulators) = chains(instructions());
            Loop { mix, sums, accumulators, body: body.clone() }
        })
        .collect()
}

/// How many multiply-adds of a pass sum, and into how many registers. A chain of them begins with what the
/// pass before has left in a register or in local memory; one that adds a new value, or a constant, is a
/// polynomial's.
fn chains<'a>(instructions: impl Iterator<Item = &'a Instruction> + Clone) -> (usize, usize) {
    let written: BTreeSet<_> = instructions.clone().flat_map(|one| &one.writes).collect();
    // The chain whose sum a register has, if it has been written in this pass.
    let (mut lengths, mut held) = (Vec::<usize>::new(), BTreeMap::new());
    for Instruction { class, writes, addend } in instructions {
        let Some(writes) = writes else { continue };
        let chain = addend.as_ref().and_then(|addend| match held.get(addend) {
            Some(&chain) => chain,
            None => written.contains(addend).then(|| {
                lengths.push(0);
                lengths.len() - 1
            }),
        });
        if let Some(chain) = chain {
            lengths[chain] += 1;
        }
        match class {
            Class::Local => held.remove(writes),
            _ => held.insert(writes, chain),
        };
    }
    (lengths.iter().sum(), lengths.len())
}

fn predecessors(blocks: &[Block]) -> Vec<Vec<usize>> {
    let mut predecessors = vec![Vec::new(); blocks.len()];
    for (number, block) in blocks.iter().enumerate() {
        for &successor in &block.successors {
            predecessors[successor].push(number);
        }
    }
    predecessors
}

/// The closest block through which every way to a block leads, that of the first being itself; `None` for
/// what is never reached. Cooper, Harvey, Kennedy: A simple, fast dominance algorithm (2001).
fn dominators(blocks: &[Block], predecessors: &[Vec<usize>]) -> Vec<Option<usize>> {
    let order = postorder(blocks);
    let mut rank = vec![0; blocks.len()];
    order.iter().enumerate().for_each(|(position, &block)| rank[block] = position);
    let mut dominators = vec![None; blocks.len()];
    dominators[0] = Some(0);
    let mut changes = true;
    while changes {
        changes = false;
        for &block in order.iter().rev().filter(|&&block| block != 0) {
            let mut found = None;
            for &predecessor in &predecessors[block] {
                if dominators[predecessor].is_none() {
                    continue;
                }
                let mut pair = (found.unwrap_or(predecessor), predecessor);
                while pair.0 != pair.1 {
                    let (lower, other) =
                        if rank[pair.0] < rank[pair.1] { pair } else { (pair.1, pair.0) };
                    // Only blocks with a dominator come here.
                    pair = (dominators[lower].unwrap_or(0), other);
                }
                found = Some(pair.0);
            }
            changes |= dominators[block] != found;
            dominators[block] = found;
        }
    }
    dominators
}

/// Blocks that are reached, each after those that it leads to, but for edges back.
fn postorder(blocks: &[Block]) -> Vec<usize> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::from([0]));
    let mut path = vec![(0, 0)];
    while let Some((block, next)) = path.pop() {
        match blocks[block].successors.get(next) {
            Some(&successor) => {
                path.push((block, next + 1));
                if seen.insert(successor) {
                    path.push((successor, 0));
                }
            }
            None => order.push(block),
        }
    }
    order
}

fn dominates(dominators: &[Option<usize>], above: usize, mut block: usize) -> bool {
    while block != above {
        match dominators[block] {
            Some(next) if next != block => block = next,
            _ => return false,
        }
    }
    dominators[above].is_some()
}

/// The loop with most multiply-adds that sum; of those with the same number, the one in which they have
/// the largest share. A polynomial is no sum: it adds constants.
pub fn hottest(loops: &[Loop]) -> Option<&Loop> {
    let sums = loops.iter().filter(|found| found.sums > 0);
    sums.max_by(|a, b| a.sums.cmp(&b.sums).then(a.share().total_cmp(&b.share())))
}

/// Instructions of the whole kernel for one multiply-add, where each of the accumulators of the hottest loop
/// gets `terms` terms; `None` where that loop is within another, of which the listing does not say
/// how often it runs, or where a matrix is multiplied at once.
pub fn per_multiply_add(blocks: &[Block], loops: &[Loop], terms: usize) -> Option<f64> {
    let hot = hottest(loops)?;
    let is_within = loops
        .iter()
        .any(|outer| outer.body.len() > hot.body.len() && hot.body.is_subset(&outer.body));
    if is_within || hot.count(Class::Matrix) > 0 {
        return None;
    }
    let size = |block: &usize| blocks[*block].instructions.len();
    let pass: usize = hot.body.iter().map(size).sum();
    let all: usize = (0..blocks.len()).map(|block| size(&block)).sum();
    let products = (terms * hot.accumulators) as f64;
    let passes = products / hot.count(Class::MultiplyAdd) as f64;
    Some(((all - pass) as f64 + passes * pass as f64) / products)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(successors: &[usize], instructions: &[(Class, &str)]) -> Block {
        let instruction = |&(class, register): &(Class, &str)| {
            let writes = Some(register.to_owned()).filter(|name| !name.is_empty());
            let addend = writes.clone().filter(|_| class == Class::MultiplyAdd);
            Instruction { class, writes, addend }
        };
        Block {
            instructions: instructions.iter().map(instruction).collect(),
            successors: successors.to_vec(),
        }
    }

    /// Two sums, of which a pass adds two terms each, behind a loop that fills something.
    fn product() -> Vec<Block> {
        use Class::{Control, LoadShared, MultiplyAdd, Other, StoreGlobal};
        let sums =
            [(MultiplyAdd, "r0"), (MultiplyAdd, "r1"), (MultiplyAdd, "r0"), (MultiplyAdd, "r1")];
        vec![
            block(&[1], &[(Other, "")]),
            block(&[1, 2], &[(Other, ""), (Control, "")]),
            // A branch within the loop, whose second way lies behind it in memory.
            block(&[3, 5], &[(LoadShared, ""), (Control, "")]),
            block(&[2, 4], &sums),
            block(&[], &[(StoreGlobal, "")]),
            block(&[3], &[(Other, "")]),
        ]
    }

    #[test]
    fn loops_are_found_by_dominance_and_not_by_position() {
        let found = loops(&product());
        let sizes: Vec<_> = found.iter().map(Loop::instructions).collect();
        assert_eq!(sizes, [2, 7], "the edge from block 5 to block 3 closes no loop");
        let hot = hottest(&found).expect("it sums");
        assert_eq!((hot.sums, hot.accumulators, hot.share()), (4, 2, 4.0 / 7.0));
    }

    #[test]
    fn a_kernel_is_counted_at_a_number_of_terms() {
        // 1024 terms of two sums take 512 passes of 7 instructions; four more run once.
        let blocks = product();
        let count = per_multiply_add(&blocks, &loops(&blocks), 1024);
        assert_eq!(count, Some((4.0 + 512.0 * 7.0) / 2048.0));
    }

    #[test]
    fn a_sum_may_go_from_register_to_register() {
        let product = |writes: &str, addend: &str| Instruction {
            class: Class::MultiplyAdd,
            writes: Some(writes.to_owned()),
            addend: Some(addend.to_owned()),
        };
        let sum = [product("r2", "r1"), product("r2", "r2"), product("r1", "r2")];
        assert_eq!(chains(sum.iter()), (3, 1));
        let other = |class, writes: &str| Instruction {
            class,
            writes: Some(writes.to_owned()),
            addend: None,
        };
        let polynomial = [
            other(Class::Other, "r1"),
            product("r2", "0.5"),
            product("r1", "r7"),
            product("r3", "r1"),
        ];
        assert_eq!(chains(polynomial.iter()), (0, 0));
        let in_memory = [other(Class::Local, "r1"), product("r1", "r1")];
        assert_eq!(chains(in_memory.iter()), (1, 1));
    }

    #[test]
    fn instructions_of_a_loop_within_are_not_those_of_the_loop_around_it() {
        use Class::{MultiplyAdd, Other};
        let blocks = [
            block(&[1], &[]),
            block(&[2], &[(Other, "")]),
            block(&[2, 3], &[(MultiplyAdd, "r0")]),
            block(&[1, 4], &[(Other, "")]),
            block(&[], &[]),
        ];
        let found = loops(&blocks);
        assert_eq!(found.iter().map(Loop::instructions).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(hottest(&found).map(Loop::share), Some(1.0));
        assert_eq!(per_multiply_add(&blocks, &found, 1024), None, "how often is not known");
    }
}
