//! The output streams of a command: results to stdout, everything else to stderr.
//!
//! A stdout that takes nothing more, as its reader has left or its disk is full, ends a command
//! that only prints. One that keeps something in a file goes on without it.

use crate::{
    failure::{Failure, Interrupted},
    progress::Progress,
    words::json_line,
};
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Instant,
};

/// Writing to it is writing to stdout.
pub struct Console {
    quiet: bool,
    goes_on: bool,
    /// Why stdout takes nothing more.
    lost: Option<io::Error>,
    progress: Option<(Instant, Progress)>,
}

/// The exit code shells report for a process killed by SIGPIPE, the usual end of a tool whose reader
/// has left.
const CLOSED: u8 = 128 + 13;

impl Console {
    pub fn new(quiet: bool) -> Self {
        Console { quiet, goes_on: false, lost: None, progress: None }
    }

    /// Lets the command run to its end even if nobody reads what it prints.
    pub fn goes_on(&mut self) {
        self.goes_on = true;
    }

    /// Whether stdout refused what was printed, and not because its reader left.
    pub fn is_full(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| !is_closed(lost))
    }

    /// Shows progress from now on, unless that is not wanted or stdout is for programs.
    pub fn begin(&mut self, json: bool) {
        if !self.quiet && !json {
            let progress = Progress::new(io::stderr().is_terminal());
            self.progress = Some((Instant::now(), progress));
        }
    }

    /// Shows how much is done.
    pub fn done(&mut self, share: f64, text: &str) {
        if let Some((begin, progress)) = &mut self.progress {
            progress.show(begin.elapsed(), share, text, &mut io::stderr());
        }
    }

    /// Prints something on stdout, while it takes anything.
    pub fn print(&mut self, print: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.lost.is_none()
            && let Err(error) = print()
        {
            let kind = error.kind();
            self.lost = Some(error);
            if !self.goes_on {
                return Err(kind.into());
            }
        }
        Ok(())
    }

    /// Prints one JSON object on a line.
    pub fn object(&mut self, object: &serde_json::Value) -> io::Result<()> {
        writeln!(self, "{}", json_line(object))
    }

    /// Prints a line on stderr that is no error.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Prints a line on stderr. Whether it takes one or not, the exit code says what is wrong.
    pub fn error(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn clear(&mut self) {
        if let Some((_, progress)) = &mut self.progress {
            progress.clear(&mut io::stderr());
        }
    }

    /// Prints what went wrong and returns the exit code.
    pub fn end(mut self, result: Result<(), Failure>) -> ExitCode {
        self.clear();
        let failure = match (self.lost.take(), result) {
            (None, Ok(())) => return ExitCode::SUCCESS,
            (Some(lost), Ok(())) if is_closed(&lost) => return ExitCode::SUCCESS,
            (Some(lost), Err(_)) if !self.goes_on && is_closed(&lost) => {
                return ExitCode::from(CLOSED);
            }
            (Some(lost), Err(_)) if !self.goes_on => unwritten(&lost),
            (Some(lost), Ok(())) => unwritten(&lost),
            (_, Err(failure)) if failure.is::<Interrupted>() => {
                self.error(&crate::failure::line(&failure));
                return ExitCode::from(Interrupted::CODE);
            }
            (_, Err(failure)) => crate::failure::line(&failure),
        };
        self.error(&format!("error: {failure}"));
        ExitCode::FAILURE
    }
}

fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn unwritten(error: &io::Error) -> String {
    format!("stdout: {error}")
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.clear();
        self.print(|| io::stdout().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
