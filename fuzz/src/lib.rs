//! What the targets share: a file, since readers read files.

use std::{io::Write, path::Path};
use wgrad::{Error, FileError};

/// Gives `read` a file of these bytes. What is wrong with it must be an error that names it.
pub fn read<T>(bytes: &[u8], read: impl Fn(&Path) -> Result<T, Error>) {
    let mut file = tempfile::NamedTempFile::new().expect("there is a folder for such files");
    file.write_all(bytes).expect("there is room");
    match read(file.path()) {
        Ok(_) => {}
        Err(Error::File(FileError::Corrupt { path, .. } | FileError::Io { path, .. })) => {
            assert_eq!(path, file.path());
        }
        Err(error) => panic!("{error} does not name the file"),
    }
}
