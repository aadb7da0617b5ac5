//! The file of a proof cache: a log that processes share.
//!
//! A line is a check sum, the key, the verdict and a label for people. The sum is over the rest of
//! the line, so that a damaged key is not taken for another one. Lines are appended as they arise;
//! the last one of a key counts. Who opens a log with damaged lines, or with many that no longer
//! count, writes it anew beside the old one and renames it.
//!
//! Appending and rewriting take a lock, on a file of its own because the log itself is replaced.
//! Where a file system has no locks, logs are only appended to.

use super::proof_entry::{Entry, Key, hash};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

/// The log at a path, which need not exist.
#[derive(Debug)]
pub(super) struct ProofLog {
    path: PathBuf,
}

impl ProofLog {
    /// Opens a log and reads its entries. One that cannot be read has none.
    pub fn open(path: PathBuf) -> (Self, HashMap<Key, Entry>) {
        let log = ProofLog { path };
        let bytes = match fs::read(&log.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    log::warn!("no earlier proofs are read: {}: {error}", log.path.display());
                }
                return (log, HashMap::new());
            }
        };
        let content = Content::of(&bytes);
        if content.damaged > 0 {
            let (damaged, path) = (content.damaged, log.path.display());
            log::info!("{damaged} damaged lines among the proofs are left out: {path}");
        }
        if content.is_wasteful()
            && let Err(error) = log.rewrite()
        {
            // The log serves as it is.
            log::info!("proofs are not written anew: {}: {error}", log.path.display());
        }
        (log, content.entries)
    }

    /// Appends an entry.
    pub fn append(&self, key: Key, entry: &Entry, label: &str) -> Result<(), String> {
        let append = || {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let _lock = self.lock();
            let options = OpenOptions::new().create(true).read(true).append(true).clone();
            let mut file = options.open(&self.path)?;
            let mut line = line(key, entry, label);
            // A process that was killed while writing leaves a line without an end.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    line.insert(0, '\n');
                }
            }
            file.write_all(line.as_bytes())
        };
        append().map_err(|error: io::Error| format!("{}: {error}", self.path.display()))
    }

    /// Replaces the log by one with the lines that count.
    fn rewrite(&self) -> io::Result<()> {
        let _lock = self.lock()?;
        // Others may have appended to it or rewritten it in the meantime.
        let bytes = fs::read(&self.path)?;
        let content = Content::of(&bytes);
        if !content.is_wasteful() {
            return Ok(());
        }
        let beside = self.path.with_extension("new");
        let replace = || {
            let mut file = File::create(&beside)?;
            for line in &content.lines {
                file.write_all(line)?;
                file.write_all(b"\n")?;
            }
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        };
        replace().inspect_err(|_| _ = fs::remove_file(&beside))
    }

    /// Waits for the right to write. It lasts as long as the file.
    fn lock(&self) -> io::Result<File> {
        let path = self.path.with_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    }
}

/// The parsed content of a log.
struct Content<'a> {
    entries: HashMap<Key, Entry>,
    /// The lines of the entries, in the order of the log.
    lines: Vec<&'a [u8]>,
    damaged: usize,
    superseded: usize,
}

impl<'a> Content<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let parsed: Vec<_> = lines.map(|line| (line, parse(line))).collect();
        let mut content =
            Content { entries: HashMap::new(), lines: vec![], damaged: 0, superseded: 0 };
        let mut seen = HashSet::new();
        for (line, parsed) in parsed.into_iter().rev() {
            match parsed {
                None => content.damaged += 1,
                Some((key, _)) if !seen.insert(key) => content.superseded += 1,
                Some((key, entry)) => {
                    content.entries.insert(key, entry);
                    content.lines.push(line);
                }
            }
        }
        content.lines.reverse();
        content
    }

    /// Whether it should be rewritten.
    fn is_wasteful(&self) -> bool {
        self.damaged > 0 || self.superseded > 16 + self.entries.len() / 4
    }
}

/// A line, with its end.
fn line(key: Key, entry: &Entry, label: &str) -> String {
    let plain = |text: &str| text.replace(char::is_control, " ");
    let described =
        |verdict, what: &str| format!("{key:032x} {verdict} {}\t{}", plain(label), plain(what));
    let rest = match entry {
        Entry::Proved => format!("{key:032x} proved {}", plain(label)),
        Entry::Finite(what) => described("finite", what),
        Entry::Failed(what) => described("failed", what),
    };
    format!("{:016x} {rest}\n", check_sum(&rest))
}

/// Parses a line; `None` if it is damaged.
fn parse(line: &[u8]) -> Option<(Key, Entry)> {
    let (sum, rest) = str::from_utf8(line).ok()?.split_once(' ')?;
    if sum != format!("{:016x}", check_sum(rest)) {
        return None;
    }
    let (key, rest) = rest.split_once(' ')?;
    let key = Key::from_str_radix(key, 16).ok()?;
    let entry = match rest.split_once(' ')? {
        ("proved", _) => Entry::Proved,
        ("finite", rest) => Entry::Finite(rest.split_once('\t')?.1.to_owned()),
        ("failed", rest) => Entry::Failed(rest.split_once('\t')?.1.to_owned()),
        _ => return None,
    };
    Some((key, entry))
}

fn check_sum(text: &str) -> u64 {
    let hash = hash([text.as_bytes()]);
    (hash ^ (hash >> 64)) as u64
}

#[cfg(test)]
mod tests;
