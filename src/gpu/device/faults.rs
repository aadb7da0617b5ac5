//! Asynchronous device errors, kept until the next check.

use crate::error::{DeviceError, Error};
use std::sync::{Arc, Mutex, PoisonError};

/// The first fault of a device. Later ones are usually its consequences.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    first: Mutex<Option<DeviceError>>,
}

impl Faults {
    /// Creates a record and registers it with the device.
    pub fn watch(device: &wgpu::Device) -> Arc<Self> {
        let faults = Arc::new(Faults::default());
        let uncaptured = faults.clone();
        // Without a handler wgpu panics.
        device.on_uncaptured_error(Arc::new(move |error| uncaptured.record(fault(error, None))));
        let lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device ends up here too.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.record(DeviceError::Lost { message });
            }
        });
        faults
    }

    /// Records a fault unless there already is one.
    pub fn record(&self, fault: DeviceError) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    /// Returns the first fault, if any. A device with a fault stays unusable.
    pub fn check(&self) -> Result<(), Error> {
        match &*self.first.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => Err(fault.clone().into()),
            None => Ok(()),
        }
    }
}

/// Converts an error of wgpu; `bytes` is the requested size.
pub(crate) fn fault(error: wgpu::Error, bytes: Option<u64>) -> DeviceError {
    match error {
        wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { bytes },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            DeviceError::Reported { message: description }
        }
    }
}

/// Runs `create` and returns any error that the device reports for it.
///
/// In a browser, errors arrive later, through [`Faults`].
pub(crate) fn scoped<T>(
    device: &wgpu::Device,
    create: impl FnOnce() -> T,
) -> Result<T, wgpu::Error> {
    #[cfg(target_arch = "wasm32")]
    {
        let _ = device;
        Ok(create())
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes =
            [OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter));
        let created = create();
        let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
        // Every scope must be popped, so all are popped before any is inspected.
        match errors.collect::<Vec<_>>().into_iter().flatten().next() {
            Some(error) => Err(error),
            None => Ok(created),
        }
    }
}
