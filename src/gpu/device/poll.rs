//! Asks the driver what has finished.

use crate::error::DeviceError;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};
use wgpu::{PollError, PollStatus, PollType};

/// How the panic begins that is wgpu's answer to a device that is lost.
const FATAL: &str = "Error in Device::poll";

/// Polls a device, and calls the callbacks of what has finished.
///
/// wgpu 30 panics where the driver says that the device is lost, after it has called the callback for a
/// loss: that is an error here. Panics of other callbacks go on.
pub(super) fn poll(device: &wgpu::Device, poll: PollType) -> Result<PollStatus, DeviceError> {
    without_panic(|| device.poll(poll))
}

fn without_panic(
    poll: impl FnOnce() -> Result<PollStatus, PollError>,
) -> Result<PollStatus, DeviceError> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(DeviceError::Reported { message: error.to_string() }),
        Err(payload) => match fatal(&*payload) {
            Some(message) => Err(DeviceError::Lost { message }),
            None => resume_unwind(payload),
        },
    }
}

/// The message of a panic that is wgpu's own.
fn fatal(payload: &(dyn Any + Send)) -> Option<String> {
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    let message = formatted.or_else(|| payload.downcast_ref::<&str>().copied())?;
    message.starts_with(FATAL).then(|| message.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_an_error_and_a_callback_may_panic() {
        assert_eq!(without_panic(|| Ok(PollStatus::Poll)), Ok(PollStatus::Poll));
        let message = PollError::Timeout.to_string();
        let reported = without_panic(|| Err(PollError::Timeout));
        assert_eq!(reported, Err(DeviceError::Reported { message }));
        let text = "Error in Device::poll: Validation Error\n\nParent device is lost";
        let lost = without_panic(|| resume_unwind(Box::new(format!("{text}\n"))));
        assert_eq!(lost, Err(DeviceError::Lost { message: text.to_owned() }));
        let panicked = catch_unwind(|| without_panic(|| resume_unwind(Box::new("a callback"))));
        assert!(panicked.is_err());
    }
}
