//! The error type of the program.

use crate::words::{shown, shown_path};
use wgrad::{Error, FileError};

/// A human-readable error.
pub type Failure = Box<dyn std::error::Error>;

/// The user has ended the command.
#[derive(Debug)]
pub struct Interrupted(pub String);

impl Interrupted {
    /// The exit code shells report for a process ended by Ctrl-C.
    pub const CODE: u8 = 128 + 2;
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}

/// The error on a single line, even if the driver's message has several.
pub fn line(failure: &Failure) -> String {
    let joined = |text: &str| shown(&text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    match failure.downcast_ref::<Error>() {
        // A line break in a path is part of it.
        Some(Error::File(
            FileError::Io { path, message } | FileError::Corrupt { path, message },
        )) => {
            format!("{}: {}", shown_path(path), joined(message))
        }
        Some(error @ Error::File(FileError::Mismatch { path, .. })) => {
            let text = error.to_string();
            let after = text.strip_prefix(&*path.to_string_lossy()).unwrap_or(&text);
            format!("{} {}", shown_path(path), joined(after))
        }
        _ => joined(&failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let [path, message] = ["a\nb.png", "no\n  such file\u{1b}[2J"];
        let error = Error::from(FileError::Io { path: path.into(), message: message.into() });
        assert_eq!(line(&error.into()), "a\\nb.png: no such file\\u{1b}[2J");
        assert_eq!(line(&"two\n lines".into()), "two lines");
    }
}
