//! Writing a file so that a crash leaves the old one or the new one.

use crate::error::{Error, FileError};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Writes a file under a temporary name beside it, syncs it, and renames it.
///
/// # Errors
///
/// [`FileError::Io`]; then the file at `path`, if there was one, is as it was.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path);
    let result = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = result {
        // What cannot be written can perhaps not be removed either; the first error counts.
        let _ = fs::remove_file(&temporary);
        return Err(failed(path, &error));
    }
    // The name is durable only once its directory is; not every system can sync one.
    if let Some(parent) = path.parent()
        && let Ok(directory) = File::open(parent)
    {
        let _ = directory.sync_all();
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A name in the same directory, since renaming does not cross file systems.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// What the system said of a file.
pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}
