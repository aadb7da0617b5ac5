//! Images and labels of MNIST's format, compressed or not.
#![no_main]

use wgrad::data::idx;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, idx::images);
    wgrad_fuzz::read(bytes, idx::labels);
});
