//! PNG and JPEG.
#![no_main]

use wgrad::data::pictures;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, |path| pictures::read(path, [3, 8, 8]));
});
