//! Models.
#![no_main]

use wgrad::io::safetensors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, safetensors::read_with_note);
});
