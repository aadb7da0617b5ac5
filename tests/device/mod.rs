//! The adapter that tests run on: whatever answers, software included.

use wgrad::{Device, Selection};

/// Where no adapter answers, tests fail if `REQUIRE_GPU=1`, and say that they are skipped
/// otherwise.
pub fn gpu() -> Option<Device> {
    match Device::select_blocking(&Selection::Gpu) {
        Ok(device) => Some(device),
        Err(error) if std::env::var("REQUIRE_GPU").is_ok_and(|v| v == "1") => {
            panic!("REQUIRE_GPU=1 and {error}")
        }
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}
