//! Guard bands for tests: memory starts poisoned, between bands of words that must not change.
//!
//! A dispatch that reads uninitialized memory finds NaN, and one that writes outside its result is
//! identified. Every step is submitted and checked separately, so this is slow.
//!
//! Bands never make a tensor too large: one that fills a binding is bound without the band behind
//! it, and one that fills the largest buffer has none.

use super::BufferSlice;
use crate::{
    dtype::DType,
    error::{DeviceError, Error},
    gpu::{
        device::{GpuDevice, Submissions},
        elements::{ALIGNMENT, bytes_of},
    },
    schedule::plan::{Region, Storage},
};
use wgpu::{Buffer, BufferUsages, CommandEncoder};

/// A quiet NaN, two f16 NaN, a large integer, and true: wrong in every type.
pub(crate) const PATTERN: u32 = 0x7fc0_7ead;
/// Bytes before and after a buffer.
const BAND: u64 = ALIGNMENT;
/// Size of the buffer from which memory is poisoned.
const POISON: u64 = 1 << 20;

impl GpuDevice {
    /// Enables guards: programs compiled for this handle surround their slots and results with
    /// bands, poison both before each run, and check the bands after each step. An overwritten band
    /// is a [`DeviceError::StrayWrite`] that names the step. Grids are folded, as those of more than
    /// 65,535 workgroups are, and have workgroups to spare.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_guards(self) -> GpuDevice {
        GpuDevice { is_guarded: true, folds_grids: true, ..self }
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

/// Size in bytes of the binding of a region at this offset of its memory.
///
/// Guarded regions are bound up to the end of their buffer, including the band behind them. The
/// bounds checks that wgpu adds to shaders would otherwise redirect an out-of-bounds write to the
/// last element. Where the largest binding ends sooner, they do: of such a tensor only the values
/// show a write behind it.
pub(crate) fn binding_size(
    device: &GpuDevice,
    region: Region,
    slice: &BufferSlice,
    offset: u64,
) -> u64 {
    let bytes = bytes_of(region.len, region.dtype);
    if device.is_guarded && matches!(region.storage, Storage::Slot(_) | Storage::Output(_)) {
        let largest = device.shared.limits.max_storage_buffer_binding_size / 4 * 4;
        (slice.buffer.size() - offset).min(largest).max(bytes)
    } else {
        bytes
    }
}

fn guarded(device: &GpuDevice, label: &str, bytes: u64) -> Result<BufferSlice, Error> {
    let around = BAND + bytes + BAND;
    if around > device.shared.limits.max_buffer_size {
        return Ok(BufferSlice::whole(device.storage(label, bytes)?));
    }
    Ok(BufferSlice { buffer: device.storage(label, around)?, first: BAND })
}

/// A buffer full of the pattern.
pub(crate) fn poisoned(device: &GpuDevice) -> Result<Buffer, Error> {
    let size = POISON.min(device.shared.limits.max_buffer_size / 4 * 4);
    let words = vec![PATTERN; (size / 4) as usize];
    device.filled("poison", size, BufferUsages::COPY_SRC, bytemuck::cast_slice(&words))
}

/// Records the copies that fill guarded memory from a poisoned buffer.
pub(crate) fn poison(encoder: &mut CommandEncoder, poisoned: &Buffer, slices: &[BufferSlice]) {
    for BufferSlice { buffer, .. } in slices {
        let mut first = 0;
        while first < buffer.size() {
            let bytes = poisoned.size().min(buffer.size() - first);
            encoder.copy_buffer_to_buffer(poisoned, 0, buffer, first, bytes);
            first += bytes;
        }
    }
}

/// Checks the bands of the memory that a step wrote.
pub(crate) fn check(
    device: &GpuDevice,
    submissions: &Submissions<'_>,
    slice: &BufferSlice,
    step: &str,
) -> Result<(), Error> {
    if slice.first == 0 {
        return Ok(());
    }
    for first in [0, slice.buffer.size() - BAND] {
        let band = BufferSlice { buffer: slice.buffer.clone(), first };
        let words = device.read_between(submissions, &band, (BAND / 4) as usize, DType::U32)?;
        if let Some(position) = words.iter().position(|&word| word != PATTERN) {
            let side = if first == 0 { "in front of" } else { "behind" };
            return Err(DeviceError::StrayWrite {
                step: step.to_owned(),
                side,
                position,
                word: words[position],
            }
            .into());
        }
    }
    Ok(())
}
