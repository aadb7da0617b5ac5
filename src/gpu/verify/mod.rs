//! Verification of kernels on the adapter before a program uses them.

mod batch;
mod prove;
#[cfg(all(feature = "bench", not(target_arch = "wasm32")))]
mod variants;
#[cfg(not(target_arch = "wasm32"))]
mod verdicts;

#[cfg(test)]
pub(crate) use batch::BATCH_BYTES;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use verdicts::Verdict;
