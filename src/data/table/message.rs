//! Parts of messages.

use crate::error::{Error, FileError};
use std::path::Path;

pub(super) fn corrupt(path: &Path, message: String) -> Error {
    FileError::Corrupt { path: path.to_owned(), message }.into()
}

/// A cell in a message, cut short if it is long.
pub(super) fn shown(cell: &str) -> String {
    const MOST: usize = 40;
    match cell.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}...", cell.get(..end).unwrap_or_default()),
        None => format!("{cell:?}"),
    }
}
