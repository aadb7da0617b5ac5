//! Variables in GPU memory between runs.

use super::BufferSlice;
use crate::{
    array::Array,
    dtype::DType,
    gpu::device::GpuDevice,
    resident::{Read, Resident, Wait},
    shape::Meta,
};
use std::{any::Any, sync::Weak};

/// A variable in GPU memory.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub device: GpuDevice,
    pub slice: BufferSlice,
    pub len: usize,
    pub dtype: DType,
    /// The program that has it in an arena, while that program is alive: no other may move it.
    pub claim: Weak<()>,
}

impl Resident for Placed {
    fn read<'a>(&'a self, meta: &'a Meta, wait: Wait) -> Read<'a> {
        Box::pin(async move {
            let words = self.device.read(&self.slice, self.len, self.dtype, wait).await?;
            Array::from_words(meta.clone(), words)
        })
    }

    /// Takes effect after everything submitted so far, unless the device is lost or has no memory
    /// for it.
    fn write(&self, words: &[u32]) -> bool {
        let write = || {
            self.device.shared.faults.alive()?;
            self.slice.write(&self.device.submissions(), self.dtype, words);
            Ok(())
        };
        self.device.attempt(write).is_ok()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
