//! Readback of device memory to the host.

use super::BufferSlice;
use crate::{
    dtype::DType,
    error::Error,
    gpu::{
        device::{
            GpuDevice, Submissions,
            arrival::{Arrival, arrival},
            faults::scoped,
        },
        elements::{bytes_of, decode},
    },
    memory,
    resident::Wait,
};
use std::sync::PoisonError;
use wgpu::BufferUsages;

/// Maximum number of idle staging buffers kept.
const MAX_IDLE: usize = 4;
/// Maximum size of a kept buffer in bytes.
const MAX_IDLE_BYTES: u64 = 64 << 20;

/// The same while kernels are proved, whose results differ in size and are not read again.
const MAX_IDLE_BYTES_GUARDED: u64 = 1 << 20;

/// The moment at which the host can read a buffer, for all who wait for it.
pub(crate) type Mapped = Arrival<MapOutcome>;

type MapOutcome = Result<(), wgpu::BufferAsyncError>;

/// A copy in flight to the host. If nobody waits for it any longer, its buffer serves other reads.
struct Pending<'d> {
    device: &'d GpuDevice,
    /// It is mapped, or about to be.
    staging: Option<wgpu::Buffer>,
    mapped: Mapped,
    submission: wgpu::SubmissionIndex,
    bytes: u64,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let Some(staging) = self.staging.take() else { return };
        // A later copy into it waits for this one, which is ahead of it in the queue.
        if scoped(&self.device.shared.device, || staging.unmap()).is_ok() {
            self.device.keep_staging(staging);
        }
    }
}

impl Pending<'_> {
    /// Waits for the copy, and passes it to `read`.
    async fn finish<R>(mut self, wait: Wait, read: impl FnOnce(&[u8]) -> R) -> Result<R, Error> {
        let device = self.device;
        let mapped = device.until_mapped(&self.mapped, &self.submission, wait).await?;
        mapped.map_err(|error| device.map_failed(&error.to_string()))?;
        let Some(staging) = self.staging.take() else { return Ok(read(&[])) };
        let read = device.take_mapped(&staging, self.bytes, read)?;
        device.keep_staging(staging);
        Ok(read)
    }
}

impl GpuDevice {
    /// Reads the elements present once everything submitted so far has finished.
    pub(crate) async fn read(
        &self,
        slice: &BufferSlice,
        len: usize,
        dtype: DType,
        wait: Wait,
    ) -> Result<Vec<u32>, Error> {
        self.shared.faults.check()?;
        memory::reserve(len.saturating_mul(size_of::<u32>()))?;
        let pending = self.begin_read(&self.submissions(), slice, bytes_of(len, dtype))?;
        pending.finish(wait, |bytes| decode(bytes, dtype, len)).await
    }

    /// Reads elements between two submissions of a run that is checked step by step, blocking;
    /// returns none where blocking is impossible.
    pub(crate) fn read_between(
        &self,
        submissions: &Submissions<'_>,
        slice: &BufferSlice,
        len: usize,
        dtype: DType,
    ) -> Result<Vec<u32>, Error> {
        let pending = self.begin_read(submissions, slice, bytes_of(len, dtype))?;
        #[cfg(not(target_arch = "wasm32"))]
        return pollster::block_on(pending.finish(Wait::Block, |bytes| decode(bytes, dtype, len)));
        #[cfg(target_arch = "wasm32")]
        {
            drop(pending);
            Ok(Vec::new())
        }
    }

    /// Submits a copy to a staging buffer.
    fn begin_read(
        &self,
        submissions: &Submissions<'_>,
        slice: &BufferSlice,
        bytes: u64,
    ) -> Result<Pending<'_>, Error> {
        self.attempt(|| {
            let staging = self.take_staging(bytes)?;
            let mut encoder = submissions.encoder();
            encoder.copy_buffer_to_buffer(&slice.buffer, slice.first, &staging, 0, bytes);
            let submission = submissions.submit(encoder);
            let mapped = map(&staging, bytes);
            Ok(Pending { device: self, staging: Some(staging), mapped, submission, bytes })
        })
    }

    /// Begins to map the first bytes of a buffer for reading.
    pub(crate) fn map(&self, staging: &wgpu::Buffer, bytes: u64) -> Result<Mapped, Error> {
        self.attempt(|| Ok(map(staging, bytes)))
    }

    /// Waits until a buffer that `submission` copies to is mapped, or cannot be.
    pub(crate) async fn until_mapped(
        &self,
        mapped: &Mapped,
        submission: &wgpu::SubmissionIndex,
        wait: Wait,
    ) -> Result<MapOutcome, Error> {
        self.arrived(mapped, submission, wait)
            .await?
            .ok_or_else(|| self.map_failed("the device is gone"))
    }

    /// Passes the first bytes of a buffer that is mapped to `read`, and unmaps it.
    pub(crate) fn take_mapped<R>(
        &self,
        staging: &wgpu::Buffer,
        bytes: u64,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Error> {
        let view = staging.get_mapped_range(0..bytes).map_err(|error| {
            // It may be mapped all the same.
            let _ = scoped(&self.shared.device, || staging.unmap());
            self.map_failed(&error.to_string())
        })?;
        let read = read(&view);
        drop(view);
        staging.unmap();
        Ok(read)
    }

    /// Keeps a staging buffer for later reads, if there are few and it is not too large.
    fn keep_staging(&self, staging: wgpu::Buffer) {
        let most = if self.is_guarded { MAX_IDLE_BYTES_GUARDED } else { MAX_IDLE_BYTES };
        let mut kept = self.shared.staging.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_IDLE && staging.size() <= most {
            kept.push(staging);
        }
    }

    /// A staging buffer of at least this size: an idle one, or a new one.
    fn take_staging(&self, bytes: u64) -> Result<wgpu::Buffer, Error> {
        let mut kept = self.shared.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = kept.iter().enumerate().filter(|(_, buffer)| buffer.size() >= bytes);
        if let Some((position, _)) = fitting.min_by_key(|(_, buffer)| buffer.size()) {
            return Ok(kept.swap_remove(position));
        }
        drop(kept);
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        // Rounded up to serve more often, as far as a buffer may be.
        let largest = self.shared.limits.max_buffer_size / 4 * 4;
        let size = bytes.next_power_of_two().min(largest).max(bytes);
        self.create_buffer("readback", size, usage, false)
    }
}

/// Begins to map the first bytes of a buffer for reading.
fn map(staging: &wgpu::Buffer, bytes: u64) -> Mapped {
    let (sender, mapped) = arrival();
    staging.map_async(wgpu::MapMode::Read, 0..bytes, |outcome| sender.send(outcome));
    mapped
}
