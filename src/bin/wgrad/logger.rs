//! The library's warnings and remarks, on stderr.

use crate::words::shown;
use log::{LevelFilter, Log, Metadata, Record};
use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::OnceLock,
};

/// How much is told of modules whose paths begin with a name; the longest name counts.
#[derive(Debug, PartialEq)]
struct Logger(Vec<(String, LevelFilter)>);

/// Characters of a terminal's line that may show progress.
const COLUMNS: usize = 79;

/// Tells warnings of the library, or what `--quiet`, `--verbose`, `WGRAD_LOG` or `RUST_LOG` say, the
/// first of these that is there.
pub fn install(quiet: bool, verbose: u8) {
    let own = |level| Logger(vec![("wgrad".to_owned(), level)]);
    let of = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
    let logger = match (quiet, verbose) {
        (true, _) => own(LevelFilter::Error),
        (false, 1) => own(LevelFilter::Info),
        (false, 2) => own(LevelFilter::Debug),
        (false, 3..) => Logger(vec![(String::new(), LevelFilter::Trace)]),
        (false, 0) => match (of("WGRAD_LOG"), of("RUST_LOG")) {
            (Some(text), _) => Logger::parse(&text, "wgrad"),
            (None, Some(text)) => Logger::parse(&text, ""),
            (None, None) => own(LevelFilter::Warn),
        },
    };
    let most = logger.0.iter().map(|(_, level)| *level).max().unwrap_or(LevelFilter::Off);
    static INSTALLED: OnceLock<Logger> = OnceLock::new();
    // It is called once, so no logger is there yet.
    if log::set_logger(INSTALLED.get_or_init(|| logger)).is_ok() {
        log::set_max_level(most);
    }
}

impl Logger {
    /// Levels, and `target=level` for single crates or modules, with commas between them. A level
    /// alone is that of `all`. What is neither is left out.
    fn parse(text: &str, all: &str) -> Self {
        let mut levels = vec![("wgrad".to_owned(), LevelFilter::Warn)];
        for part in text.split(',').map(str::trim) {
            let (target, level) = part.split_once('=').unwrap_or((all, part));
            if let Ok(level) = level.parse() {
                levels.retain(|(known, _)| {
                    known != target && !(target.is_empty() && known == "wgrad")
                });
                levels.push((target.to_owned(), level));
            }
        }
        Logger(levels)
    }

    fn level(&self, target: &str) -> LevelFilter {
        let matching = self.0.iter().filter(|(name, _)| target.starts_with(name.as_str()));
        matching.max_by_key(|(name, _)| name.len()).map_or(LevelFilter::Off, |(_, level)| *level)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Warn => "warning".to_owned(),
            level => level.to_string().to_lowercase(),
        };
        let text = record.args().to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r{:COLUMNS$}\r", "");
        }
        // Results do not depend on whether it takes any text.
        let _ = writeln!(stderr, "{level}: {}", shown(&text));
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use LevelFilter::{Debug, Error, Info, Off, Trace, Warn};

    #[test]
    fn the_longest_name_says_the_level() {
        let levels = |text: &str, all: &str| {
            let logger = Logger::parse(text, all);
            ["wgrad::gpu::device", "wgrad::cpu", "wgpu_core::device"].map(|name| logger.level(name))
        };
        assert_eq!(levels("debug", "wgrad"), [Debug, Debug, Off]);
        assert_eq!(levels("info", ""), [Info, Info, Info]);
        assert_eq!(levels("off", "wgrad"), [Off, Off, Off]);
        assert_eq!(levels("wgpu_core=error", "wgrad"), [Warn, Warn, Error]);
        assert_eq!(levels("info, wgrad::gpu=trace,wgpu=error", "wgrad"), [Trace, Info, Error]);
        assert_eq!(levels("wgpu=info", ""), [Warn, Warn, Info]);
        // Anything but a level logs nothing.
        assert_eq!(levels("loud,wgrad=quiet", "wgrad"), [Warn, Warn, Off]);
    }
}
