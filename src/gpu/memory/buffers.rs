//! Buffers: allocation, sharing as slots, and locations within them.

use crate::{
    array::Array,
    dtype::DType,
    error::{DeviceError, Error},
    gpu::{
        device::{
            GpuDevice, Submissions,
            counters::count,
            faults::{fault, scoped},
        },
        elements::{bytes_of, encode},
    },
};
use std::{
    ptr,
    sync::{Arc, PoisonError, Weak},
};
use wgpu::BufferUsages;

/// Usage flags of every buffer that kernels access.
const STORAGE: BufferUsages =
    BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);

impl GpuDevice {
    /// Creates a buffer.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Limit`], [`DeviceError::OutOfMemory`].
    pub(crate) fn create_buffer(
        &self,
        label: &str,
        size: u64,
        usage: BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer, Error> {
        let offered = self.shared.limits.max_buffer_size;
        if size > offered {
            return Err(DeviceError::Limit {
                adapter: self.name(),
                limit: "bytes in one buffer",
                needed: size,
                offered,
            }
            .into());
        }
        #[cfg(test)]
        if self.shared.allocations_left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 0 {
            return Err(DeviceError::OutOfMemory { bytes: Some(size) }.into());
        }
        self.leave_room(size)?;
        #[cfg(test)]
        count(&self.shared.allocated, size);
        count(&self.shared.tally.buffers, 1);
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation };
        let created = scoped(&self.shared.device, || self.shared.device.create_buffer(&descriptor));
        created.map_err(|error| fault(error, Some(size)).into())
    }

    /// Creates a storage buffer for kernels.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Result<Arc<wgpu::Buffer>, Error> {
        Ok(Arc::new(self.create_buffer(label, bytes.max(4), STORAGE, false)?))
    }

    /// The memory of a constant: programs that have one array in common share it.
    pub(crate) fn constant(&self, array: &Arc<Array>) -> Result<BufferSlice, Error> {
        let mut known = self.shared.constants.lock().unwrap_or_else(PoisonError::into_inner);
        // An array that is gone may have had the address of another.
        known.retain(|(array, buffer)| array.strong_count() > 0 && buffer.strong_count() > 0);
        let of_array = known.iter().find(|(known, _)| ptr::eq(known.as_ptr(), Arc::as_ptr(array)));
        if let Some(buffer) = of_array.and_then(|(_, buffer)| buffer.upgrade()) {
            return Ok(BufferSlice::whole(buffer));
        }
        let (words, dtype) = (array.words(), array.dtype());
        let size = bytes_of(words.len(), dtype);
        let buffer = Arc::new(self.filled("constant", size, STORAGE, &encode(words, dtype))?);
        known.push((Arc::downgrade(array), Arc::downgrade(&buffer)));
        Ok(BufferSlice::whole(buffer))
    }

    /// Creates an immutable uniform buffer.
    pub(crate) fn uniforms(&self, bytes: &[u8]) -> Result<wgpu::Buffer, Error> {
        let size = bytes.len().next_multiple_of(16).max(16);
        self.filled("uniforms", size as u64, BufferUsages::UNIFORM, bytes)
    }

    /// Creates a buffer that starts with these bytes.
    pub(super) fn filled(
        &self,
        label: &str,
        size: u64,
        usage: BufferUsages,
        bytes: &[u8],
    ) -> Result<wgpu::Buffer, Error> {
        let buffer = self.create_buffer(label, size, usage, true)?;
        let mapped = buffer.get_mapped_range_mut(..);
        let mut view = mapped.map_err(|error| self.map_failed(&error.to_string()))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        drop(view);
        buffer.unmap();
        Ok(buffer)
    }

    /// Distinct buffers of at least these sizes, shared with other programs.
    ///
    /// This is sound because a slot holds nothing between two runs, and the submissions of a run
    /// are not interleaved with those of another program.
    pub(crate) fn slots(&self, bytes: &[u64]) -> Result<Vec<Arc<wgpu::Buffer>>, Error> {
        let mut pool = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
        pool.retain(|buffer| buffer.strong_count() > 0);
        let mut free: Vec<_> = pool.iter().filter_map(Weak::upgrade).collect();
        free.sort_by_key(|buffer| buffer.size());
        let mut slots = vec![None; bytes.len()];
        let mut order: Vec<usize> = (0..bytes.len()).collect();
        order.sort_by_key(|&slot| std::cmp::Reverse(bytes[slot]));
        for slot in order {
            let fits = free.partition_point(|buffer| buffer.size() < bytes[slot]);
            slots[slot] = Some(match fits < free.len() {
                true => free.remove(fits),
                false => {
                    let buffer = self.storage("slot", bytes[slot])?;
                    pool.push(Arc::downgrade(&buffer));
                    buffer
                }
            });
        }
        Ok(slots.into_iter().flatten().collect())
    }

    /// The reason why a buffer could not be mapped: the fault of the device if there is one.
    pub(crate) fn map_failed(&self, message: &str) -> Error {
        let message = format!("a buffer could not be mapped: {message}");
        self.notice_loss();
        self.shared.faults.check().err().unwrap_or(DeviceError::Reported { message }.into())
    }
}

/// The current memory of a storage.
#[derive(Clone, Debug)]
pub(crate) struct BufferSlice {
    pub buffer: Arc<wgpu::Buffer>,
    /// Byte offset.
    pub first: u64,
}

impl BufferSlice {
    /// A location that spans a whole buffer.
    pub fn whole(buffer: Arc<wgpu::Buffer>) -> Self {
        BufferSlice { buffer, first: 0 }
    }

    /// Writes words before the next submission.
    pub fn write(&self, submissions: &Submissions<'_>, dtype: DType, words: &[u32]) {
        submissions.write(&self.buffer, self.first, &encode(words, dtype));
    }

    /// Whether both are the same location.
    pub fn is(&self, other: &BufferSlice) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer) && self.first == other.first
    }
}
