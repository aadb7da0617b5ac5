//! Measured peak performance of a device, independent of data sheets.
//!
//! An arithmetic rate is measured by a loop that does nothing else, on values that stay in
//! registers; a bandwidth by passes over arrays far larger than the caches. Each loop has a known
//! result, and a loop with a wrong result yields no ceiling.

mod bare;
mod cpu;
mod dots;
mod fma;
mod gpu;
mod limit;
mod load;

pub use limit::{Ceiling, Limit};
pub(super) use load::Load;

use crate::{device::Device, error::Error};
use limit::Found;

/// Measures all ceilings of this device, in about `seconds` seconds; none for the reference device,
/// which is not built for speed. `load` raises its clocks.
///
/// # Errors
///
/// Any error of the device. A missing feature is not an error.
pub fn measure(
    name: &str,
    device: &Device,
    load: Option<&mut Load>,
    seconds: f64,
) -> Result<Vec<Ceiling>, Error> {
    let found = match device {
        Device::Cpu(cpu) => cpu::measure(cpu, seconds),
        Device::Gpu(gpu) => gpu::measure(gpu, load, seconds)?,
        _ => Vec::new(),
    };
    let of_device =
        |Found { limit, value, how }| Ceiling { device: name.to_owned(), limit, value, how };
    Ok(found.into_iter().map(of_device).collect())
}

/// The ceiling of this kind, if the device has one.
pub fn find(ceilings: &[Ceiling], device: &str, limit: Limit) -> Option<f64> {
    let of_it = |ceiling: &&Ceiling| ceiling.device == device && ceiling.limit == limit;
    ceilings.iter().find(of_it)?.value
}
