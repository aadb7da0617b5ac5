//! All memory of a run, and how a step borrows it: what it writes exclusively, the rest shared.

use super::placement::Placed;
use crate::{
    array::Array,
    error::DeviceError,
    memory::copied,
    schedule::plan::{Plan, Region, Storage},
};
use std::{collections::HashMap, mem, ops::Range, sync::Arc};

/// One of the vectors of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    Slot(usize),
    Input(usize),
    Constant(usize),
    Memory(usize),
    Output(usize),
}

/// The memory of a run.
pub(super) struct Memory<'a> {
    /// Slots of the program.
    pub slots: &'a mut [Vec<u32>],
    /// Inputs of the run.
    pub inputs: &'a [&'a [u32]],
    /// Constants of the program.
    pub constants: &'a [Arc<Array>],
    /// Memories that hold variables; no duplicates.
    pub memories: Vec<&'a mut Vec<u32>>,
    /// Results of the run.
    pub outputs: &'a mut [Vec<u32>],
    /// Location of variables and arenas in `memories`.
    pub offsets: &'a Offsets,
}

/// The memory and the first word of each variable and each arena of a plan.
#[derive(Debug)]
pub(super) struct Offsets {
    variables: Vec<(usize, usize)>,
    arenas: Vec<(usize, usize)>,
}

impl Offsets {
    /// The offsets of placed variables, with one [`Placed`] per memory.
    pub fn new<'p>(plan: &Plan, placed: &'p [Placed]) -> (Self, Vec<&'p Placed>) {
        let mut memories: Vec<&Placed> = Vec::new();
        let mut numbers = HashMap::new();
        let variables: Vec<_> = placed
            .iter()
            .map(|placed| {
                let memory = *numbers.entry(Arc::as_ptr(&placed.memory)).or_insert_with(|| {
                    memories.push(placed);
                    memories.len() - 1
                });
                (memory, placed.offset)
            })
            .collect();
        let arenas = plan.arenas.iter().map(|arena| match arena.members.first() {
            Some(&(variable, offset)) => (variables[variable].0, variables[variable].1 - offset),
            None => (usize::MAX, 0),
        });
        (Offsets { arenas: arenas.collect(), variables }, memories)
    }

    fn span(&self, region: &Region) -> (Home, Range<usize>) {
        let (home, first) = match region.storage {
            Storage::Slot(slot) => (Home::Slot(slot), 0),
            Storage::Input(input) => (Home::Input(input), 0),
            Storage::Constant(constant) => (Home::Constant(constant), 0),
            Storage::Output(output) => (Home::Output(output), 0),
            Storage::Variable(variable) => {
                let (memory, first) = self.variables[variable];
                (Home::Memory(memory), first)
            }
            Storage::Arena(arena) => {
                let (memory, first) = self.arenas[arena];
                (Home::Memory(memory), first)
            }
        };
        let start = first + region.offset;
        (home, start..start + region.len)
    }
}

