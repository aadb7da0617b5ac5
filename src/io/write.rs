//! Writing a file so that a crash leaves the old one or the new one.

use crate::error::{Error, FileError};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Writes a file under a temporary name beside it, syncs it, and renames it. Where `path` is a
/// symbolic link, the link itself is replaced, not what it points to.
///
/// # Errors
///
/// [`FileError::Io`]; then the file at `path`, if there was one, is as it was.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace(path, content).map_err(|error| failed(path, &error))
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = create_beside(path)?;
    let written = write(file, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What cannot be written can perhaps not be removed either; the first error counts.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The name is durable only once its directory is; not every system can sync one.
    if let Ok(directory) = File::open(directory_of(path)) {
        let _ = directory.sync_all();
    }
    Ok(())
}

fn write(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// The directory of a file; of a bare name the current one.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A new file in the same directory, since renaming does not cross file systems.
///
/// What is there already under its name, a link included, is neither opened nor followed: a
/// crashed process may have left it, or somebody who wants another file overwritten.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}.{count}.tmp", std::process::id()));
        let temporary = directory_of(path).join(name);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}

/// What the system said of a file.
pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own for each test, empty at the start.
    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("it can be made");
        directory
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(directory).expect("it is there");
        entries.map(|entry| entry.expect("it can be read").file_name()).collect()
    }

    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
        assert_eq!(directory_of(Path::new("model")), Path::new("."));
        assert_eq!(directory_of(Path::new("runs/model")), Path::new("runs"));
        assert_eq!(directory_of(Path::new("/")), Path::new("."));
    }

    #[test]
    fn threads_that_write_one_file_leave_one_of_their_contents() {
        let directory = directory("threads");
        let path = directory.join("file");
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_atomically(path, &vec![thread; 10_000]).expect("it is written");
                    }
                });
            }
        });
        let content = fs::read(&path).expect("it is there");
        assert_eq!(content, vec![content[0]; 10_000]);
        assert_eq!(names(&directory), ["file"]);
        fs::remove_dir_all(directory).expect("it can be removed");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let directory = directory("links");
        let (victim, path) = (directory.join("victim"), directory.join("file"));
        fs::write(&victim, "kept").expect("it is written");
        // Wherever the next temporary name may be, there is a link.
        let (next, _) = create_beside(&path).expect("it can be made");
        let name = next.to_string_lossy().into_owned();
        let end = format!("{}.tmp", std::process::id());
        let (stem, count) = name.trim_end_matches(".tmp").rsplit_once('.').expect("it is counted");
        assert!(!name.ends_with(&end), "it has a count");
        let count: u64 = count.parse().expect("a number");
        for count in count + 1..count + 4 {
            let link = format!("{stem}.{count}.tmp");
            std::os::unix::fs::symlink(&victim, link).expect("it can be made");
        }
        write_atomically(&path, b"new").expect("it is written");
        assert_eq!(fs::read(&victim).expect("it is there"), b"kept");
        assert_eq!(fs::read(&path).expect("it is there"), b"new");
        fs::remove_dir_all(directory).expect("it can be removed");
    }
}
