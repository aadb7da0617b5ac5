//! NumPy arrays, alone and in archives.
#![no_main]

use wgrad::data::npy;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, npy::read);
    wgrad_fuzz::read(bytes, npy::read_npz);
});
