//! Device time of a run, measured with timestamp queries.

use crate::{error::Error, gpu::device::GpuDevice, resident::Wait};
use std::time::Duration;
use wgpu::BufferUsages;

/// Two timestamps of the device.
#[derive(Debug)]
pub(crate) struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    nanoseconds: f64,
}

/// Size of two timestamps in bytes.
const BYTES: u64 = 16;

impl Timestamps {
    /// Creates the queries; `None` if the device does not support them.
    pub fn new(device: &GpuDevice) -> Result<Option<Self>, Error> {
        let (nanoseconds, queries) = device.attempt(|| Ok(device.clock()))?;
        let Some(queries) = queries else { return Ok(None) };
        let buffer = |usage| device.create_buffer("timestamps", BYTES, usage, false);
        let resolved = buffer(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC)?;
        let staging = buffer(BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        Ok(Some(Timestamps { queries, resolved, staging, nanoseconds }))
    }

    /// The timestamp writes of a pass that contains the first or last dispatch of a run.
    pub fn writes(
        &self,
        has_first: bool,
        has_last: bool,
    ) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        (has_first || has_last).then_some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: has_first.then_some(0),
            end_of_pass_write_index: has_last.then_some(1),
        })
    }

    /// Records the copy of the timestamps to a mappable buffer.
    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, BYTES);
    }

    /// The time between the timestamps; `None` if they are equal.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(
        &self,
        device: &GpuDevice,
        submission: wgpu::SubmissionIndex,
    ) -> Result<Option<Duration>, Error> {
        let mapped = device.map(&self.staging, BYTES)?;
        let outcome = pollster::block_on(device.until_mapped(&mapped, &submission, Wait::Block))?;
        outcome.map_err(|error| device.map_failed(&error.to_string()))?;
        let readings: Vec<u64> =
            device.take_mapped(&self.staging, BYTES, bytemuck::pod_collect_to_vec)?;
        let ticks = readings[1].saturating_sub(readings[0]);
        let time = Duration::from_secs_f64(ticks as f64 * self.nanoseconds * 1e-9);
        Ok((ticks > 0).then_some(time))
    }
}
