//! Kernels with their own loop, and the epilogue applied while results are in cache.

use super::{
    SERIAL,
    bytecode::Bytecode,
    device::each_of_all,
    evaluate::{Chunk, Scratch},
};
use crate::{
    error::DeviceError,
    memory::reserve,
    ops::kernel::CpuKernel,
    schedule::plan::{Epilogue, KernelWrite},
};
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
}

impl Finish {
    /// Compiles the epilogue over `space`.
    pub fn new(epilogue: &Epilogue, space: &[usize], updated: &[Option<usize>]) -> Self {
        let bytecode = || Bytecode::new(&epilogue.body, &[epilogue.root], space, updated, true);
        Finish { bytecode: (!epilogue.is_identity()).then(bytecode) }
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
        let mut acc = mem::take(&mut scratch.acc);
        compute(scratch, self.target(&mut acc, out));
        self.finish(scratch, operands, start, &acc, out);
        scratch.acc = acc;
    }

    /// Where the results are computed: in `out` itself unless the epilogue continues them.
    fn target<'a>(&self, acc: &'a mut Vec<u32>, out: &'a mut [u32]) -> &'a mut [u32] {
        if self.bytecode.is_none() {
            return out;
        }
        if acc.len() < out.len() {
            acc.resize(out.len(), 0);
        }
        &mut acc[..out.len()]
    }

    /// Turns the results in [`target`](Self::target) into those of the epilogue.
    fn finish(
        &self,
        scratch: &mut Scratch,
        operands: &[&[u32]],
        start: usize,
        acc: &[u32],
        out: &mut [u32],
    ) {
        if let Some(bytecode) = &self.bytecode {
            bytecode.run(scratch, Chunk { operands, acc, start }, &mut [out]);
        }
    }
}

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Loop {
    kernel: CpuKernel,
    /// Number of reads that belong to the kernel.
    operands: usize,
    /// Number and epilogue of each result that is written.
    writes: Vec<(usize, Finish)>,
    /// Granules per chunk.
    granules: usize,
    /// Memory for results that epilogues continue, per thread and in bytes.
    scratch: usize,
    /// Whether it is worth running on several threads.
    pub parallel: bool,
}

impl Loop {
    pub fn new(
        kernel: &CpuKernel,
        operands: usize,
        writes: &[KernelWrite],
        updated: &[Option<usize>],
    ) -> Self {
        let [granule, of_write] = [0, writes[0].result].map(|result| kernel.granules[result]);
        let work = kernel.work;
        // Elements of the first result, whether it is written or not.
        let len = writes[0].space.iter().product::<usize>() / of_write * granule;
        let aim = (len.saturating_mul(work) / CHUNKS).max(LEAST_WORK) / work;
        let granules = (aim.min(MAX_CHUNK.max(GRANULES.saturating_mul(granule))) / granule).max(1);
        let parallel = len > granules.saturating_mul(granule) && len.saturating_mul(work) > SERIAL;
        let finish = |write: &KernelWrite| {
            (write.result, Finish::new(&write.epilogue, &write.space, updated))
        };
        let writes: Vec<(usize, Finish)> = writes.iter().map(finish).collect();
        let continued = writes.iter().filter(|(_, finish)| finish.bytecode.is_some());
        let width = |result: usize| granules.saturating_mul(kernel.granules[result]).min(len);
        let scratch = continued.map(|&(result, _)| width(result).saturating_mul(4));
        let scratch = scratch.fold(0, usize::saturating_add);
        Loop { kernel: kernel.clone(), operands, writes, granules, scratch, parallel }
    }

    /// Fails if there is no memory for running on so many threads.
    pub fn reserve(&self, threads: usize) -> Result<(), DeviceError> {
        reserve(self.scratch.saturating_mul(threads))
    }

    /// Elements of a result per chunk.
    fn width(&self, result: usize) -> usize {
        self.granules.saturating_mul(self.kernel.granules[result])
    }

    pub fn run(&self, operands: &[&[u32]], mut outs: Vec<&mut [u32]>, parallel: bool) {
        let widths: Vec<usize> =
            self.writes.iter().map(|&(result, _)| self.width(result)).collect();
        each_of_all(&mut outs, &widths, parallel, |chunk, outs| {
            Scratch::with(|scratch| self.chunk(scratch, operands, chunk, outs));
        });
    }

    fn chunk(
        &self,
        scratch: &mut Scratch,
        operands: &[&[u32]],
        chunk: usize,
        outs: &mut [&mut [u32]],
    ) {
        let mut accs = mem::take(&mut scratch.accs);
        accs.resize_with(accs.len().max(self.writes.len()), Vec::new);
        let mut results: Vec<&mut [u32]> = Vec::new();
        results.resize_with(self.kernel.granules.len(), Default::default);
        for (((result, finish), acc), out) in self.writes.iter().zip(&mut accs).zip(&mut *outs) {
            results[*result] = finish.target(acc, out);
        }
        let first = chunk * self.granules;
        (self.kernel.compute)(&operands[..self.operands], first, &mut results);
        for (((result, finish), acc), out) in self.writes.iter().zip(&accs).zip(outs) {
            finish.finish(scratch, operands, chunk * self.width(*result), acc, out);
        }
        scratch.accs = accs;
    }
}
