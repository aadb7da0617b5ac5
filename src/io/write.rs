//! Atomic file writes: after a crash either the old or the new file exists.

use crate::error::{Error, FileError};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Writes a temporary file in the same directory, syncs it, and renames it. If `path` is a symbolic
/// link, the link itself is replaced, not its target.
///
/// # Errors
///
/// [`FileError::Io`]; an existing file at `path` is then unchanged.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace(path, content).map_err(|error| failed(path, &error))
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, file) = create_beside(path)?;
    let written = write(file, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // If writing failed, removal may fail as well; the first error is returned.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The rename is durable only once the directory is synced; not every system can do that.
    if let Ok(directory) = File::open(directory_of(path)) {
        let _ = directory.sync_all();
    }
    Ok(())
}

fn write(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// The directory of a file; the current one for a bare name.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a new file in the same directory, since renaming does not cross file systems.
///
/// An existing file of that name, including a link, is neither opened nor followed: it may be left
/// over from a crashed process, or placed there to have another file overwritten.
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

/// Removes what processes that were killed while they wrote this file left beside it. No other may be
/// writing it now.
pub fn remove_leftovers(path: &Path) {
    let mut begin = OsString::from(".");
    begin.push(path.file_name().unwrap_or_default());
    begin.push(".");
    // A folder that cannot be read, or a file that stays, does no harm.
    for entry in fs::read_dir(directory_of(path)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes().strip_prefix(begin.as_encoded_bytes());
        if name.and_then(|name| name.strip_suffix(b".tmp")).is_some_and(is_counted) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether this is the part of a temporary name that tells processes and files apart: `1234.5`.
fn is_counted(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'.');
    let mut number = || parts.next().is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    number() && number() && parts.next().is_none()
}

/// Converts an I/O error of a file.
pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    FileError::Io { path: path.to_owned(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A separate directory for each test, initially empty.
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

    #[test]
    fn leftovers_are_removed() {
        let directory = directory("leftovers");
        let path = directory.join("file.bin");
        let others =
            [".file.bin.tmp", ".file.bin.a.1.tmp", ".file.bin.1.2.3.tmp", ".other.1.2.tmp"];
        for name in others.iter().chain(&[".file.bin.17.0.tmp", ".file.bin.17.31.tmp"]) {
            fs::write(directory.join(name), "half").expect("it is written");
        }
        write_atomically(&path, b"whole").expect("it is written");
        remove_leftovers(&path);
        let mut left = names(&directory);
        left.sort();
        let mut expected: Vec<OsString> = others.iter().map(OsString::from).collect();
        expected.push("file.bin".into());
        expected.sort();
        assert_eq!(left, expected);
        remove_leftovers(&directory.join("none/file.bin"));
        fs::remove_dir_all(directory).expect("it can be removed");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let directory = directory("links");
        let (victim, path) = (directory.join("victim"), directory.join("file"));
        fs::write(&victim, "kept").expect("it is written");
        // Links at every possible next temporary name.
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
