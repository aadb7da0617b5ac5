//! GPU memory: buffers, uploads and readback.

mod buffers;
mod exchange;
pub(crate) mod guard_bands;
mod placed;
mod readback;
mod results;
mod uploads;
mod workgroup_poison;

pub(crate) use buffers::BufferSlice;
pub(crate) use exchange::slice_on;
pub(crate) use placed::Placed;
pub(crate) use results::{GpuValue, OutputSet};
pub(crate) use uploads::Uploads;
pub(crate) use workgroup_poison::WorkgroupPoison;
