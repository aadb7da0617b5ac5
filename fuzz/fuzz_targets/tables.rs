//! CSV files, and what is learned from them.
#![no_main]

use wgrad::data::table::{Encoding, Table};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    wgrad_fuzz::read(bytes, Table::read);
    if let Ok(json) = std::str::from_utf8(bytes) {
        let _ = Encoding::from_json(json);
    }
});
