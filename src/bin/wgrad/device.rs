//! The `--device` option.

use crate::Failure;
use clap::Args;
use wgrad::{Device, Selection};

#[derive(Args)]
pub struct DeviceArgs {
    /// Where to compute: best, cpu, gpu, gpu:NAME, gpu:INDEX or reference.
    ///
    /// `best` is the best hardware GPU, or else the CPU; `gpu` takes a software GPU if there is
    /// no other; `reference` computes in f64 and is slow.
    #[arg(long, default_value = "best", value_name = "DEVICE")]
    device: Selection,
}

impl DeviceArgs {
    /// Opens the device; says so where it is not what one would think.
    pub fn open(&self) -> Result<Device, Failure> {
        let device = Device::select_blocking(&self.device)?;
        if self.device == Selection::Gpu && device.kind() == "software-gpu" {
            eprintln!("note: there is no hardware GPU; using the software one, {}", device.name());
        }
        Ok(device)
    }
}
