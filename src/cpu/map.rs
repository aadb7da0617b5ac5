//! Maps: each root of an expression at each point of a space.

use super::{
    CHUNK, SERIAL,
    bytecode::Bytecode,
    device::each,
    evaluate::{Chunk, Scratch},
};
use crate::schedule::expr::{Body, TermId};

/// A compiled map.
#[derive(Debug)]
pub(super) struct Map {
    bytecode: Bytecode,
    /// Whether it is worth running on several threads.
    pub parallel: bool,
}

impl Map {
    pub fn new(space: &[usize], body: &Body, roots: &[TermId], updated: &[Option<usize>]) -> Self {
        let bytecode = Bytecode::new(body, roots, space, updated, true);
        let len: usize = space.iter().product();
        Map { parallel: len > CHUNK && len.saturating_mul(bytecode.work()) > SERIAL, bytecode }
    }

    pub fn run(&self, operands: &[&[u32]], mut outs: Vec<&mut [u32]>, parallel: bool) {
        if let [out] = &mut outs[..] {
            return each(out, CHUNK, parallel, |chunk, out| {
                self.chunk(operands, chunk * CHUNK, &mut [out]);
            });
        }
        let width = outs.len();
        if width == 0 {
            return;
        }
        // The parts of all results for the first chunk, then those for the second, ...
        let mut chunks: Vec<_> = outs.into_iter().map(|out| out.chunks_mut(CHUNK)).collect();
        let mut parts = Vec::with_capacity(width * chunks[0].len());
        for _ in 0..chunks[0].len() {
            parts.extend(chunks.iter_mut().filter_map(Iterator::next));
        }
        each(&mut parts, width, parallel, |chunk, outs| self.chunk(operands, chunk * CHUNK, outs));
    }

    fn chunk(&self, operands: &[&[u32]], start: usize, outs: &mut [&mut [u32]]) {
        Scratch::with(|scratch| {
            self.bytecode.run(scratch, Chunk { operands, acc: &[], start }, outs);
        });
    }
}
