//! Results on the device, and their buffers.

use super::{BufferSlice, guard_bands, readback::Mapped};
use crate::{
    array::Array,
    dtype::DType,
    error::Error,
    gpu::{
        device::GpuDevice,
        elements::{bytes_of, decode},
    },
    resident::{Read, Resident, Wait},
    shape::Meta,
};
use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
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

/// State of the last run that wrote a set. No lock of it outlasts a statement: a task that awaits a
/// result must not keep others from it.
#[derive(Clone, Debug)]
enum State {
    /// No run has written it.
    Unused,
    /// In flight or finished.
    Submitted(wgpu::SubmissionIndex),
    /// The staging buffer is mapped, or about to be. The first reader who sees that reads it; all of
    /// them may be gone.
    Mapping(wgpu::SubmissionIndex, Mapped),
    /// The staging buffer has been read.
    Read(Arc<Vec<u8>>),
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
        let state = Mutex::new(State::Unused);
        Ok(OutputSet { slices, elements, staged, staging_bytes: bytes, staging, state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares a set for another run. There must be no live value of it.
    pub fn reuse(&self) {
        let mut state = self.lock();
        // An abandoned read leaves the buffer mapped, or about to be.
        if let (State::Mapping(..), Some(staging)) = (&*state, &self.staging) {
            staging.unmap();
        }
        *state = State::Unused;
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
        *self.lock() = State::Submitted(submission);
    }

    /// The bytes of the staging buffer, which the first reader maps; `None` if no run wrote them.
    async fn read_staged(
        &self,
        device: &GpuDevice,
        staging: &wgpu::Buffer,
        wait: Wait,
    ) -> Result<Option<Arc<Vec<u8>>>, Error> {
        loop {
            let (submission, mapped) = match self.begin_to_map(device, staging)? {
                State::Mapping(submission, mapped) => (submission, mapped),
                State::Read(bytes) => return Ok(Some(bytes)),
                State::Unused | State::Submitted(_) => return Ok(None),
            };
            let outcome = device.until_mapped(&mapped, &submission, wait).await?;
            let mut state = self.lock();
            if !matches!(&*state, State::Mapping(_, current) if current.is(&mapped)) {
                // Another reader was first.
                continue;
            }
            // If this fails, it may go better the next time.
            *state = State::Submitted(submission);
            outcome.map_err(|error| device.map_failed(&error.to_string()))?;
            let bytes = device.take_mapped(staging, self.staging_bytes, <[u8]>::to_vec)?;
            let bytes = Arc::new(bytes);
            *state = State::Read(bytes.clone());
            return Ok(Some(bytes));
        }
    }

    /// The state after its staging buffer began to be mapped, if it was to be.
    fn begin_to_map(&self, device: &GpuDevice, staging: &wgpu::Buffer) -> Result<State, Error> {
        let mut state = self.lock();
        if let State::Submitted(submission) = &*state {
            let mapped = device.map(staging, self.staging_bytes)?;
            *state = State::Mapping(submission.clone(), mapped);
        }
        Ok(state.clone())
    }
}

impl Resident for GpuValue {
    fn read<'a>(&'a self, meta: &'a Meta, wait: Wait) -> Read<'a> {
        Box::pin(async move { Array::from_words(meta.clone(), self.words(wait).await?) })
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
    /// # Errors
    ///
    /// Any fault the device has reported.
    async fn words(&self, wait: Wait) -> Result<Vec<u32>, Error> {
        self.device.shared.faults.check()?;
        let (len, dtype) = self.set.elements[self.index];
        match (self.set.staged[self.index], &self.set.staging) {
            (Some(first), Some(staging)) => {
                match self.set.read_staged(&self.device, staging, wait).await? {
                    Some(bytes) => Ok(decode(&bytes[first as usize..], dtype, len)),
                    None => Ok(vec![0; len]),
                }
            }
            _ if len == 0 => Ok(Vec::new()),
            _ => self.device.read(self.slice(), len, dtype, wait).await,
        }
    }
}
