//! Results on the device, and the buffers they are in.

use super::{
    device::GpuDevice,
    guard,
    memory::{Home, bytes_of},
};
use crate::{error::Error, shape::Meta};
use futures_intrusive::sync::Mutex;
use std::sync::Arc;
use wgpu::BufferUsages;

/// Results up to this many bytes in total come back with the submission that computes them.
const STAGED_BYTES: u64 = 64 << 10;

/// A result on the device. Clones share it; its memory is used again when the last one is gone.
#[derive(Clone, Debug)]
pub struct GpuValue {
    device: GpuDevice,
    set: Arc<OutputSet>,
    index: usize,
}

/// Buffers for the results of one run.
#[derive(Debug)]
pub(super) struct OutputSet {
    pub homes: Vec<Home>,
    lens: Vec<usize>,
    /// For each result its first word in the staging buffer, where it is copied there.
    staged: Vec<Option<usize>>,
    /// Number of words in the staging buffer.
    staging_words: usize,
    staging: Option<wgpu::Buffer>,
    state: Mutex<State>,
}

/// What is known of the last run that wrote a set.
#[derive(Debug)]
enum State {
    /// None did.
    Unused,
    /// It is on its way, or done.
    Submitted(wgpu::SubmissionIndex),
    /// Somebody maps the staging buffer, or gave up doing it.
    Mapping(wgpu::SubmissionIndex),
    /// The staging buffer was read.
    Read(Vec<u32>),
}

impl OutputSet {
    /// New buffers for results of these types.
    pub fn new(device: &GpuDevice, outputs: &[Meta]) -> Result<Self, Error> {
        let lens: Vec<usize> = outputs.iter().map(|meta| meta.shape.len()).collect();
        let homes = lens.iter().map(|&len| guard::output(device, len)).collect::<Result<_, _>>()?;
        // The smallest first: a loss must not wait for a large result beside it.
        let mut order: Vec<usize> = (0..lens.len()).collect();
        order.sort_by_key(|&output| lens[output]);
        let mut staged = vec![None; lens.len()];
        let mut words = 0;
        for output in order {
            if lens[output] > 0 && bytes_of(words + lens[output]) <= STAGED_BYTES {
                staged[output] = Some(words);
                words += lens[output];
            }
        }
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = match words {
            0 => None,
            _ => Some(device.create_buffer("results", bytes_of(words), usage, false)?),
        };
        let state = Mutex::new(State::Unused, true);
        Ok(OutputSet { homes, lens, staged, staging_words: words, staging, state })
    }

    /// Makes a set ready for another run. Nobody may hold a value of it.
    pub fn reuse(&self) {
        if let Some(mut state) = self.state.try_lock() {
            // A read that was given up has left the buffer mapped, or about to be.
            if let (State::Mapping(_), Some(staging)) = (&*state, &self.staging) {
                staging.unmap();
            }
            *state = State::Unused;
        }
    }

    /// Records the copies of small results to the staging buffer.
    pub fn stage(&self, encoder: &mut wgpu::CommandEncoder) {
        let Some(staging) = &self.staging else { return };
        for ((home, &len), staged) in self.homes.iter().zip(&self.lens).zip(&self.staged) {
            if let Some(first) = staged {
                let (from, to) = (4 * home.first as u64, 4 * *first as u64);
                encoder.copy_buffer_to_buffer(&home.buffer, from, staging, to, bytes_of(len));
            }
        }
    }

    /// The set is written by this submission.
    pub fn submitted(&self, submission: wgpu::SubmissionIndex) {
        if let Some(mut state) = self.state.try_lock() {
            *state = State::Submitted(submission);
        }
    }

    /// The words of the staging buffer, mapped by whoever asks first.
    async fn read_staged(
        &self,
        device: &GpuDevice,
        first: usize,
        len: usize,
    ) -> Result<Vec<u32>, Error> {
        let mut state = self.state.lock().await;
        let submission = match (&*state, &self.staging) {
            (State::Read(words), _) => return Ok(words[first..first + len].to_vec()),
            (State::Submitted(submission), Some(_)) => submission.clone(),
            (State::Mapping(submission), Some(staging)) => {
                staging.unmap();
                submission.clone()
            }
            (State::Unused, _) | (_, None) => return Ok(vec![0; len]),
        };
        let Some(staging) = &self.staging else { return Ok(vec![0; len]) };
        *state = State::Mapping(submission.clone());
        let words = device.map_words(staging, self.staging_words, submission).await?;
        let part = words[first..first + len].to_vec();
        *state = State::Read(words);
        Ok(part)
    }
}

impl GpuValue {
    /// One for each result of a set.
    pub(super) fn all(device: &GpuDevice, set: &Arc<OutputSet>) -> Vec<GpuValue> {
        let value = |index| GpuValue { device: device.clone(), set: set.clone(), index };
        (0..set.homes.len()).map(value).collect()
    }

    /// Its device.
    pub(super) fn device(&self) -> &GpuDevice {
        &self.device
    }

    /// Its memory.
    pub(super) fn home(&self) -> &Home {
        &self.set.homes[self.index]
    }

    /// Waits for the words and copies them to the host.
    ///
    /// Outside of browsers the wait happens inside of the first poll of the future: it needs no
    /// event loop, and blocks the thread.
    ///
    /// # Errors
    ///
    /// Whatever the device has reported.
    pub async fn read(&self) -> Result<Vec<u32>, Error> {
        self.device.shared.faults.check()?;
        let len = self.set.lens[self.index];
        match self.set.staged[self.index] {
            Some(first) => self.set.read_staged(&self.device, first, len).await,
            None => self.device.read(self.home(), len).await,
        }
    }
}
