//! The kinds of ceilings, and their formatting.

use serde::{Deserialize, Serialize};

/// The quantity a ceiling limits. The text is its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Fused multiply-adds in f32, in operations per second; a multiply-add counts as two.
    FmaF32,
    /// Fused multiply-adds in f16.
    FmaF16,
    /// Products of bytes, accumulated in 32 bits: `dot4I8Packed` on a GPU.
    DotI8,
    /// Matrix products in f16, accumulated in f32, on dedicated matrix units.
    MatrixF16,
    /// Reading memory, in bytes per second.
    Read,
    /// Writing memory.
    Write,
    /// Copying memory; reads and writes both count.
    Copy,
    /// Bytes per second from the host to the device.
    Upload,
    /// Bytes per second from the device to the host.
    Download,
    /// Seconds added by one more dispatch in a submission.
    Launch,
    /// Seconds from submitting an empty dispatch until its completion is known.
    Submit,
    /// Seconds from submitting a copy of four bytes until they are on the host.
    Readback,
    /// Cycles per second of one core under load.
    Clock,
}

/// A ceiling of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// The device, as named on the command line.
    pub device: String,
    /// The limited quantity.
    pub limit: Limit,
    /// In units of [`Limit`]; `None` if the device lacks it, or produced a wrong result.
    pub value: Option<f64>,
    /// How it was measured, or why it was not.
    pub how: String,
}

/// A ceiling as measured.
pub(super) struct Found {
    pub limit: Limit,
    pub value: Option<f64>,
    pub how: String,
}

impl Found {
    pub fn new(limit: Limit, value: f64, how: impl Into<String>) -> Self {
        Found { limit, value: Some(value), how: how.into() }
    }

    pub fn none(limit: Limit, why: impl Into<String>) -> Self {
        Found { limit, value: None, how: why.into() }
    }
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

    /// Human-readable, with a unit: `1.46 TOPS`, `0.12 TOPS`, `38.1 GB/s`, `12 us`, `3.71 GHz`.
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
