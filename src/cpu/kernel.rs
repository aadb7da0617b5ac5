//! Kernels with their own loop, and the epilogue applied while results are in cache.

use super::{
    SERIAL,
    bytecode::Bytecode,
    device::each,
    evaluate::{Chunk, Scratch, round_to_half},
};
use crate::{dtype::DType, ops::kernel::CpuKernel, schedule::plan::Epilogue};
use std::mem;

/// Minimum operations per chunk.
const LEAST_WORK: usize = 1 << 19;
/// Number of chunks of a large result.
const CHUNKS: usize = 16;
/// Maximum elements per chunk, so that the epilogue finds it in cache ...
const MAX_CHUNK: usize = 1 << 16;
/// ... unless that is fewer granules than this: products with few rows do not amortize their
/// packing.
const GRANULES: usize = 16;

/// A compiled epilogue.
#[derive(Debug)]
pub(super) struct Finish {
    /// `None` if results are written unchanged.
    bytecode: Option<Bytecode>,
    half: bool,
}

impl Finish {
    /// Compiles the epilogue over `space` for results of type `dtype`.
    pub fn new(
        epilogue: &Epilogue,
        dtype: DType,
        space: &[usize],
        updated: &[Option<usize>],
    ) -> Self {
        let bytecode = || Bytecode::new(&epilogue.body, &[epilogue.root], space, updated, true);
        Finish { bytecode: (!epilogue.is_identity()).then(bytecode), half: dtype == DType::F16 }
    }

    /// Lets `compute` fill the results for the chunk that starts at `start`, and writes the output
    /// of the epilogue to `out`.
    pub fn apply(
        &self,
        scratch: &mut Scratch,
        operands: &[&[u32]],
        start: usize,
        out: &mut [u32],
        compute: impl FnOnce(&mut Scratch, &mut [u32]),
    ) {
        let Some(bytecode) = &self.bytecode else {
            compute(scratch, out);
            if self.half {
                round_to_half(out);
            }
            return;
        };
        let mut acc = mem::take(&mut scratch.acc);
        if acc.len() < out.len() {
            acc.resize(out.len(), 0);
        }
        compute(scratch, &mut acc[..out.len()]);
        bytecode.run(scratch, Chunk { operands, acc: &acc, start }, &mut [out]);
        scratch.acc = acc;
    }
}

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Loop {
    kernel: CpuKernel,
    /// Number of reads that belong to the kernel.
    operands: usize,
    finish: Finish,
    chunk: usize,
    /// Whether it is worth running on several threads.
    pub parallel: bool,
}

impl Loop {
    pub fn new(kernel: &CpuKernel, operands: usize, space: &[usize], finish: Finish) -> Self {
        let len: usize = space.iter().product();
        let granule = kernel.granule.max(1);
        let work = kernel.work.max(1);
        let aim = (len.saturating_mul(work) / CHUNKS).max(LEAST_WORK) / work;
        let granules = (aim.min(MAX_CHUNK.max(GRANULES.saturating_mul(granule))) / granule).max(1);
        let chunk = granules.saturating_mul(granule);
        let parallel = len > chunk && len.saturating_mul(work) > SERIAL;
        Loop { kernel: kernel.clone(), operands, finish, chunk, parallel }
    }

    pub fn run(&self, operands: &[&[u32]], mut outs: Vec<&mut [u32]>, parallel: bool) {
        let Some(out) = outs.first_mut() else { return };
        each(out, self.chunk, parallel, |chunk, out| {
            let start = chunk * self.chunk;
            Scratch::with(|scratch| {
                self.finish.apply(scratch, operands, start, out, |_, acc| {
                    (self.kernel.compute)(&operands[..self.operands], start, acc);
                });
            });
        });
    }
}
