//! Maps: each root of an expression at each point of a space.

use super::{
    CHUNK, SERIAL,
    bytecode::Bytecode,
    device::each_of_all,
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
        let widths = vec![CHUNK; outs.len()];
        each_of_all(&mut outs, &widths, parallel, |chunk, outs| {
            self.chunk(operands, chunk * CHUNK, outs);
        });
    }

    fn chunk(&self, operands: &[&[u32]], start: usize, outs: &mut [&mut [u32]]) {
        Scratch::with(|scratch| {
            self.bytecode.run(scratch, Chunk { operands, acc: &[], start }, outs);
        });
    }
}