impl Memory<'_> {
    fn words(&self, home: Home) -> &[u32] {
        match home {
            Home::Slot(slot) => &self.slots[slot],
            Home::Input(input) => self.inputs[input],
            Home::Constant(constant) => self.constants[constant].words(),
            Home::Memory(memory) => self.memories[memory],
            Home::Output(output) => &self.outputs[output],
        }
    }

    fn vector(&mut self, home: Home) -> &mut Vec<u32> {
        match home {
            Home::Slot(slot) => &mut self.slots[slot],
            Home::Memory(memory) => self.memories[memory],
            Home::Output(output) => &mut self.outputs[output],
            Home::Input(_) | Home::Constant(_) => {
                unreachable!("no step writes an input or a constant")
            }
        }
    }

    /// Calls `f` with the reads and writes of a step.
    ///
    /// A read that is `updated` in place is passed as an empty slice: its words are those of the
    /// write. Any other read that overlaps a write is passed as a copy made before the step:
    /// variables that share an arena may be read under one name and written under another.
    pub fn borrow(
        &mut self,
        reads: &[Region],
        writes: &[Region],
        updated: &[bool],
        f: impl FnOnce(&[&[u32]], Vec<&mut [u32]>),
    ) -> Result<(), DeviceError> {
        let offsets = self.offsets;
        let mut targets: Vec<(Home, Range<usize>, usize)> = Vec::with_capacity(writes.len());
        for (write, region) in writes.iter().enumerate() {
            let (home, range) = offsets.span(region);
            targets.push((home, range, write));
        }
        targets.sort_by_key(|(home, range, _)| (*home, range.start, range.end));
        let overlaps = |home: Home, range: &Range<usize>| {
            let meets = |other: &Range<usize>| range.start < other.end && other.start < range.end;
            targets.iter().any(|(target, other, _)| *target == home && meets(other))
        };
        let copies = reads
            .iter()
            .zip(updated)
            .map(|(region, &updated)| {
                let (home, range) = offsets.span(region);
                let is_copied = !updated && overlaps(home, &range);
                is_copied.then(|| copied(&self.words(home)[range])).transpose()
            })
            .collect::<Result<Vec<_>, _>>()?;

        let mut loan = Loan { memory: self, taken: Vec::with_capacity(writes.len()) };
        for &(home, ..) in &targets {
            if loan.taken.last().is_none_or(|(last, _)| *last != home) {
                loan.taken.push((home, mem::take(loan.memory.vector(home))));
            }
        }
        let Loan { memory, taken } = &mut loan;
        let mut outs: Vec<(usize, &mut [u32])> = Vec::with_capacity(writes.len());
        // The words between the writes, with their memory and offset.
        let mut gaps: Vec<(Home, usize, &[u32])> = Vec::new();
        for (home, words) in taken {
            let (mut rest, mut at) = (words.as_mut_slice(), 0);
            for (_, range, write) in targets.iter().filter(|(target, ..)| target == home) {
                let (gap, tail) = rest.split_at_mut(range.start - at);
                let (out, tail) = tail.split_at_mut(range.len());
                gaps.push((*home, at, gap));
                outs.push((*write, out));
                (rest, at) = (tail, range.end);
            }
            gaps.push((*home, at, rest));
        }
        outs.sort_by_key(|(write, _)| *write);
        let views: Vec<&[u32]> = reads
            .iter()
            .enumerate()
            .map(|(read, region)| {
                let (home, range) = offsets.span(region);
                if updated[read] || range.is_empty() {
                    return &[][..];
                }
                if let Some(copy) = &copies[read] {
                    return copy;
                }
                let holds = |(other, start, words): &&(Home, usize, &[u32])| {
                    *other == home && *start <= range.start && range.end <= start + words.len()
                };
                match gaps.iter().find(holds) {
                    Some(&(_, start, words)) => &words[range.start - start..range.end - start],
                    None => &memory.words(home)[range],
                }
            })
            .collect();
        f(&views, outs.into_iter().map(|(_, out)| out).collect());
        Ok(())
    }
}

/// Vectors taken out of a memory; they are put back even if the borrower panics.
struct Loan<'m, 'a> {
    memory: &'m mut Memory<'a>,
    taken: Vec<(Home, Vec<u32>)>,
}

impl Drop for Loan<'_, '_> {
    fn drop(&mut self) {
        for (home, words) in self.taken.drain(..) {
            *self.memory.vector(home) = words;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_step_that_panics_loses_nothing() {
        let mut variable = vec![7; 64];
        let offsets = Offsets { variables: vec![(0, 0)], arenas: vec![] };
        let mut memory = Memory {
            slots: &mut [],
            inputs: &[],
            constants: &[],
            memories: vec![&mut variable],
            outputs: &mut [],
            offsets: &offsets,
        };
        let region =
            Region { storage: Storage::Variable(0), offset: 0, len: 64, dtype: DType::F32 };
        let step = || memory.borrow(&[], &[region], &[], |_, _| panic!("a kernel has a bug"));
        assert!(catch_unwind(AssertUnwindSafe(step)).is_err());
        assert_eq!(variable, [7; 64]);
    }
}
