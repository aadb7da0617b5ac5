//! Readback of device memory to the host.

use super::BufferSlice;
use crate::{
    dtype::DType,
    error::Error,
    gpu::{
        device::{GpuDevice, Submissions},
        elements::{bytes_of, decode},
    },
    memory,
};
use futures_intrusive::channel::shared::oneshot_channel;
use std::sync::PoisonError;
use wgpu::BufferUsages;

/// Maximum number of idle staging buffers kept.
const MAX_IDLE: usize = 4;
/// Maximum size of a kept buffer in bytes.
const MAX_IDLE_BYTES: u64 = 64 << 20;

/// The same while kernels are proved, whose results differ in size and are not read again.
const MAX_IDLE_BYTES_GUARDED: u64 = 1 << 20;

/// A copy in flight to the host.
pub(crate) struct Pending {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    bytes: u64,
}

impl GpuDevice {
    /// Reads the elements present once everything submitted so far has finished.
    pub(crate) async fn read(
        &self,
        slice: &BufferSlice,
        len: usize,
        dtype: DType,
    ) -> Result<Vec<u32>, Error> {
        self.shared.faults.check()?;
        memory::reserve(len.saturating_mul(size_of::<u32>()))?;
        let pending = self.begin_read(&self.submissions(), slice, bytes_of(len, dtype))?;
        self.finish_read(pending, |bytes| decode(bytes, dtype, len)).await
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
        return pollster::block_on(self.finish_read(pending, |bytes| decode(bytes, dtype, len)));
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
    ) -> Result<Pending, Error> {
        self.attempt(|| {
            let staging = self.take_staging(bytes)?;
            let mut encoder = submissions.encoder();
            encoder.copy_buffer_to_buffer(&slice.buffer, slice.first, &staging, 0, bytes);
            let submission = submissions.submit(encoder);
            Ok(Pending { staging, submission, bytes })
        })
    }

    /// Waits for a copy, and passes it to `read`.
    async fn finish_read<R>(
        &self,
        pending: Pending,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Error> {
        let Pending { staging, submission, bytes } = pending;
        let read = self.map_bytes(&staging, bytes, submission, read).await?;
        let most = if self.is_guarded { MAX_IDLE_BYTES_GUARDED } else { MAX_IDLE_BYTES };
        let mut kept = self.shared.staging.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_IDLE && staging.size() <= most {
            kept.push(staging);
        }
        Ok(read)
    }

    /// Passes the first bytes of a buffer that `submission` copies to to `read`, and unmaps the
    /// buffer again.
    pub(crate) async fn map_bytes<R>(
        &self,
        staging: &wgpu::Buffer,
        bytes: u64,
        submission: wgpu::SubmissionIndex,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Error> {
        let (sender, receiver) = oneshot_channel();
        let range = 0..bytes;
        self.attempt(|| {
            staging.map_async(wgpu::MapMode::Read, range.clone(), move |outcome| {
                // The receiver is gone if the future was dropped.
                let _ = sender.send(outcome);
            });
            Ok(())
        })?;
        // The callback runs in here, except in browsers, whose event loop calls it.
        self.wait(submission)?;
        match receiver.receive().await {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(self.map_failed(&error.to_string())),
            None => return Err(self.map_failed("the device is gone")),
        }
        let view =
            staging.get_mapped_range(range).map_err(|error| self.map_failed(&error.to_string()))?;
        let read = read(&view);
        drop(view);
        staging.unmap();
        Ok(read)
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
