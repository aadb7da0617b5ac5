//! Runs that are killed at any moment, and go on.
//!
//! `WGRAD_KILLS` sets how often a run is killed, as in `WGRAD_KILLS=50 cargo nextest run killed`.

use super::{directory, path, stderr, wgrad};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};
use wgrad::train::Checkpoint;

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// While a checkpoint is being written, beside the one before.
    Writing,
    /// When it has just taken the place of the one before.
    Renamed,
    /// Some turns of a loop after so many checkpoints.
    Between { checkpoints: usize, turns: u32 },
}

impl Moment {
    fn of(kill: usize) -> Self {
        match kill % 3 {
            0 => Moment::Writing,
            1 => Moment::Renamed,
            // Odd multipliers spread the moments.
            _ => Moment::Between {
                checkpoints: 1 + kill * 7 % 5,
                turns: kill as u32 * 7919 % 20_000,
            },
        }
    }
}

/// The device, the epochs, how often a checkpoint is written, and other options.
struct Run<'a> {
    device: &'a str,
    epochs: &'a str,
    steps: &'a str,
    more: &'a [&'a str],
}

impl Run<'_> {
    fn args<'s>(&'s self, out: &'s Path) -> Vec<&'s str> {
        let out = path(out);
        let checkpoints = ["--checkpoint-steps", self.steps];
        let args = ["train", "digits", "--device", self.device, "--epochs", self.epochs, "--json"];
        [&args[..], self.more, &checkpoints, &["--out", out]].concat()
    }

    /// Goes on from the checkpoint, if there is one.
    fn begin(&self, out: &Path) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
        command.args(self.args(out)).stdout(Stdio::null()).stderr(Stdio::null());
        if checkpoint(out).exists() {
            command.arg("--resume");
        }
        command.spawn().expect("the program starts")
    }

    /// Runs until the moment or the end; returns whether it was killed.
    fn killed(&self, out: &Path, moment: Moment) -> bool {
        let mut child = self.begin(out);
        let (mut known, mut seen) = (identity(out), 0);
        loop {
            if child.try_wait().expect("it is ours").is_some() {
                return false;
            }
            let now = identity(out);
            seen += usize::from(now != known);
            known = now;
            let is_due = match moment {
                Moment::Writing => is_writing(out),
                Moment::Renamed => seen > 0,
                Moment::Between { checkpoints, turns } => {
                    let is_due = seen >= checkpoints;
                    (0..turns * u32::from(is_due)).for_each(|_| thread::yield_now());
                    is_due
                }
            };
            if is_due {
                break;
            }
            thread::yield_now();
        }
        // SIGKILL: no handler runs.
        child.kill().expect("it runs or has ended");
        !child.wait().expect("it ends").success()
    }
}

fn checkpoint(out: &Path) -> std::path::PathBuf {
    out.join("checkpoint.safetensors")
}

/// The file that has the name of the checkpoint.
fn identity(out: &Path) -> Option<(u64, i64, i64)> {
    let file = fs::metadata(checkpoint(out)).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec()))
}

/// Names of files that are being written, or were when a run was killed.
fn temporaries(out: &Path) -> Vec<String> {
    let names = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

fn is_writing(out: &Path) -> bool {
    temporaries(out).iter().any(|name| name.starts_with(".checkpoint"))
}

/// However often it is killed, a run leaves a checkpoint that can be read, or none yet, and ends with the
/// files of one that was not.
fn survives(run: &Run<'_>, name: &str, kills: usize) {
    let folder = directory(name);
    let (whole, part) = (folder.join("whole"), folder.join("part"));
    let output = wgrad(&run.args(&whole));
    assert!(output.status.success(), "{}", stderr(&output));
    let (mut killed, mut runs) = (0, 0);
    while killed < kills {
        runs += 1;
        assert!(runs <= 20 * kills, "{killed} of {runs} were killed");
        let moment = Moment::of(killed);
        // A run that has ended begins again.
        match run.killed(&part, moment) {
            true => killed += 1,
            false => same(&whole, &part),
        }
        if checkpoint(&part).exists() {
            let summary = Checkpoint::summary(&checkpoint(&part));
            summary.unwrap_or_else(|error| unreachable!("{moment:?}: {error}"));
        }
    }
    while !part.join("model.safetensors").exists() {
        let output = run.begin(&part).wait().expect("it ends");
        assert!(output.success());
    }
    same(&whole, &part);
    fs::remove_dir_all(folder).expect("it can be removed");
}

/// Compares the files of two runs that have ended, and removes the second.
fn same(whole: &Path, part: &Path) {
    for file in ["checkpoint", "best", "model"] {
        let read = |run: &Path| {
            fs::read(run.join(file).with_extension("safetensors")).expect("it was saved")
        };
        assert!(read(whole) == read(part), "{file} is another");
    }
    assert_eq!(temporaries(part), [""; 0], "half-written files are removed");
    fs::remove_dir_all(part).expect("it can be removed");
}

fn kills(default: usize) -> usize {
    let kills = std::env::var("WGRAD_KILLS").ok();
    kills.map_or(default, |kills| kills.parse().expect("WGRAD_KILLS is a number"))
}

#[test]
fn a_killed_run_ends_as_one_that_was_not() {
    let run = Run { device: "cpu", epochs: "2", steps: "3", more: &[] };
    survives(&run, "killed-cpu", kills(6));
}

/// With a scale of the loss that is halved and doubled on the way, and gradients that are added up over
/// parts of a batch.
#[test]
fn a_killed_run_in_halves_and_parts_ends_as_one_that_was_not() {
    let more = ["--precision", "mixed", "--batch-size", "32", "--memory", "6900KB"];
    let run = Run { device: "cpu", epochs: "2", steps: "3", more: &more };
    survives(&run, "killed-mixed", kills(6));
}

#[test]
fn a_killed_run_on_an_adapter_ends_as_one_that_was_not() {
    let devices = wgrad(&["devices", "--json"]);
    let listed = String::from_utf8_lossy(&devices.stdout).into_owned();
    if !listed.contains("-gpu\"") && std::env::var_os("REQUIRE_GPU").is_none() {
        eprintln!("skipped: there is no GPU");
        return;
    }
    let run = Run { device: "gpu", epochs: "1", steps: "5", more: &[] };
    survives(&run, "killed-gpu", kills(2));
}

/// Ctrl-C ends a run after its step, with 130, and the way on.
#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let run = Run { device: "cpu", epochs: "100000", steps: "2", more: &[] };
    let folder = directory("interrupted");
    let (whole, part) = (folder.join("whole"), folder.join("part"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    let command = command.args(run.args(&part)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // The first checkpoint is written before the first step, when Ctrl-C is handled.
    while identity(&part).is_none() {
        assert!(child.try_wait().expect("it is ours").is_none(), "it has ended");
        thread::yield_now();
    }
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.expect("the system has kill").success());
    let output = child.wait_with_output().expect("it ends");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.starts_with("interrupted ") && said.contains("the same command with --resume"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    // To the end of the epoch, whichever it is.
    let summary = Checkpoint::summary(&checkpoint(&part)).expect("it was written");
    let epochs = (summary.epochs + 1).to_string();
    let run = Run { epochs: &epochs, ..run };
    assert!(wgrad(&run.args(&whole)).status.success());
    assert!(run.begin(&part).wait().expect("it ends").success());
    same(&whole, &part);
    fs::remove_dir_all(folder).expect("it can be removed");
}
