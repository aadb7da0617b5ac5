//! The adapter that tests run on: whatever answers, software included.

use wgrad::{Device, Selection};

/// Where no adapter answers, tests fail if `REQUIRE_GPU=1`, and say that they are skipped
/// otherwise.
pub fn gpu() -> Option<Device> {
    let device = Device::select_blocking(&Selection::Gpu);
    let required = std::env::var("REQUIRE_GPU").is_ok_and(|value| value == "1");
    assert!(device.is_ok() || !required, "REQUIRE_GPU=1, and {device:?}");
    device.inspect_err(|error| eprintln!("skipped: {error}")).ok()
}
