//! The command line as a process: exit codes, streams, files.

mod names;
mod predictions;
mod streams;
mod trained;

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
        &["plan", "digits", "--device", "gpu"],
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
    assert_eq!(left, ["best.safetensors", "model.safetensors"], "nothing temporary stays");
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

#[test]
fn a_plan_says_what_it_needs() {
    let output = wgrad(&["plan", "digits"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("matmul") && stdout.contains("bytes"), "{stdout}");

    let output = wgrad(&["plan", "digits", "--json", "--batch", "8"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).expect("one object");
    for key in ["dispatches", "steps", "flops", "bytes"] {
        assert!(plan[key].as_f64().is_some_and(|number| number > 0.0), "{key}: {plan}");
    }
    assert_eq!(plan["batch_size"], 8);
    let output = wgrad(&["plan", "lstm_train_small", "--json"]);
    let plan: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&plan["task"], plan["batch_size"].is_null()), (&"lstm_train_small".into(), true));
}

/// The shader of a step is the whole text that a driver gets: naga takes it.
#[test]
fn a_plan_prints_the_shaders_of_a_step() {
    let output = wgrad(&["plan", "digits", "--shader", "0"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(text.starts_with("// step 0, "), "{text}");
    let module = naga::front::wgsl::parse_str(&text).expect("it is a shader");
    assert!(module.entry_points.iter().any(|entry| entry.name == "main"));

    let (code, stderr) = fails(&["plan", "digits", "--shader", "999"]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: step 999 does not exist: the program has "), "{stderr}");
    assert_eq!(fails(&["plan", "digits", "--shader", "0", "--json"]).0, Some(2));
}

/// The plan and the shader that docs/convolution.md quotes are those that are printed.
#[test]
fn the_quoted_plan_is_the_printed_one() {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/convolution.md");
    let chapter = std::fs::read_to_string(chapter).expect("it is a chapter of the book");
    let mut count = 0;
    for (fence, args) in [
        ("```text\n", &["plan", "digits"][..]),
        ("```wgsl\n", &["plan", "digits", "--shader", "1"]),
    ] {
        let output = wgrad(args);
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        for block in chapter.split(fence).skip(1) {
            for line in block.lines().take_while(|line| !line.starts_with("```")) {
                assert!(printed.lines().any(|printed| printed == line), "{line}\n{printed}");
                count += 1;
            }
        }
    }
    assert!(count > 12, "{count} lines");
}

#[test]
fn operations_are_verified() {
    let output = wgrad(&["verify", "--device", "cpu", "--ops", "relu,matmul", "--json"]);
    assert!(output.status.success());
    let lines = objects(&output);
    let [matmul, relu, sum] = lines.as_slice() else { unreachable!("two lines and a sum") };
    assert_eq!([&matmul["op"], &relu["op"]], ["matmul", "relu"]);
    assert!(matmul["second_derivatives"].as_u64().is_some_and(|n| n > 10), "{matmul}");
    let samples = [matmul, relu].map(|line| line["samples"].as_u64().unwrap_or_default());
    assert_eq!(sum["samples"].as_u64(), Some(samples.iter().sum()));
    assert_eq!((&sum["ops"], &sum["failed"]), (&2.into(), &0.into()));

    let list = wgrad(&["verify", "--list"]);
    let names =
        String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(names.len() > 50 && names.contains(&"convolution".to_owned()), "{names:?}");
    let (code, error) = fails(&["verify", "--ops", "relu,telepathy"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("there is no operation \"telepathy\""), "{error}");
}

/// Kernels proved by one process are trusted by the next.
#[test]
fn proofs_are_kept() {
    let folder = directory("proofs");
    let train = || {
        let run = Command::new(env!("CARGO_BIN_EXE_wgrad"))
            .env("WGRAD_CACHE_DIR", folder.join("cache"))
            .args(["train", "digits", "--device", "gpu", "--epochs", "1", "--batch", "500"])
            .args(["--json", "--out"])
            .arg(folder.join("model"))
            .output()
            .expect("it starts");
        objects(&run).pop()
    };
    let Some(cold) = train() else {
        let required = std::env::var("REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "REQUIRE_GPU=1, and nothing was trained");
        return eprintln!("skipped: there is no adapter");
    };
    let warm = train().expect("it ran before");
    let counts = |sum: &Value| {
        ["proved", "known", "unproved"].map(|name| sum["proofs"][name].as_u64().expect("a number"))
    };
    let ([proved, shared, _], [again, known, _]) = (counts(&cold), counts(&warm));
    assert!(proved > 20, "{cold}");
    // Programs of one process share some too.
    assert_eq!([again, known], [0, proved + shared], "{warm}");
    assert_eq!(counts(&cold)[2] + counts(&warm)[2], 0);
    assert_eq!(warm["weights_sha256"], cold["weights_sha256"]);
}

/// A step goes into a file with what it reads, and comes out of it the same.
#[test]
fn a_step_is_kept_and_run_again() {
    let folder = directory("repro");
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (model, kept) = (path("model.safetensors"), path("kept.safetensors"));
    let train = wgrad(&["train", "digits", "--device", "cpu", "--epochs", "1", "--out", &path("")]);
    assert!(train.status.success());
    let diff = ["diff", &model, "--devices", "cpu", "--json", "--repro", &kept];
    let run = wgrad(&diff);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("no step is wrong: nothing was written"), "{said}");
    let run = wgrad(&[&diff[..], &["--step", "5"]].concat());
    assert!(run.status.success(), "{run:?}");
    let said = stderr(&run);
    assert!(said.starts_with("wrote step 5, ") && said.contains(&kept), "{said}");
    assert!(said.contains(" operand") && said.contains(" elements to "), "{said}");
    assert!(said.contains(&format!("wgrad verify --repro {kept}")), "{said}");
    let replay = wgrad(&["verify", "--device", "cpu", "--repro", &kept, "--json"]);
    let sum = objects(&replay).pop().expect("it prints an object");
    assert_eq!((&sum["steps"], &sum["divergence"]), (&Value::from(1), &Value::Null));
    assert_eq!(sum["verdict"], "right");
    assert!(sum["compared"].as_u64() > Some(0), "{sum}");

    let (_, error) = fails(&[&diff[..], &["--step", "5000"]].concat());
    assert!(error.contains("step 5000 does not exist"), "{error}");
    let (_, error) = fails(&["verify", "--repro", &model]);
    assert!(error.contains("model.safetensors"), "{error}");
    // The metadata of a file may claim anything.
    let content = std::fs::read(&kept).expect("it was written");
    for (from, to, why) in [
        ("rows\\\":8", "rows\\\":9", "not the operands of step 5"),
        ("rows\\\":8", "rows\\\":0", "does not say which step"),
        ("step\\\":5", "step\\\":6", "a different one here"),
        ("digits", "digirs", "its description of the model is not valid"),
    ] {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let at = content.windows(from.len()).position(|window| window == from);
        let at = at.unwrap_or_else(|| panic!("{} is in it", String::from_utf8_lossy(from)));
        let mut wrong = content.clone();
        wrong[at..at + from.len()].copy_from_slice(to);
        std::fs::write(&kept, wrong).expect("it was written before");
        let (code, error) = fails(&["verify", "--device", "cpu", "--repro", &kept]);
        assert_eq!(code, Some(1));
        assert!(error.contains(why), "{why}: {error}");
    }
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
