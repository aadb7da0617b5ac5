//! Inputs from the host: a ring of staging buffers that stay mapped except while being copied.

use super::BufferSlice;
use crate::{
    dtype::DType,
    error::Error,
    gpu::{
        device::{GpuDevice, Submissions},
        elements::{bytes_of, encode},
    },
    shape::Meta,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use wgpu::BufferUsages;

/// Maximum number of runs in flight.
pub(crate) const IN_FLIGHT: usize = 3;

/// The device's copies of the inputs, and the staging buffers that feed them.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// One per input.
    pub slices: Vec<BufferSlice>,
    dtypes: Vec<DType>,
    /// Byte offset of each input in a staging buffer.
    firsts: Vec<u64>,
    /// Size of a staging buffer in bytes.
    bytes: u64,
    frames: Vec<Frame>,
    next: usize,
}

#[derive(Debug)]
struct Frame {
    staging: wgpu::Buffer,
    is_mapped: Arc<AtomicBool>,
    /// The submission that copies from it.
    submission: Option<wgpu::SubmissionIndex>,
}

impl Uploads {
    /// Creates buffers for these inputs.
    pub fn new(device: &GpuDevice, inputs: &[(String, Meta)]) -> Result<Self, Error> {
        let sizes = inputs.iter().map(|(_, meta)| bytes_of(meta.shape.len(), meta.dtype));
        let slices =
            sizes.clone().map(|size| Ok(BufferSlice::whole(device.storage("input", size)?)));
        let slices = slices.collect::<Result<_, Error>>()?;
        let mut bytes = 0;
        let firsts = sizes.map(|size| {
            bytes += size;
            bytes - size
        });
        let firsts = firsts.collect();
        let dtypes = inputs.iter().map(|(_, meta)| meta.dtype).collect();
        let frame = |_| {
            let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
            let staging = device.create_buffer("inputs", bytes, usage, true)?;
            Ok(Frame { staging, is_mapped: Arc::new(AtomicBool::new(true)), submission: None })
        };
        // In a browser there is no blocking wait for a buffer, so the queue copies instead.
        let count = if bytes == 0 || cfg!(target_arch = "wasm32") { 0 } else { IN_FLIGHT };
        let frames = (0..count).map(frame).collect::<Result<_, Error>>()?;
        Ok(Uploads { slices, dtypes, firsts, bytes, frames, next: 0 })
    }

    /// Records the copies of these inputs, given as index and words. Returns the frame used.
    pub fn record(
        &mut self,
        device: &GpuDevice,
        submissions: &Submissions<'_>,
        encoder: &mut wgpu::CommandEncoder,
        inputs: &[(usize, &[u32])],
    ) -> Result<Option<usize>, Error> {
        if inputs.iter().all(|(_, words)| words.is_empty()) {
            return Ok(None);
        }
        if self.frames.is_empty() {
            for (input, words) in inputs {
                self.slices[*input].write(submissions, self.dtypes[*input], words);
            }
            return Ok(None);
        }
        let current = self.next;
        self.next = (current + 1) % self.frames.len();
        let frame = &mut self.frames[current];
        if !frame.is_mapped.load(Ordering::Acquire)
            && let Some(submission) = frame.submission.take()
        {
            device.wait(submission)?;
        }
        if !frame.is_mapped.swap(false, Ordering::AcqRel) {
            return Err(device.map_failed("an upload did not finish"));
        }
        let mut view = frame
            .staging
            .get_mapped_range_mut(0..self.bytes)
            .map_err(|error| device.map_failed(&error.to_string()))?;
        for (input, words) in inputs {
            let first = self.firsts[*input] as usize;
            let bytes = encode(words, self.dtypes[*input]);
            view.slice(first..first + bytes.len()).copy_from_slice(&bytes);
        }
        drop(view);
        frame.staging.unmap();
        for (input, words) in inputs.iter().filter(|(_, words)| !words.is_empty()) {
            let (first, to) = (self.firsts[*input], &self.slices[*input].buffer);
            let size = bytes_of(words.len(), self.dtypes[*input]);
            encoder.copy_buffer_to_buffer(&frame.staging, first, to, 0, size);
        }
        Ok(Some(current))
    }

    /// Requests remapping of the frame once its submission has finished.
    pub fn submitted(&mut self, frame: usize, submission: wgpu::SubmissionIndex) {
        let frame = &mut self.frames[frame];
        frame.submission = Some(submission);
        let is_mapped = frame.is_mapped.clone();
        frame.staging.map_async(wgpu::MapMode::Write, .., move |outcome| {
            is_mapped.store(outcome.is_ok(), Ordering::Release);
        });
    }
}
