//! The kinds of ceilings, and how they are written.

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
