//! Memory of a GPU: buffers, and the ways of values to them and back.

mod buffers;
pub(crate) mod guard_bands;
mod placed;
mod readback;
mod results;
mod uploads;

pub(crate) use buffers::BufferSlice;
pub(crate) use placed::Placed;
pub(crate) use results::{GpuValue, OutputSet};
pub(crate) use uploads::{IN_FLIGHT, Uploads};
