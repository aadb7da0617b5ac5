//! A loop of multiply-adds on values that stay in registers.

use super::bare::{Bare, Kernel};
use crate::error::Error;
use std::time::Duration;

/// Workgroup size of the arithmetic and memory shaders.
pub const INVOCATIONS: u32 = 256;

/// Enough workgroups to fill any adapter, whose results fit in any buffer.
pub const MOST_GROUPS: u32 = 1 << 14;

/// The element type of multiply-adds.
#[derive(Clone, Copy, PartialEq)]
pub enum Elem {
    F32,
    F16,
}

/// Rounds of the loop of multiply-adds.
pub const ROUNDS: u32 = 500;

/// The loop of multiply-adds, and its results.
pub fn kernel(bare: &Bare, elem: Elem) -> Result<(Kernel, wgpu::Buffer), Error> {
    let text = include_str!("../../../shaders/ceilings/fma.wgsl");
    let text = match elem {
        Elem::F32 => format!("{text}\nalias Elem = f32;\n"),
        Elem::F16 => format!("enable f16; {text}\nalias Elem = f16;\n"),
    };
    let y = bare.storage(4 * u64::from(INVOCATIONS * MOST_GROUPS))?;
    let params = bare.uniform(&[ROUNDS, 1f32.to_bits()]);
    let kernel = bare.kernel(text.into(), &[], 0, &[&params, &y])?;
    Ok((kernel, y))
}

/// A pass of multiply-adds in f32.
pub struct FmaLoop {
    kernel: Kernel,
    groups: u32,
    times: u32,
}

impl FmaLoop {
    /// A pass of about this duration at the present clock rate.
    pub fn new(bare: &Bare, wanted: Duration) -> Result<Self, Error> {
        let (kernel, _) = kernel(bare, Elem::F32)?;
        let (groups, times) = bare.sized(&kernel, MOST_GROUPS, wanted)?;
        Ok(FmaLoop { kernel, groups, times })
    }

    /// Runs it and returns its duration.
    pub fn pass(&self, bare: &Bare) -> Result<Duration, Error> {
        bare.pass(&self.kernel, self.groups, self.times)
    }
}
