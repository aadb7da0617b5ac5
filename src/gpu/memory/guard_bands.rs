//! Guard bands for tests: memory starts poisoned, between bands of words that must not change.
//!
//! A dispatch that reads uninitialized memory finds NaN, and one that writes outside its result is
//! identified. Every step is submitted and checked separately, so this is slow.

use super::BufferSlice;
use crate::{
    dtype::DType,
    error::{DeviceError, Error},
    gpu::{
        device::{GpuDevice, Submissions},
        elements::{ALIGNMENT, decode},
    },
    schedule::plan::Storage,
};

/// A quiet NaN, two f16 NaN, a large integer, and true: wrong in every type.
pub(crate) const PATTERN: u32 = 0x7fc0_7ead;
/// Bytes before and after a buffer.
const BAND: u64 = ALIGNMENT;

impl GpuDevice {
    /// Enables guards: programs compiled for this handle surround their slots and results with
    /// bands, poison both before each run, and check the bands after each step. An overwritten band
    /// is a [`DeviceError::Reported`] that names the step.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_guards(mut self) -> GpuDevice {
        self.is_guarded = true;
        self
    }
}

/// Allocates memory for a result of `bytes` bytes.
pub(crate) fn output(device: &GpuDevice, bytes: u64) -> Result<BufferSlice, Error> {
    if device.is_guarded {
        guarded(device, "guarded output", bytes)
    } else {
        Ok(BufferSlice::whole(device.storage("output", bytes)?))
    }
}

/// Allocates memory for slots of these sizes.
pub(crate) fn slots(device: &GpuDevice, bytes: &[u64]) -> Result<Vec<BufferSlice>, Error> {
    if device.is_guarded {
        bytes.iter().map(|&bytes| guarded(device, "guarded slot", bytes)).collect()
    } else {
        Ok(device.slots(bytes)?.into_iter().map(BufferSlice::whole).collect())
    }
}

/// Whether a region is bound up to the end of its buffer, including the band behind it. The bounds
/// checks that wgpu adds to shaders would otherwise redirect an out-of-bounds write to the last
/// element.
pub(crate) fn is_around(device: &GpuDevice, storage: Storage) -> bool {
    device.is_guarded && matches!(storage, Storage::Slot(_) | Storage::Output(_))
}

fn guarded(device: &GpuDevice, label: &str, bytes: u64) -> Result<BufferSlice, Error> {
    let buffer = device.storage(label, BAND + bytes + BAND)?;
    Ok(BufferSlice { buffer, first: BAND })
}

/// Fills guarded memory with the pattern.
pub(crate) fn poison(submissions: &Submissions<'_>, slices: &[BufferSlice]) {
    for slice in slices {
        let words = vec![PATTERN; (slice.buffer.size() / 4) as usize];
        BufferSlice::whole(slice.buffer.clone()).write(submissions, DType::U32, &words);
    }
}

/// Checks the bands of the memory that a step wrote.
pub(crate) fn check(
    device: &GpuDevice,
    submissions: &Submissions<'_>,
    slice: &BufferSlice,
    step: &str,
) -> Result<(), Error> {
    for first in [0, slice.buffer.size() - BAND] {
        let band = BufferSlice { buffer: slice.buffer.clone(), first };
        let bytes = device.read_between(submissions, &band, BAND)?;
        let words = decode(&bytes, DType::U32, (BAND / 4) as usize);
        if let Some(position) = words.iter().position(|&word| word != PATTERN) {
            let side = if first == 0 { "in front of" } else { "behind" };
            let message = format!(
                "{step} wrote {side} its result: word {position} of the guard band is {:#010x}",
                words[position]
            );
            return Err(DeviceError::Reported { message }.into());
        }
    }
    Ok(())
}
