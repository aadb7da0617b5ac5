//! The GPUs that tests run on.

use crate::{
    device::Device,
    error::Error,
    gpu::{self, Verification},
};
use std::sync::OnceLock;

/// Every GPU that answers, best first, software ones among them. OpenGL is left out where anything
/// else answers.
///
/// They are opened once in a process and never closed: drivers have been seen to wait for
/// themselves where threads open and close devices of their own, and tests run on threads.
///
/// # Errors
///
/// [`DeviceError::NoAdapter`](crate::DeviceError::NoAdapter), which lists what was found and cannot
/// be used; that of opening the last one if none opens.
pub fn gpus() -> Result<&'static [Device], Error> {
    static GPUS: OnceLock<Result<Vec<Device>, Error>> = OnceLock::new();
    let opened = GPUS.get_or_init(|| {
        let gpus = pollster::block_on(gpu::open_all())?;
        Ok(gpus.into_iter().map(Device::Gpu).collect())
    });
    opened.as_deref().map_err(Error::clone)
}

/// The [`gpus`] for a test, which is skipped where there are none: then it says so on stderr, and
/// there are no devices to run on.
///
/// # Errors
///
/// Those of [`gpus`] if the environment has `REQUIRE_GPU=1`, as a CI's should.
pub fn gpus_for_tests() -> Result<&'static [Device], Error> {
    let required = std::env::var("REQUIRE_GPU").is_ok_and(|value| value == "1");
    gpus().or_else(|error| match required {
        true => Err(error),
        false => {
            eprintln!("skipped: {error}");
            Ok(&[])
        }
    })
}

/// The device with its kernels unproved, for a check that tells by itself whether they are right.
pub(super) fn unproved(device: &Device) -> Device {
    device.clone().with_verification(Verification::Off)
}

/// A GPU between guard bands; other devices have none.
pub(super) fn guarded(device: &Device) -> Option<Device> {
    match device {
        Device::Gpu(gpu) => Some(Device::Gpu(gpu.clone().with_guards())),
        _ => None,
    }
}
