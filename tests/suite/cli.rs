//! The command line as a process: exit codes, streams, files.

mod devices;
#[cfg(unix)]
mod killed;
mod names;
mod plans;
mod predictions;
mod streams;
mod sweep;
mod trained;
mod verification;

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use wgrad::{Variables, io::safetensors};

fn wgrad(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wgrad")).args(args).output().expect("the program starts")
}

/// A directory of its own for each test, empty at the start.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

/// One epoch on the CPU, and the last line it prints.
fn train(out: &Path, seed: &str) -> Value {
    let out = out.to_str().expect("the path is text");
    let output = wgrad(&[
        "train", "digits", "--device", "cpu", "--epochs", "1", "--seed", seed, "--json", "--out",
        out,
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("it prints text");
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is an object"))
        .collect();
    assert_eq!(lines.len(), 2, "an epoch and the result: {stdout}");
    lines[1].clone()
}

/// A text that is a path.
fn path(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a run with `--json`.
fn objects(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("every line is an object")).collect()
}

/// Exit code and stderr of a run that must print nothing else.
fn fails(args: &[&str]) -> (Option<i32>, String) {
    let output = wgrad(args);
    assert!(output.stdout.is_empty(), "{args:?} prints on stdout");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// In a container, say, where drivers look for Wayland and complain.
#[test]
fn without_a_session_nothing_is_printed_about_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    let output = command.arg("devices").env_remove("XDG_RUNTIME_DIR").output();
    let output = output.expect("the program starts");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [
        &["trian"][..],
        &[],
        &["train"],
        &["train", "letters"],
        &["train", "digits", "--batch", "0"],
        &["train", "digits", "--epochs", "0"],
        &["train", "digits", "--lr", "-1"],
        &["train", "digits", "--lr", "nan"],
        &["train", "digits", "--device", "tpu"],
        &["train", "digits", "--device", "gpu:"],
        &["devices", "everything"],
        &["plan", "digits", "--device", "tpu"],
        &["plan", "matmul_1024", "--precision", "exact"],
        &["bench", "--precision", "half"],
    ] {
        let (code, stderr) = fails(args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
    }
}

#[test]
fn help_has_examples() {
    for command in
        [&["--help"][..], &["train", "--help"], &["devices", "--help"], &["plan", "--help"]]
    {
        let output = wgrad(command);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:"), "{command:?}");
    }
}

#[test]
fn a_failure_is_one_line_and_exit_code_1() {
    let file = directory("failure").join("file");
    std::fs::write(&file, "").expect("the file can be made");
    // No directory can be made below a file.
    let below = file.join("out");
    let below = below.to_str().expect("the path is text");
    let out = directory("failure-out");
    let out = out.to_str().expect("the path is text");
    for args in [
        &["train", "digits", "--device", "cpu", "--out", below][..],
        &["train", "digits", "--device", "cpu", "--out", file.to_str().expect("the path is text")],
        &["train", "digits", "--device", "gpu:no such adapter", "--out", out],
    ] {
        let (code, stderr) = fails(args);
        assert_eq!(code, Some(1), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn a_seed_decides_the_weights_and_they_are_saved() {
    let out = directory("train");
    let [first, again, other] =
        [("a", "7"), ("b", "7"), ("c", "8")].map(|(name, seed)| train(&out.join(name), seed));
    for key in [
        "test_accuracy",
        "train_loss",
        "seconds",
        "device",
        "device_type",
        "weights_sha256",
        "confusion_matrix",
        "model",
        "best_model",
    ] {
        assert!(!first[key].is_null(), "{key} is missing: {first}");
    }
    assert_eq!(first["device_type"], "cpu");
    // Ten classes guessed at random would give 0.1.
    assert!(first["test_accuracy"].as_f64().is_some_and(|x| x > 0.5), "{first}");
    assert_eq!(first["weights_sha256"], again["weights_sha256"]);
    assert_ne!(first["weights_sha256"], other["weights_sha256"]);

    let files = ["a", "b"].map(|name| out.join(name).join("model.safetensors"));
    assert_eq!(first["model"].as_str().map(Path::new), Some(files[0].as_path()));
    let [bytes, bytes_again] = files.each_ref().map(|file| std::fs::read(file).expect("saved"));
    assert_eq!(bytes, bytes_again);
    let variables = Variables::new(0);
    safetensors::load(&files[0], &variables).expect("it loads");
    // Two convolutions of 3x3, then 512 to 64 to 10.
    let (convolutions, dense) = (9 * 16 + 16 + 9 * 16 * 32 + 32, 512 * 64 + 64 + 64 * 10 + 10);
    assert_eq!(variables.count("net/"), convolutions + dense);
    assert!(variables.paths().iter().all(|path| path.starts_with("net/")));
    let left = std::fs::read_dir(out.join("a")).expect("a directory");
    let mut left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    let files = ["best.safetensors", "checkpoint.safetensors", "model.safetensors"];
    assert_eq!(left, files, "nothing temporary stays");
}

#[test]
fn devices_are_listed() {
    let output = wgrad(&["devices", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let stdout = String::from_utf8(output.stdout).expect("it prints text");
    let devices: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is an object"))
        .collect();
    let cpus = devices.iter().filter(|device| device["device_type"] == "cpu").count();
    assert_eq!(cpus, 1, "{stdout}");
    let best = devices.iter().filter(|device| device["best"] == true).count();
    assert_eq!(best, 1, "{stdout}");
}

/// For any arguments: an exit code of ours, one line that says what is wrong, and no panic.
#[test]
fn no_command_line_panics() {
    const WORDS: [&str; 46] = [
        "train",
        "predict",
        "plan",
        "verify",
        "diff",
        "devices",
        "digits",
        "fashion-mnist",
        "images",
        "--device",
        "cpu",
        "gpu:no such adapter",
        "gpu:",
        "reference",
        "--devices",
        "cpu,gpu:nothing",
        "--epochs",
        "0",
        "1",
        "-1",
        "--batch",
        "4294967296",
        "99999999999999999999",
        "--lr",
        "NaN",
        "inf",
        "1e-400",
        "--seed",
        "--out",
        "/proc/nothing",
        "/dev/null",
        "",
        "ü\u{1F980}",
        "--data",
        "/",
        "/no/such/folder",
        "Cargo.toml",
        "src",
        "--json",
        "--list",
        "--ops",
        "relu,,",
        "--dtype",
        "f64",
        "--verify",
        "--help",
    ];
    let mut noise = wgrad::testing::Noise::new(11);
    let mut below = |n: usize| (noise.unit() * n as f64) as usize;
    for _ in 0..60 {
        let subcommand = WORDS[below(6)];
        let rest: Vec<&str> = (0..below(5)).map(|_| WORDS[below(WORDS.len())]).collect();
        let mut args = [&[subcommand], rest.as_slice()].concat();
        // Nothing that would train or verify for long.
        match subcommand {
            "train" | "plan" => args.extend(["--batch", "none"]),
            "verify" => args.extend(["--ops", "no such operation"]),
            _ => {}
        }
        let output = wgrad(&args);
        let error = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(0..=2)), "{args:?} ends with {code:?}: {error}");
        assert!(!error.contains("panicked"), "{args:?}: {error}");
        assert!(
            code == Some(0) || error.starts_with("error: ") || error.contains("\nerror: "),
            "{args:?}: {error}"
        );
    }
}
