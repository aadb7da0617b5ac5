//! Variables in GPU memory between runs.

use super::BufferSlice;
use crate::{
    array::Array,
    dtype::DType,
    gpu::{
        device::GpuDevice,
        elements::{bytes_of, decode},
    },
    resident::{Read, Resident},
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
    fn read<'a>(&'a self, meta: &'a Meta) -> Read<'a> {
        Box::pin(async {
            let bytes = self.device.read(&self.slice, bytes_of(self.len, self.dtype)).await?;
            Array::from_words(meta.clone(), decode(&bytes, self.dtype, self.len))
        })
    }

    /// Takes effect after everything submitted so far, unless the device is lost.
    fn write(&self, words: &[u32]) -> bool {
        if self.device.shared.faults.check().is_err() {
            return false;
        }
        self.slice.write(&self.device.submissions(), self.dtype, words);
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
