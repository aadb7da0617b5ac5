//! The CPU device: plans run on threads and SIMD, in f32.
//!
//! It is the default where there is no GPU, and the opponent in the benchmarks. A step of a plan
//! is a loop over chunks of its result. Where chunks begin depends on shapes only, so results
//! are the same bits for any number of threads. Within a chunk, expressions are evaluated in
//! blocks of 1,024 elements, each function over a whole block: plain loops, which the
//! compiler vectorises, on buffers that stay in the first-level cache.

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

/// Elements a function is applied to at a time: three buffers of 4 KiB fit every cache.
const BLOCK: usize = 1024;

/// Elements of a chunk of a map: small enough to share out, large enough to be worth it.
const CHUNK: usize = 16 * BLOCK;

/// Elements times functions below which a step is not worth waking threads: about 20 us.
const SERIAL: usize = 1 << 17;
