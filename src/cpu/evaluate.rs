//! The evaluator: runs bytecode over a chunk of a space, block by block.

use super::{
    BLOCK,
    bytecode::{Bytecode, Code, MAX_ARGUMENTS, Source, Target},
};
use std::{cell::Cell, mem};

thread_local! {
    /// Buffers of this thread. They are taken while in use, so that a nested user on the same
    /// thread finds none and allocates its own.
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch::EMPTY) };
}

/// Buffers that are reused across steps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    registers: Vec<Vec<u32>>,
    point: Vec<usize>,
    /// Results of a reduction before the epilogue.
    pub acc: Vec<u32>,
    /// Results of a kernel before their epilogues.
    pub accs: Vec<Vec<u32>>,
    /// Partial results of parallel lanes, before they are combined.
    pub lanes: Vec<u32>,
}

impl Scratch {
    const EMPTY: Scratch = Scratch {
        registers: Vec::new(),
        point: Vec::new(),
        acc: Vec::new(),
        accs: Vec::new(),
        lanes: Vec::new(),
    };

    /// Calls `f` with the buffers of this thread.
    pub fn with<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = SCRATCH.take();
        let result = f(&mut scratch);
        SCRATCH.set(scratch);
        result
    }
}

/// A range of points and the data to compute its values from.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// Operands of the step.
    pub operands: &'a [&'a [u32]],
    /// The kernel's results for the chunk.
    pub acc: &'a [u32],
    /// The first point.
    pub start: usize,
}

impl Bytecode {
    /// Evaluates all roots at the points of a chunk into `outs`.
    pub fn run(&self, scratch: &mut Scratch, chunk: Chunk<'_>, outs: &mut [&mut [u32]]) {
        let len = outs.first().map_or(0, |out| out.len());
        self.begin(scratch, chunk.operands);
        for at in (0..len).step_by(BLOCK) {
            let count = BLOCK.min(len - at);
            self.block(scratch, chunk, at, count, outs);
            for (root, out) in self.roots.iter().zip(outs.iter_mut()) {
                let out = &mut out[at..at + count];
                if let Some(source) = *root {
                    out.copy_from_slice(resolve(&scratch.registers, chunk, source, at, count));
                }
            }
        }
    }

    /// Computes the values that are the same at all points.
    pub fn begin(&self, scratch: &mut Scratch, operands: &[&[u32]]) {
        let Scratch { registers, point, .. } = scratch;
        if registers.len() < self.registers {
            registers.resize_with(self.registers, || vec![0; BLOCK]);
        }
        let chunk = Chunk { operands, acc: &[], start: 0 };
        for (register, code) in self.uniform.iter().enumerate() {
            let mut words = mem::take(&mut registers[register]);
            code.compute(registers, point, chunk, 0, &[], &mut words[..1]);
            let word = words[0];
            words.fill(word);
            registers[register] = words;
        }
    }

    /// Computes `count` points starting at `at`, relative to the start of the chunk.
    pub fn block(
        &self,
        scratch: &mut Scratch,
        chunk: Chunk<'_>,
        at: usize,
        count: usize,
        outs: &mut [&mut [u32]],
    ) {
        let Scratch { registers, point, .. } = scratch;
        for instruction in &self.varying {
            match instruction.target {
                Target::Register(register) => {
                    let mut words = mem::take(&mut registers[register]);
                    let out = &mut words[..count];
                    instruction.code.compute(registers, point, chunk, at, outs, out);
                    registers[register] = words;
                }
                Target::Write(write) => {
                    let words = mem::take(&mut outs[write]);
                    let out = &mut words[at..at + count];
                    instruction.code.compute(registers, point, chunk, at, outs, out);
                    outs[write] = words;
                }
            }
        }
    }

    /// The values of the only root in the most recently computed block.
    pub fn value<'a>(
        &self,
        scratch: &'a Scratch,
        chunk: Chunk<'a>,
        at: usize,
        count: usize,
    ) -> &'a [u32] {
        match self.roots[..] {
            [Some(source)] => resolve(&scratch.registers, chunk, source, at, count),
            _ => unreachable!("a bytecode whose blocks are looked at has one root, not written"),
        }
    }
}

impl Code {
    fn compute(
        &self,
        registers: &[Vec<u32>],
        point: &mut Vec<usize>,
        chunk: Chunk<'_>,
        at: usize,
        outs: &[&mut [u32]],
        out: &mut [u32],
    ) {
        let first = chunk.start + at;
        match self {
            Code::Const(word) => out.fill(*word),
            Code::Load(operand, index) => index.gather(chunk.operands[*operand], first, point, out),
            Code::Previous(write, index) => {
                out.copy_from_slice(&outs[*write][at..at + out.len()]);
                if index.is_guarded() {
                    index.mask(first, point, out);
                }
            }
            Code::Coord(index) => index.coordinates(first, point, out),
            Code::Inside(index) => index.truths(first, point, out),
            Code::Apply(function, sources, last, dtype) => {
                let mut arguments: [&[u32]; MAX_ARGUMENTS] = [&[]; MAX_ARGUMENTS];
                let arguments = &mut arguments[..sources.len()];
                for (argument, &source) in arguments.iter_mut().zip(sources) {
                    *argument = resolve(registers, chunk, source, at, out.len());
                }
                function.scalar().cpu(arguments, *last, *dtype, out);
            }
        }
    }
}

fn resolve<'a>(
    registers: &'a [Vec<u32>],
    chunk: Chunk<'a>,
    source: Source,
    at: usize,
    count: usize,
) -> &'a [u32] {
    match source {
        Source::Register(register) => &registers[register][..count],
        Source::Operand(operand, offset) => {
            &chunk.operands[operand][offset + chunk.start + at..][..count]
        }
        Source::Acc => &chunk.acc[at..][..count],
    }
}
