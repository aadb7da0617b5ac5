//! Inputs from the host: a ring of staging buffers that stay mapped while nobody copies them.

use super::{
    device::{GpuDevice, Submissions},
    memory::{Home, bytes_of},
};
use crate::error::Error;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use wgpu::BufferUsages;

/// Runs that may be in flight.
pub(super) const IN_FLIGHT: usize = 3;

/// The device's copies of the inputs, and the way there.
#[derive(Debug)]
pub(super) struct Uploads {
    /// One for each input.
    pub homes: Vec<Home>,
    /// First word of each input in a staging buffer.
    firsts: Vec<usize>,
    words: usize,
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
    /// Buffers for inputs of these lengths.
    pub fn new(device: &GpuDevice, lens: &[usize]) -> Result<Self, Error> {
        let homes = lens.iter().map(|&len| Ok(Home::whole(device.storage("input", len)?)));
        let homes = homes.collect::<Result<_, Error>>()?;
        let mut words = 0;
        let firsts = lens.iter().map(|&len| {
            words += len;
            words - len
        });
        let firsts = firsts.collect();
        let frame = |_| {
            let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
            let staging = device.create_buffer("inputs", bytes_of(words), usage, true)?;
            Ok(Frame { staging, is_mapped: Arc::new(AtomicBool::new(true)), submission: None })
        };
        // In a browser a buffer cannot be waited for, and the queue copies instead.
        let count = if words == 0 || cfg!(target_arch = "wasm32") { 0 } else { IN_FLIGHT };
        let frames = (0..count).map(frame).collect::<Result<_, Error>>()?;
        Ok(Uploads { homes, firsts, words, frames, next: 0 })
    }

    /// Records the copies of these inputs: index and words. Returns the frame that is used.
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
                submissions.write(&self.homes[*input].buffer, 0, words);
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
            .get_mapped_range_mut(0..bytes_of(self.words))
            .map_err(|error| device.map_failed(&error.to_string()))?;
        for (input, words) in inputs {
            let first = 4 * self.firsts[*input];
            let bytes = bytemuck::cast_slice::<u32, u8>(words);
            view.slice(first..first + bytes.len()).copy_from_slice(bytes);
        }
        drop(view);
        frame.staging.unmap();
        for (input, words) in inputs.iter().filter(|(_, words)| !words.is_empty()) {
            let first = 4 * self.firsts[*input] as u64;
            let to = &self.homes[*input].buffer;
            encoder.copy_buffer_to_buffer(&frame.staging, first, to, 0, bytes_of(words.len()));
        }
        Ok(Some(current))
    }

    /// Asks for the frame back once its submission is done.
    pub fn submitted(&mut self, frame: usize, submission: wgpu::SubmissionIndex) {
        let frame = &mut self.frames[frame];
        frame.submission = Some(submission);
        let is_mapped = frame.is_mapped.clone();
        frame.staging.map_async(wgpu::MapMode::Write, .., move |outcome| {
            is_mapped.store(outcome.is_ok(), Ordering::Release);
        });
    }
}
