//! What a device can do at best, measured: no data sheet is asked.
//!
//! A rate of arithmetic is that of a loop that does nothing else, on numbers that stay in registers; a
//! bandwidth that of passes over arrays far larger than the caches. Each loop leaves a result that is
//! known beforehand, and a loop that leaves another one gives no ceiling.

mod bare;
mod cpu;
mod dots;
mod gpu;
mod limit;

pub use limit::{Ceiling, Limit};

use crate::{device::Device, error::Error};
use limit::Found;

/// Measures everything this device has a ceiling of, in about so many seconds; nothing of the
/// reference, which is not made to be fast.
///
/// # Errors
///
/// Whatever the device reports. What it does not have is no error.
pub fn measure(name: &str, device: &Device, seconds: f64) -> Result<Vec<Ceiling>, Error> {
    let found = match device {
        Device::Reference => Vec::new(),
        Device::Cpu(cpu) => cpu::measure(cpu, seconds),
        Device::Gpu(gpu) => gpu::measure(gpu, seconds)?,
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
