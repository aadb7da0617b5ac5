//! Verification of kernels on the adapter before a program uses them.

mod batch;
mod prove;

#[cfg(test)]
pub(crate) use batch::BATCH_BYTES;
