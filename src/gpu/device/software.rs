//! Drivers that are software: their memory is that of the process, and they do not look whether they
//! got it. What Mesa's llvmpipe does then is in `docs/verified-devices.md`.

use crate::{
    error::{DeviceError, Error},
    memory,
};
use wgpu::{AdapterInfo, DeviceType, MemoryHints};

/// Address space that llvmpipe takes when it is opened: stacks and heaps of its threads.
const OPENING: usize = 512 << 20;

/// Bytes left to a driver whenever it is asked for something: shaders are compiled on the host.
const WORKING: usize = 64 << 20;

/// Fails if there is not enough memory to open this adapter.
pub(super) fn check_memory(info: &AdapterInfo) -> Result<(), Error> {
    match info.device_type {
        DeviceType::Cpu => Ok(memory::reserve(OPENING)?),
        _ => Ok(()),
    }
}

/// How memory is taken from this adapter: large blocks only where they are not those of the process.
pub(super) fn hints(info: &AdapterInfo) -> MemoryHints {
    match info.device_type {
        DeviceType::Cpu => MemoryHints::MemoryUsage,
        _ => MemoryHints::Performance,
    }
}

/// Fails if a driver that is software would not find this much memory, and some for its work.
pub(super) fn leave_room(info: &AdapterInfo, bytes: u64) -> Result<(), Error> {
    if info.device_type != DeviceType::Cpu {
        return Ok(());
    }
    let all = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(WORKING);
    let bytes = if bytes > 0 { bytes } else { WORKING as u64 };
    memory::reserve(all).map_err(|_| DeviceError::OutOfMemory { bytes: Some(bytes) }.into())
}
