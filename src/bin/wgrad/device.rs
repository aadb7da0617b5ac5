//! The `--device` option.

use crate::{
    console::Console,
    failure::Failure,
    words::{count, shown},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use wgrad::{Device, Selection, Verification};

#[derive(Args)]
pub struct DeviceArgs {
    /// Device to compute on: best, cpu, gpu, gpu:NAME, gpu:INDEX or reference.
    ///
    /// `best` is the best hardware GPU, or else the CPU; `gpu` falls back to a software GPU;
    /// `reference` computes in f64 and is slow.
    #[arg(long, default_value = "best", value_name = "DEVICE")]
    device: Selection,
    /// Whether a GPU's kernels are checked against f64 before they are used.
    #[arg(long, default_value = "lazy", value_name = "WHEN")]
    verify: Verify,
    /// Neither read compiled pipelines from WGRAD_CACHE_DIR nor keep them there.
    #[arg(long)]
    no_pipeline_files: bool,
}

/// When kernels are checked.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Verify {
    /// Once per kernel on this adapter and driver; outcomes are kept in WGRAD_CACHE_DIR.
    Lazy,
    /// Again in this run, regardless of earlier outcomes.
    Full,
    /// Like lazy, and kernels keep the runtime checks of wgpu: indices are clamped, loops bounded.
    Checked,
    /// Never.
    Off,
}

impl DeviceArgs {
    /// Opens the device; prints a note if it may not be the expected one.
    pub fn open(&self, console: &mut Console) -> Result<Device, Failure> {
        let mut device = Device::select_blocking(&self.device)?;
        if let Device::Gpu(gpu) = &mut device {
            *gpu = gpu.clone().with_verification(match self.verify {
                Verify::Lazy | Verify::Checked => Verification::Lazy,
                Verify::Full => Verification::Full,
                Verify::Off => Verification::Off,
            });
            if self.verify == Verify::Checked {
                *gpu = gpu.clone().with_runtime_checks(true);
            }
            if self.no_pipeline_files {
                *gpu = gpu.clone().without_pipeline_files();
            }
        }
        if self.device == Selection::Gpu && device.kind() == "software-gpu" {
            let name = shown(&device.name());
            console.note(&format!("note: there is no hardware GPU; using a software GPU, {name}"));
        }
        if self.verify == Verify::Off && matches!(device, Device::Gpu(_)) {
            console.note("note: kernels are not checked (--verify off)");
        }
        Ok(device)
    }
}

/// Name and kind of a device; for a GPU also the API and the driver.
pub fn described(device: &Device) -> String {
    match device {
        Device::Gpu(gpu) => {
            let (name, driver) = (shown(&gpu.name()), shown(&gpu.driver()));
            format!("{name}, {}, {}, driver {driver}", gpu.kind(), gpu.backend())
        }
        other => shown(&other.name()),
    }
}

/// Machine-readable verification statistics of a GPU; `null` for other devices, which have no
/// driver to verify.
pub fn proofs(device: &Device) -> Value {
    let Device::Gpu(gpu) = device else { return Value::Null };
    let proofs = gpu.proofs();
    json!({
        "proved": proofs.proved,
        "known": proofs.known,
        "unproved": proofs.unproved,
        "finite_only": proofs.finite_only,
        "checked_only": proofs.checked_only,
        "quarantined": proofs.quarantined,
        "seconds": proofs.seconds,
    })
}

/// The same as a sentence; `None` for other devices.
pub fn told_proofs(device: &Device) -> Option<String> {
    let Device::Gpu(gpu) = device else { return None };
    let proofs = gpu.proofs();
    if proofs.unproved > 0 {
        let kernels = count(proofs.unproved as usize, "kernel", "kernels");
        return Some(format!("{kernels}, not checked"));
    }
    let (proved, known, seconds) = (proofs.proved, proofs.known, proofs.seconds);
    let proved = count(proved as usize, "kernel", "kernels");
    Some(format!("{proved} proved in {seconds:.1} s, {known} known to be right"))
}
