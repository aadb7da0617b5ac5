//! Series with classes, or with numbers to predict.
#![no_main]

use wgrad::data::series::Reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let reader = Reader::new().forward_fill();
    wgrad_fuzz::read(bytes, |path| reader.read(path));
    wgrad_fuzz::read(bytes, |path| reader.read_regression(path));
});
