//! A stdout whose reader has left, or whose disk is full, and a stderr that takes nothing.
#![cfg(unix)]

use super::{directory, objects, path, stderr, wgrad};
use std::{
    fs::{File, OpenOptions},
    io::pipe,
    path::Path,
    process::{Command, Output, Stdio},
};

/// The exit code shells report for a process killed by SIGPIPE.
const CLOSED: Option<i32> = Some(141);

fn run(args: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    let child = command.args(args).stdout(stdout).stderr(stderr).spawn().expect("it starts");
    child.wait_with_output().expect("it ends")
}

/// Runs with a stdout that nobody reads.
fn unread(args: &[&str]) -> Output {
    let (reader, writer) = pipe().expect("there are pipes");
    drop(reader);
    run(args, writer, Stdio::piped())
}

/// `None` where the system has no such file.
fn full() -> Option<File> {
    OpenOptions::new().write(true).open("/dev/full").ok()
}

/// A model of one epoch, an image, and a report.
fn files(folder: &Path) -> [String; 3] {
    let out = ["train", "digits", "--device", "cpu", "--epochs", "1", "--out", path(folder)];
    assert!(wgrad(&out).status.success());
    let image = folder.join("image.png");
    crate::drawing::save(&image, [8, 8], |x, _| [x as u8 * 30; 3]);
    let report = folder.join("report.json");
    let args = ["--device", "cpu", "--filter", "matmul_40", "--sizes", "40", "--time", "0.001"];
    let save = ["--save", path(&report)];
    assert!(wgrad(&[&["bench", "--quick"], &args[..], &save].concat()).status.success());
    [folder.join("model.safetensors"), image, report].map(|file| path(&file).to_owned())
}

/// Every command that only prints, and every form of what it prints.
#[test]
fn who_stops_reading_ends_what_only_prints() {
    let [model, image, report] = files(&directory("streams"));
    let bench = ["bench", "--quick", "--device", "cpu", "--filter", "matmul_40", "--sizes", "40"];
    let bench = [&bench[..], &["--time", "0.001"]].concat();
    let verify = ["verify", "--device", "cpu", "--ops", "relu"];
    let diff = ["diff", &model, "--devices", "cpu"];
    let predict = ["predict", &model, &image, "--device", "cpu"];
    let compare = ["bench", "compare", &report, &report];
    let mut commands = vec![
        vec!["--help"],
        vec!["--version"],
        vec!["train", "--help"],
        vec!["plan", "digits", "--shader", "0"],
        vec!["verify", "--list"],
        vec!["bench", "--list"],
        [&bench[..], &["--csv"]].concat(),
    ];
    for command in
        [&["devices"][..], &["plan", "digits"], &bench, &verify, &diff, &predict, &compare]
    {
        commands.extend([command.to_vec(), [command, &["--json"]].concat()]);
    }
    for args in &commands {
        let output = unread(args);
        assert_eq!(output.status.code(), CLOSED, "{args:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{args:?}");
        let Some(full) = full() else { continue };
        let output = run(args, full, Stdio::piped());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("error: stdout: ") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn training_goes_on_and_saves_without_a_reader() {
    let folder = directory("streams-train");
    let args = |out: &'static str| {
        let out = path(&folder.join(out)).to_owned();
        ["train", "digits", "--device", "cpu", "--epochs", "2", "--out"]
            .map(str::to_owned)
            .into_iter()
            .chain([out])
            .collect::<Vec<_>>()
    };
    let model = |out: &str| std::fs::read(folder.join(out).join("model.safetensors"));
    let told: Vec<String> = args("told");
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    assert!(wgrad(&told).status.success());
    let whole = model("told").expect("it was saved");
    for (out, option) in [("unread", None), ("unread-json", Some("--json"))] {
        let args = args(out);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(option).collect();
        let output = unread(&args);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{args:?}");
        assert!(model(out).is_ok_and(|model| model == whole), "{args:?} trained another model");
    }
    let Some(full) = full() else { return };
    let args = args("full");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = run(&args, full, Stdio::piped());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: stdout: ") && said.contains("full/model.safetensors"), "{said}");
    assert!(model("full").is_ok_and(|model| model == whole), "another model was trained");
}

/// The files of a benchmark are written, whoever reads its rows.
#[test]
fn a_benchmark_that_is_kept_goes_on_without_a_reader() {
    let folder = directory("streams-bench");
    let [report, page] = ["report.json", "page.html"].map(|name| folder.join(name));
    let args = ["bench", "--quick", "--device", "cpu", "--filter", "matmul_40", "--sizes", "40"];
    let args = [&args[..], &["--time", "0.001", "--save", path(&report)]].concat();
    let args = [&args[..], &["--html", path(&page)]].concat();
    let written = || {
        let is_whole = wgrad::bench::Report::load(path(&report)).is_ok_and(|r| !r.rows.is_empty());
        let is_drawn = std::fs::read_to_string(&page).is_ok_and(|page| page.contains("matmul_40"));
        for file in [&report, &page] {
            let _ = std::fs::remove_file(file);
        }
        [is_whole, is_drawn]
    };
    let output = unread(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(written(), [true; 2]);
    let Some(full) = full() else { return };
    let output = run(&args, full, Stdio::piped());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("error: stdout: "), "{}", stderr(&output));
    assert_eq!(written(), [true; 2]);
}

/// Notes and errors that cannot be written change neither the results nor the exit code.
#[test]
fn nothing_depends_on_stderr() {
    let folder = directory("streams-stderr");
    let [model, image, _] = files(&folder);
    let (kept, none) = (folder.join("kept.safetensors"), folder.join("none.png"));
    let (kept, none) = (path(&kept), path(&none));
    let repro = ["diff", &model, "--devices", "cpu", "--repro", kept, "--step", "1", "--json"];
    for (args, code, lines) in [
        (&["trian"][..], 2, 0),
        (&["predict", &model, none, "--device", "cpu"], 1, 0),
        (&["predict", &model, none, &image, "--device", "cpu", "--top", "1"], 1, 2),
        (&repro, 0, 1),
    ] {
        let (reader, writer) = pipe().expect("there are pipes");
        drop(reader);
        let unread = run(args, Stdio::piped(), writer);
        let full = full().map(|full| run(args, Stdio::piped(), full));
        for output in [Some(unread), full].into_iter().flatten() {
            assert_eq!(output.status.code(), Some(code), "{args:?}");
            let printed = String::from_utf8(output.stdout).expect("it prints text");
            assert_eq!(printed.lines().count(), lines, "{args:?}: {printed}");
        }
    }
}

/// stderr is no terminal here: it gets no codes of one, and neither `--json` nor `--quiet` writes there.
#[test]
fn a_log_has_no_terminal_codes() {
    let out = directory("streams-log");
    let train = ["train", "digits", "--device", "cpu", "--epochs", "1", "--out", path(&out)];
    let verify = ["verify", "--device", "cpu", "--ops", "relu,exp"];
    for command in [&train[..], &verify] {
        for option in [None, Some("--json"), Some("--quiet")] {
            let args: Vec<&str> = command.iter().copied().chain(option).collect();
            let output = wgrad(&args);
            assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{args:?}");
            let printed = String::from_utf8(output.stdout.clone()).expect("it prints text");
            assert!(!printed.contains(['\r', '\u{1b}']), "{printed:?}");
            if option == Some("--json") {
                assert_eq!(objects(&output).len(), printed.lines().count());
            }
        }
    }
}
