//! Images of all formats.
#![no_main]

use wgrad::data::images;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, |path| images::read(path, [3, 8, 8]));
});
