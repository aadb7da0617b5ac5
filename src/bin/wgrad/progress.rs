//! The progress of a command on stderr: a line that changes on a terminal, lines at intervals
//! elsewhere.

use std::{io::Write, time::Duration};

/// The state of the progress display.
pub struct Progress {
    is_terminal: bool,
    /// When the last line was written.
    last: Option<Duration>,
    /// The length of the line on the terminal.
    width: usize,
}

/// Between two states of a terminal's line.
const REDRAWN: Duration = Duration::from_millis(100);
/// Between two lines of a log.
const LOGGED: Duration = Duration::from_secs(10);
/// Characters of a terminal's line: few terminals are narrower, and a line that wraps cannot be
/// taken back.
const COLUMNS: usize = 79;

impl Progress {
    pub fn new(is_terminal: bool) -> Self {
        Progress { is_terminal, last: None, width: 0 }
    }

    /// Shows this share of the work and a text, `elapsed` after the beginning, if it is time to.
    /// There is nothing to be done about a stderr that takes no text.
    pub fn show(&mut self, elapsed: Duration, share: f64, text: &str, out: &mut impl Write) {
        // A log begins with the results of a short run, and not with its progress.
        let (last, interval) = match (self.is_terminal, self.last) {
            (true, None) => (Duration::ZERO, Duration::ZERO),
            (true, Some(last)) => (last, REDRAWN),
            (false, last) => (last.unwrap_or_default(), LOGGED),
        };
        if elapsed.saturating_sub(last) < interval {
            return;
        }
        self.last = Some(elapsed);
        let share = share.clamp(0.0, 1.0);
        let text = format!("{:3.0}%  {text}{}", 100.0 * share, left(elapsed, share));
        if !self.is_terminal {
            let _ = writeln!(out, "{text}");
            return;
        }
        let line: String = format!("{} {text}", bar(share)).chars().take(COLUMNS).collect();
        let width = line.chars().count();
        // Overwriting the old line needs no terminal codes.
        let rest = " ".repeat(self.width.saturating_sub(width));
        let _ = write!(out, "\r{line}{rest}");
        let _ = out.flush();
        self.width = width;
    }

    /// Makes room for other text.
    pub fn clear(&mut self, out: &mut impl Write) {
        if self.width > 0 {
            let _ = write!(out, "\r{}\r", " ".repeat(self.width));
            let _ = out.flush();
            (self.width, self.last) = (0, None);
        }
    }
}

fn bar(share: f64) -> String {
    const WIDTH: usize = 20;
    let full = (share * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

/// The time left at the same speed, if enough is done to tell.
fn left(elapsed: Duration, share: f64) -> String {
    if elapsed < Duration::from_secs(1) || share < 0.01 {
        return String::new();
    }
    let seconds = (elapsed.as_secs_f64() * (1.0 - share) / share).round() as u64;
    match seconds {
        ..60 => format!(", {seconds} s left"),
        60..3600 => format!(", {} min {} s left", seconds / 60, seconds % 60),
        _ => format!(", {} h {} min left", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output for updates at these times, in milliseconds, of a run of 20 s.
    fn written(is_terminal: bool, times: &[u64]) -> String {
        let (mut progress, mut out) = (Progress::new(is_terminal), Vec::new());
        for &time in times {
            let share = time as f64 / 20_000.0;
            progress.show(Duration::from_millis(time), share, &format!("at {time}"), &mut out);
        }
        progress.clear(&mut out);
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn a_log_has_a_line_at_intervals() {
        let times: Vec<u64> = (0..=20_000).step_by(2_500).collect();
        let lines = " 50%  at 10000, 10 s left\n100%  at 20000, 0 s left\n";
        assert_eq!(written(false, &times), lines);
    }

    #[test]
    fn a_line_of_a_terminal_is_overwritten_and_cleared() {
        let text = written(true, &[0, 50, 10_000]);
        let first = "[--------------------]   0%  at 0";
        let second = "[##########----------]  50%  at 10000, 10 s left";
        let spaces = " ".repeat(second.len());
        assert_eq!(text, format!("\r{first}\r{second}\r{spaces}\r"));
        let control = |c: char| c.is_control() && c != '\r';
        assert!(!text.contains(control), "{text:?}");
    }

    #[test]
    fn what_is_shorter_covers_what_was_longer() {
        let (mut progress, mut out) = (Progress::new(true), Vec::new());
        progress.show(Duration::ZERO, 0.0, "long text", &mut out);
        progress.show(Duration::from_millis(100), 0.0, "text", &mut out);
        assert!(out.ends_with(b"  0%  text     "), "{:?}", String::from_utf8_lossy(&out));
        progress.show(Duration::from_millis(200), 0.0, &"x".repeat(500), &mut out);
        assert_eq!(out.rsplit(|&c| c == b'\r').next().map(<[u8]>::len), Some(COLUMNS));
    }

    #[test]
    fn the_time_left_has_a_suitable_unit() {
        let of = |seconds, share| left(Duration::from_secs(seconds), share);
        assert_eq!(of(10, 0.25), ", 30 s left");
        assert_eq!(of(100, 0.5), ", 1 min 40 s left");
        assert_eq!(of(1000, 0.1), ", 2 h 30 min left");
        assert_eq!(of(100, 0.001), "");
        assert_eq!(of(0, 0.5), "");
    }
}
