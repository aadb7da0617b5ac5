//! A file with one mistake.

use super::operators::{Change, Operator};
use std::{fmt, ops::Range};

/// A file with one mistake.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mutant {
    /// Name of the file without extension; `lib/` precedes that of a fragment.
    pub shader: String,
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong.
    pub operator: Operator,
    /// The line as it is, without indentation.
    pub before: String,
    /// The line with the mistake.
    pub after: String,
    /// Why nothing can notice it, if that is known.
    pub reason: Option<&'static str>,
    /// Index of the file.
    pub(super) file: usize,
    /// Name of the function; empty for a constant of the file.
    pub(super) function: String,
    range: Range<usize>,
    replacement: String,
}

impl fmt::Display for Mutant {
    /// `matmul.wgsl:43: row <= params.m (comparison)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mutant { shader, line, operator, before, after, .. } = self;
        write!(f, "{shader}.wgsl:{line}, {operator}: {before} -> {after}")
    }
}

impl Mutant {
    /// A change of a file; `name` and `source` are those of the file, `file` its number.
    pub(super) fn new(file: usize, name: &str, source: &str, change: Change) -> Self {
        let Change { operator, function, range, replacement } = change;
        let line_start = source[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[range.end..].find('\n').map_or(source.len(), |at| range.end + at);
        let after =
            [&source[line_start..range.start], &replacement, &source[range.end..line_end]].concat();
        Mutant {
            shader: name.to_owned(),
            line: 1 + source[..range.start].matches('\n').count(),
            operator,
            before: plain(&source[line_start..line_end]),
            after: plain(&after),
            reason: None,
            file,
            function,
            range,
            replacement,
        }
    }

    /// The file with the mistake.
    pub(super) fn applied(&self, source: &str) -> String {
        [&source[..self.range.start], &self.replacement, &source[self.range.end..]].concat()
    }
}

/// A line without comment, and each run of spaces as one.
fn plain(line: &str) -> String {
    let code: Vec<&str> =
        line.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    code.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}
