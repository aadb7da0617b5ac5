//! What went wrong on the device, kept until somebody asks.

use crate::error::{DeviceError, Error};
use std::sync::{Arc, Mutex, PoisonError};

/// The first fault of a device. Later ones are mostly its consequences.
#[derive(Debug, Default)]
pub(super) struct Faults {
    first: Mutex<Option<DeviceError>>,
}

impl Faults {
    /// A record that the device writes to from now on.
    pub fn watch(device: &wgpu::Device) -> Arc<Self> {
        let faults = Arc::new(Faults::default());
        let uncaptured = faults.clone();
        // Without a handler wgpu panics.
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.record(fault(error, None))));
        let lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device ends here too.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.record(DeviceError::Lost { message });
            }
        });
        faults
    }

    /// Keeps a fault unless there is one already.
    pub fn record(&self, fault: DeviceError) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    /// The first fault, if there was one. A device with a fault stays unusable.
    pub fn check(&self) -> Result<(), Error> {
        match &*self.first.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => Err(fault.clone().into()),
            None => Ok(()),
        }
    }
}

/// What wgpu reports, in our words; `bytes` is what was asked for.
pub(super) fn fault(error: wgpu::Error, bytes: Option<u64>) -> DeviceError {
    match error {
        wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { bytes },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            DeviceError::Reported { message: description }
        }
    }
}
