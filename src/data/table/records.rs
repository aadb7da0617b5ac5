//! Records of a text: the fields of each, and its line.

use super::message::corrupt;
use crate::error::Error;
use std::{
    io::{Chain, Read},
    path::Path,
};

/// A record that no text contains, read after the text: if it is read as part of another one, a
/// quote was still open.
const END: &str = "\n\0";

/// Records one after another, all with as many fields. Empty lines are skipped.
pub(super) struct Records<'t> {
    path: &'t Path,
    text: &'t [u8],
    reader: csv::Reader<Chain<&'t [u8], &'t [u8]>>,
    record: csv::StringRecord,
    /// Number of fields of the first record.
    width: Option<usize>,
    /// Start of the current record, and its line.
    start: usize,
    line: u64,
}

impl<'t> Records<'t> {
    pub fn new(path: &'t Path, text: &'t str, delimiter: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(text.as_bytes().chain(END.as_bytes()));
        let (text, record) = (text.as_bytes(), csv::StringRecord::new());
        Records { path, text, reader, record, width: None, start: 0, line: 1 }
    }

    /// The line and the fields of the next record; `None` after the last one.
    pub fn next(&mut self) -> Result<Option<(u64, &csv::StringRecord)>, Error> {
        let wrong = |error: csv::Error| corrupt(self.path, error.to_string());
        if !self.reader.read_record(&mut self.record).map_err(wrong)? {
            return Ok(None);
        }
        let found = self.record.len();
        let is_past_end = self.record.iter().next_back().is_some_and(|field| field.ends_with('\0'));
        if is_past_end && found == 1 && self.record.as_slice() == "\0" {
            return Ok(None);
        }
        self.advance();
        let line = self.line;
        if is_past_end {
            let message = format!("line {line}, field {found}: a quote is opened and never closed");
            return Err(corrupt(self.path, message));
        }
        let expected = *self.width.get_or_insert(found);
        if found != expected {
            let message = format!("line {line}: expected {expected} fields, found {found}");
            return Err(corrupt(self.path, message));
        }
        Ok(Some((line, &self.record)))
    }

    /// Moves on to where the current record begins.
    fn advance(&mut self) {
        let byte = self.record.position().map_or(0, csv::Position::byte) as usize;
        // The position is before the line breaks that precede the record.
        let breaks = self.text.iter().skip(byte).take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let start = byte + breaks.count();
        let passed = self.text.get(self.start..start).unwrap_or_default();
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.start = start;
    }
}
