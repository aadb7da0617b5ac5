//! Errors that wgpu reports, and who is told of them.
//!
//! A validation error or a lack of memory belongs to the operation that caused it: error scopes
//! around what it creates and submits catch it, and the device works on. Only the loss of the
//! adapter is for ever.

use crate::error::{DeviceError, Error};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread::{self, ThreadId},
};

/// Errors that a device has reported outside any error scope.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    lost: OnceLock<DeviceError>,
    /// The first fault of each thread since that thread last asked. wgpu reports an error on the
    /// thread whose call was wrong, so no thread is told of another one's. In a browser, where
    /// errors arrive later, there is one thread.
    unread: Mutex<HashMap<ThreadId, DeviceError>>,
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
                log::warn!("the device was lost: {message}");
                lost.record(DeviceError::Lost { message });
            }
        });
        faults
    }

    /// Records a fault of this thread unless there already is one: later ones are usually its
    /// consequences.
    pub fn record(&self, fault: DeviceError) {
        if matches!(fault, DeviceError::Lost { .. }) {
            self.lost.get_or_init(|| fault);
        } else {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            unread.entry(thread::current().id()).or_insert(fault);
        }
    }

    /// Fails if the device is lost.
    pub fn alive(&self) -> Result<(), Error> {
        self.lost.get().map_or(Ok(()), |lost| Err(lost.clone().into()))
    }

    /// Fails if the device is lost, or with the fault of this thread, which is thereby forgotten.
    pub fn check(&self) -> Result<(), Error> {
        self.alive()?;
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.remove(&thread::current().id()).map_or(Ok(()), |fault| Err(fault.into()))
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
