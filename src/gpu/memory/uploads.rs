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
const IN_FLIGHT: usize = 3;

impl GpuDevice {
    /// Maximum number of runs in flight, of which each has memory of its own: one where every step
    /// is waited for.
    pub(crate) fn in_flight(&self) -> usize {
        if self.is_guarded { 1 } else { IN_FLIGHT }
    }
}

/// The device's copies of the inputs, and the staging buffers that feed them.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// One per input.
    pub slices: Vec<BufferSlice>,
    dtypes: Vec<DType>,
    /// The staging buffer of each input within a frame, and its byte offset there.
    places: Vec<(usize, u64)>,
    /// Sizes of the staging buffers of a frame in bytes.
    sizes: Vec<u64>,
    frames: Vec<Frame>,
    next: usize,
}

/// The upload buffers of one run.
#[derive(Debug)]
struct Frame {
    staging: Vec<Staging>,
    /// The submission that copies from it.
    submission: Option<wgpu::SubmissionIndex>,
}

#[derive(Debug)]
struct Staging {
    buffer: wgpu::Buffer,
    is_mapped: Arc<AtomicBool>,
}

impl Staging {
    fn new(device: &GpuDevice, bytes: u64) -> Result<Self, Error> {
        let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
        let buffer = device.create_buffer("inputs", bytes, usage, true)?;
        Ok(Staging { buffer, is_mapped: Arc::new(AtomicBool::new(true)) })
    }
}

impl Uploads {
    /// Creates buffers for these inputs.
    pub fn new(device: &GpuDevice, inputs: &[(String, Meta)]) -> Result<Self, Error> {
        let bytes: Vec<u64> =
            inputs.iter().map(|(_, meta)| bytes_of(meta.shape.len(), meta.dtype)).collect();
        let slices =
            bytes.iter().map(|&size| Ok(BufferSlice::whole(device.storage("input", size)?)));
        let slices = slices.collect::<Result<_, Error>>()?;
        let (places, sizes) = packed(&bytes, device.shared.limits.max_buffer_size);
        let dtypes = inputs.iter().map(|(_, meta)| meta.dtype).collect();
        let frame = |_| {
            let staging = sizes.iter().map(|&size| Staging::new(device, size));
            Ok(Frame { staging: staging.collect::<Result<_, Error>>()?, submission: None })
        };
        // In a browser there is no blocking wait for a buffer, so the queue copies instead.
        let count = match sizes.is_empty() || cfg!(target_arch = "wasm32") {
            true => 0,
            false => device.in_flight(),
        };
        let frames = (0..count).map(frame).collect::<Result<_, Error>>()?;
        Ok(Uploads { slices, dtypes, places, sizes, frames, next: 0 })
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
        let Frame { staging, submission } = &mut self.frames[current];
        if let Some(submission) = submission.take()
            && staging.iter().any(|staging| !staging.is_mapped.load(Ordering::Acquire))
        {
            device.wait(submission)?;
        }
        for (index, staging) in staging.iter_mut().enumerate() {
            if !staging.is_mapped.swap(false, Ordering::AcqRel) {
                // An earlier run failed between writing to it and mapping it again.
                *staging = Staging::new(device, self.sizes[index])?;
                staging.is_mapped.store(false, Ordering::Release);
            }
            let mut view = staging
                .buffer
                .get_mapped_range_mut(..)
                .map_err(|error| device.map_failed(&error.to_string()))?;
            for (input, words) in inputs.iter().filter(|(input, _)| self.places[*input].0 == index)
            {
                let first = self.places[*input].1 as usize;
                let bytes = encode(words, self.dtypes[*input]);
                view.slice(first..first + bytes.len()).copy_from_slice(&bytes);
            }
            drop(view);
            staging.buffer.unmap();
        }
        for (input, words) in inputs.iter().filter(|(_, words)| !words.is_empty()) {
            let ((index, first), to) = (self.places[*input], &self.slices[*input].buffer);
            let size = bytes_of(words.len(), self.dtypes[*input]);
            encoder.copy_buffer_to_buffer(&staging[index].buffer, first, to, 0, size);
        }
        Ok(Some(current))
    }

    /// Requests remapping of the frame once its submission has finished.
    pub fn submitted(&mut self, frame: usize, submission: wgpu::SubmissionIndex) {
        let frame = &mut self.frames[frame];
        frame.submission = Some(submission);
        for staging in &frame.staging {
            let is_mapped = staging.is_mapped.clone();
            staging.buffer.map_async(wgpu::MapMode::Write, .., move |outcome| {
                is_mapped.store(outcome.is_ok(), Ordering::Release);
            });
        }
    }
}

/// The buffer and the offset in it of each of these tensors, in as few buffers of at most `largest`
/// bytes as their order permits, and the sizes of these buffers.
fn packed(bytes: &[u64], largest: u64) -> (Vec<(usize, u64)>, Vec<u64>) {
    let mut sizes: Vec<u64> = Vec::new();
    let place = |&size: &u64| {
        match sizes.last_mut() {
            Some(last) if *last + size <= largest => *last += size,
            _ => sizes.push(size),
        }
        (sizes.len() - 1, sizes[sizes.len() - 1] - size)
    };
    let places = bytes.iter().map(place).collect();
    (places, sizes)
}

#[cfg(test)]
mod tests {
    use super::packed;

    #[test]
    fn no_buffer_is_too_large() {
        assert_eq!(packed(&[], 8), (vec![], vec![]));
        assert_eq!(packed(&[4, 4, 4], 12), (vec![(0, 0), (0, 4), (0, 8)], vec![12]));
        let places = vec![(0, 0), (1, 0), (1, 4), (2, 0)];
        assert_eq!(packed(&[12, 4, 4, 8], 12), (places, vec![12, 8, 8]));
    }
}
