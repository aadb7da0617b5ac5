//! What a device can do at best, measured: no data sheet is asked.
//!
//! A rate of arithmetic is that of a loop that does nothing else, on numbers that stay in registers; a
//! bandwidth that of passes over arrays far larger than the caches. Each loop leaves a result that is
//! known beforehand, and a loop that leaves another one gives no ceiling.

mod bare;
mod cpu;
mod dots;
mod gpu;

use crate::{device::Device, error::Error};
use serde::{Deserialize, Serialize};

/// What a ceiling is of. The text is its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Fused multiply-adds of f32, in operations a second; a multiply-add is two.
    FmaF32,
    /// Fused multiply-adds of f16.
    FmaF16,
    /// Products of bytes, added up in 32 bits: `dot4I8Packed` on a GPU.
    DotI8,
    /// Products of matrices of f16, added up in f32, on units made for it.
    MatrixF16,
    /// Reading memory, in bytes a second.
    Read,
    /// Writing memory.
    Write,
    /// Copying memory; what is read and what is written both count.
    Copy,
    /// Bytes a second from the host to the device.
    Upload,
    /// Bytes a second from the device to the host.
    Download,
    /// Seconds that one more dispatch in a submission takes.
    Launch,
    /// Seconds from submitting an empty dispatch until it is known to be done.
    Submit,
    /// Seconds from submitting a copy of four bytes until the host has them.
    Readback,
    /// Cycles a second of one core under load.
    Clock,
}

/// A ceiling of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// The device, as on the command line.
    pub device: String,
    /// Of what.
    pub limit: Limit,
    /// In units of [`Limit`]; `None` where the device has no such thing, or gave a wrong result.
    pub value: Option<f64>,
    /// How it was measured, or why it was not.
    pub how: String,
}

/// A ceiling, as it is found.
struct Found {
    limit: Limit,
    value: Option<f64>,
    how: String,
}

impl Found {
    fn new(limit: Limit, value: f64, how: impl Into<String>) -> Self {
        Found { limit, value: Some(value), how: how.into() }
    }

    fn none(limit: Limit, why: impl Into<String>) -> Self {
        Found { limit, value: None, how: why.into() }
    }
}

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

impl Limit {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Limit::FmaF32 => "fma_f32",
            Limit::FmaF16 => "fma_f16",
            Limit::DotI8 => "dot_i8",
            Limit::MatrixF16 => "matrix_f16",
            Limit::Read => "read",
            Limit::Write => "write",
            Limit::Copy => "copy",
            Limit::Upload => "upload",
            Limit::Download => "download",
            Limit::Launch => "launch",
            Limit::Submit => "submit",
            Limit::Readback => "readback",
            Limit::Clock => "clock",
        }
    }

    /// For people, with a unit: `1.46 TOPS`, `0.12 TOPS`, `38.1 GB/s`, `12 us`, `3.71 GHz`.
    pub fn format(self, value: f64) -> String {
        match self {
            Limit::FmaF32 | Limit::FmaF16 | Limit::DotI8 | Limit::MatrixF16 => {
                format!("{:.3} TOPS", value / 1e12)
            }
            Limit::Read | Limit::Write | Limit::Copy | Limit::Upload | Limit::Download => {
                format!("{:.1} GB/s", value / 1e9)
            }
            Limit::Launch | Limit::Submit | Limit::Readback => format!("{:.2} us", value * 1e6),
            Limit::Clock => format!("{:.2} GHz", value / 1e9),
        }
    }
}
