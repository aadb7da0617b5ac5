//! The CPU device: runs plans with threads and SIMD, in f32.
//!
//! It is the default without a GPU, and the baseline in the benchmarks. A step of a plan is a loop
//! over chunks of its result. Chunk boundaries depend only on shapes, so results are bitwise
//! identical for any number of threads. Within a chunk, expressions are evaluated in blocks of
//! 1,024 elements, each function over a whole block: plain loops, which the compiler vectorizes, on
//! buffers that stay in the L1 cache.

mod bytecode;
mod device;
mod evaluate;
mod index;
mod kernel;
mod map;
mod placement;
mod program;
mod reduce;
mod results;
mod storage;
#[cfg(test)]
mod tests;

pub use device::CpuDevice;
#[cfg(feature = "bench")]
pub(crate) use device::each;

/// Elements a function is applied to at a time: three buffers of 4 KiB fit every L1 cache.
const BLOCK: usize = 1024;

/// Elements per chunk of a map: small enough to distribute, large enough to be worth it.
const CHUNK: usize = 16 * BLOCK;

/// Elements times functions below which a step is not worth waking threads: about 20 us.
const SERIAL: usize = 1 << 17;
