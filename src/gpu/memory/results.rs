//! Results on the device, and their buffers.

use super::{BufferSlice, guard_bands};
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    gpu::{
        device::GpuDevice,
        elements::{bytes_of, decode},
    },
    resident::{Read, Resident},
    shape::Meta,
};
use futures_intrusive::sync::Mutex;
use std::{any::Any, sync::Arc};
use wgpu::BufferUsages;

/// Maximum total size of results that are copied back within the submission that computes them.
const STAGED_BYTES: u64 = 64 << 10;

/// A result on the device. Clones share it; its memory is reused when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct GpuValue {
    device: GpuDevice,
    set: Arc<OutputSet>,
    index: usize,
}

/// Buffers for the results of one run.
#[derive(Debug)]
pub(crate) struct OutputSet {
    pub slices: Vec<BufferSlice>,
    /// Number of elements of each, and their type.
    elements: Vec<(usize, DType)>,
    /// Offset of each result in the staging buffer, if it is copied there.
    staged: Vec<Option<u64>>,
    /// Size of the staging buffer in bytes.
    staging_bytes: u64,
    staging: Option<wgpu::Buffer>,
    state: Mutex<State>,
}

/// State of the last run that wrote a set.
#[derive(Debug)]
enum State {
    /// No run has written it.
    Unused,
    /// In flight or finished.
    Submitted(wgpu::SubmissionIndex),
    /// The staging buffer is being mapped, or its mapping was abandoned.
    Mapping(wgpu::SubmissionIndex),
    /// The staging buffer has been read.
    Read(Vec<u8>),
}

impl OutputSet {
    /// Allocates buffers for results of these types.
    pub fn new(device: &GpuDevice, outputs: &[Meta]) -> Result<Self, Error> {
        let elements: Vec<_> = outputs.iter().map(|meta| (meta.shape.len(), meta.dtype)).collect();
        let sizes: Vec<u64> = elements.iter().map(|&(len, dtype)| bytes_of(len, dtype)).collect();
        let slices = sizes.iter().map(|&size| guard_bands::output(device, size));
        let slices = slices.collect::<Result<_, _>>()?;
        // Smallest first: a loss must not wait for a large result beside it.
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&output| sizes[output]);
        let mut staged = vec![None; sizes.len()];
        let mut bytes = 0;
        for output in order {
            if elements[output].0 > 0 && bytes + sizes[output] <= STAGED_BYTES {
                staged[output] = Some(bytes);
                bytes += sizes[output];
            }
        }
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = match bytes {
            0 => None,
            _ => Some(device.create_buffer("results", bytes, usage, false)?),
        };
        let state = Mutex::new(State::Unused, true);
        Ok(OutputSet { slices, elements, staged, staging_bytes: bytes, staging, state })
    }

    /// Prepares a set for another run. There must be no live value of it.
    pub fn reuse(&self) {
        if let Some(mut state) = self.state.try_lock() {
            // An abandoned read leaves the buffer mapped, or about to be.
            if let (State::Mapping(_), Some(staging)) = (&*state, &self.staging) {
                staging.unmap();
            }
            *state = State::Unused;
        }
    }

    /// Records the copies of small results to the staging buffer.
    pub fn stage(&self, encoder: &mut wgpu::CommandEncoder) {
        let Some(staging) = &self.staging else { return };
        for ((slice, &(len, dtype)), first) in
            self.slices.iter().zip(&self.elements).zip(&self.staged)
        {
            if let Some(first) = *first {
                let size = bytes_of(len, dtype);
                encoder.copy_buffer_to_buffer(&slice.buffer, slice.first, staging, first, size);
            }
        }
    }

    /// Marks the set as written by this submission.
    pub fn submitted(&self, submission: wgpu::SubmissionIndex) {
        if let Some(mut state) = self.state.try_lock() {
            *state = State::Submitted(submission);
        }
    }

    /// Reads a result from the staging buffer, which the first reader maps.
    async fn read_staged(
        &self,
        device: &GpuDevice,
        first: u64,
        (len, dtype): (usize, DType),
    ) -> Result<Vec<u32>, Error> {
        let mut state = self.state.lock().await;
        let submission = match (&*state, &self.staging) {
            (State::Read(bytes), _) => return Ok(decode(&bytes[first as usize..], dtype, len)),
            (State::Submitted(submission), Some(_)) => submission.clone(),
            (State::Mapping(submission), Some(staging)) => {
                staging.unmap();
                submission.clone()
            }
            (State::Unused, _) | (_, None) => return Ok(vec![0; len]),
        };
        let Some(staging) = &self.staging else { return Ok(vec![0; len]) };
        *state = State::Mapping(submission.clone());
        let bytes =
            device.map_bytes(staging, self.staging_bytes, submission, <[u8]>::to_vec).await?;
        let words = decode(&bytes[first as usize..], dtype, len);
        *state = State::Read(bytes);
        Ok(words)
    }
}

impl Resident for GpuValue {
    fn read<'a>(&'a self, meta: &'a Meta) -> Read<'a> {
        Box::pin(async { Array::from_words(meta.clone(), self.words().await?) })
    }

    fn write(&self, _: &[u32]) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl GpuValue {
    /// Creates one value per result of a set.
    pub fn all(device: &GpuDevice, set: &Arc<OutputSet>) -> Vec<Arc<dyn Resident>> {
        let value = |index| GpuValue { device: device.clone(), set: set.clone(), index };
        (0..set.slices.len()).map(|index| Arc::new(value(index)) as _).collect()
    }

    /// Its device.
    pub fn device(&self) -> &GpuDevice {
        &self.device
    }

    /// Its memory.
    pub fn slice(&self) -> &BufferSlice {
        &self.set.slices[self.index]
    }

    /// Waits for the words and copies them to the host.
    ///
    /// Outside browsers the wait happens inside the first poll of the future: it needs no event
    /// loop, and blocks the thread.
    ///
    /// # Errors
    ///
    /// Any fault the device has reported.
    async fn words(&self) -> Result<Vec<u32>, Error> {
        self.device.shared.faults.check()?;
        let (len, dtype) = self.set.elements[self.index];
        match self.set.staged[self.index] {
            Some(first) => self.set.read_staged(&self.device, first, (len, dtype)).await,
            None if len == 0 => Ok(Vec::new()),
            None => self.device.read(self.slice(), len, dtype).await,
        }
    }
}
