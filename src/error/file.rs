//! Errors of files.

use super::LoadReport;
use std::path::PathBuf;

/// A file could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// An I/O error.
    #[error("{path}: {message}", path = path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The system's message.
        message: String,
    },
    /// The file is malformed.
    #[error("{path}: {message}", path = path.display())]
    Corrupt {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The tensors of the file are not those of the model.
    #[error("{path} does not fit: {}", report.faults().join("; "), path = path.display())]
    Mismatch {
        /// Path of the file.
        path: PathBuf,
        /// The tensors that do not fit; nothing was loaded.
        report: Box<LoadReport>,
    },
}
