//! Storage of reports in files.

use super::report::Report;
use crate::{
    cache,
    error::{Error, FileError},
    io::write_atomically,
};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// Maximum file size: a report has a few hundred rows.
const LARGEST: u64 = 16 << 20;

impl Report {
    /// The path of the report with this name: a name of letters, digits, `-`, `_` and `.` that does
    /// not end in `.json` is in `bench` below `WGRAD_CACHE_DIR` or the system's cache directory;
    /// everything else is the path of a file.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] if there is no cache directory.
    pub fn path(name: &str) -> Result<PathBuf, Error> {
        path_of(name)
    }

    /// Saves the report under a name, or in a file: see [`path`](Self::path). Returns the path.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] if it cannot be written.
    pub fn save(&self, name: &str) -> Result<PathBuf, Error> {
        let path = path_of(name)?;
        let failed = |message: String| FileError::Io { path: path.clone(), message };
        let text = serde_json::to_string(self).map_err(|error| failed(error.to_string()))?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        write_atomically(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Reads a report written by [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] if there is no such file; [`FileError::Corrupt`] if it is not a report.
    pub fn load(name: &str) -> Result<Report, Error> {
        let path = path_of(name)?;
        let failed = |error: std::io::Error| FileError::Io {
            path: path.clone(),
            message: error.to_string(),
        };
        let mut text = String::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
        let corrupt = |message: String| FileError::Corrupt { path: path.clone(), message };
        if text.len() as u64 > LARGEST {
            return Err(corrupt("it is too large for a report".to_owned()).into());
        }
        let report = serde_json::from_str(&text);
        Ok(report.map_err(|error| corrupt(format!("it is no report of wgrad bench: {error}")))?)
    }
}

fn path_of(name: &str) -> Result<PathBuf, Error> {
    let is_name = !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with(".json")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_name {
        return Ok(Path::new(name).to_owned());
    }
    let Some(folder) = cache::directory() else {
        let message = "there is no folder for it: set WGRAD_CACHE_DIR, or give a path".to_owned();
        return Err(FileError::Io { path: name.into(), message }.into());
    };
    Ok(folder.join("bench").join(format!("{name}.json")))
}
