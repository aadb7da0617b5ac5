//! Whether a file can be written, before the work whose results it is for.

use crate::{failure::Failure, words::shown_path};
use std::path::Path;
use wgrad::io::write_atomically;

/// Checks that a file can be written.
pub fn writable(file: &Path) -> Result<(), Failure> {
    let failed = |why: &str| Failure::from(format!("{}: {why}", shown_path(file)));
    if file.is_dir() {
        return Err(failed("it is a directory"));
    }
    if file.file_name().is_none() {
        return Err(failed("it is not the name of a file"));
    }
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if !directory.is_dir() {
        return Err(failed("its directory does not exist"));
    }
    takes_files(directory)
}

/// Creates a directory, and checks that files can be written to it.
pub fn writable_directory(directory: &Path) -> Result<(), Failure> {
    let created = std::fs::create_dir_all(directory);
    created.map_err(|error| format!("{}: {error}", shown_path(directory)))?;
    takes_files(directory)
}

fn takes_files(directory: &Path) -> Result<(), Failure> {
    let probe = directory.join(format!(".{}.probe", std::process::id()));
    write_atomically(&probe, &[])?;
    Ok(std::fs::remove_file(&probe)?)
}
