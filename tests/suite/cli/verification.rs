//! `verify` and `diff`, and the proofs and steps that files keep.

use super::{directory, fails, objects, stderr, wgrad};
use serde_json::Value;
use std::process::Command;

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

/// The report in JUnit XML has a case for everything that `--json` counts.
#[test]
fn verification_is_reported_as_junit() {
    let file = directory("junit").join("verify.xml");
    let path = file.to_str().expect("a plain path");
    let args = ["verify", "--device", "cpu", "--ops", "relu,softmax", "--json", "--junit", path];
    let output = wgrad(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = objects(&output);
    let (sum, ops) = lines.split_last().expect("operations and a sum");
    let xml = std::fs::read_to_string(&file).expect("it was written");
    let document = roxmltree::Document::parse(&xml).expect("it is XML");
    let root = document.root_element();
    let number = |node: roxmltree::Node, name: &str| {
        node.attribute(name).and_then(|text| text.parse::<f64>().ok()).expect("a number")
    };
    let cases = |object: &Value| {
        let kinds = ["results", "first_derivatives", "second_derivatives"];
        kinds.map(|kind| object[kind].as_u64().expect("a count")).into_iter().sum::<u64>()
    };
    let suites = root.children().filter(|node| node.has_tag_name("testsuite"));
    let suites: Vec<_> = suites.collect();
    assert_eq!(suites.len(), ops.len());
    for (suite, object) in suites.iter().zip(ops) {
        assert_eq!(suite.attribute("name"), object["op"].as_str());
        let tests = suite.children().filter(|node| node.has_tag_name("testcase"));
        let mut names: Vec<_> = tests.map(|test| test.attribute("name")).collect();
        assert_eq!(names.len() as u64, cases(object));
        assert_eq!(number(*suite, "tests"), cases(object) as f64);
        let seconds = object["seconds"].as_f64().expect("a number");
        let of_cases = number(*suite, "time");
        assert!(of_cases > 0.0 && of_cases <= seconds, "{of_cases} of {seconds}");
        names.sort();
        names.dedup();
        assert_eq!(names.len() as u64, cases(object), "names are unique");
        let properties = suite.descendants().filter(|node| node.has_tag_name("property"));
        let kind = properties.filter(|node| node.attribute("name") == Some("kind"));
        assert_eq!(kind.map(|node| node.attribute("value")).collect::<Vec<_>>(), [Some("cpu")]);
    }
    assert_eq!(number(root, "tests"), ops.iter().map(cases).sum::<u64>() as f64);
    assert_eq!(number(root, "failures"), sum["failed"].as_f64().expect("a number"));
    assert_eq!(number(root, "skipped"), sum["unsupported"].as_f64().expect("a number"));

    // Where it goes is checked before anything runs.
    let below = file.join("verify.xml");
    let (code, error) = fails(&["verify", "--junit", below.to_str().expect("a plain path")]);
    assert_eq!(code, Some(1));
    assert!(error.ends_with("verify.xml: its directory does not exist\n"), "{error}");
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

/// What the library warns of is on stderr, unless it is told to be quiet; results are the same.
#[test]
fn warnings_are_told() {
    let folder = directory("warnings");
    // Nothing is below a file.
    let file = folder.join("file");
    std::fs::write(&file, "").expect("it can be written");
    let verify = |options: &[&str], variable: Option<(&str, &str)>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
        command.env("WGRAD_CACHE_DIR", file.join("cache")).env_remove("RUST_LOG");
        command.envs(variable).args(["verify", "--device", "gpu", "--ops", "relu"]).args(options);
        let run = command.output().expect("it starts");
        (run.status.success(), stderr(&run))
    };
    let (proved, said) = verify(&[], None);
    if !proved && said.contains("graphics adapter") {
        return eprintln!("skipped: there is no adapter");
    }
    let warning = "warning: no earlier proofs are read: ";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    assert!(said.lines().all(|line| line.starts_with("warning: ") || line.starts_with("note: ")));
    let (_, said) = verify(&["--quiet"], None);
    assert_eq!(said, "");
    let (_, said) = verify(&[], Some(("WGRAD_LOG", "error")));
    assert!(!said.contains("warning: "), "{said}");
    let (_, said) = verify(&["-vv"], Some(("WGRAD_LOG", "off")));
    assert!(said.contains(warning) && said.contains("debug: compiled a program of "), "{said}");
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

    // Where the file goes is checked before the work for it.
    for (place, why) in [
        (path("none/kept.safetensors"), "its directory does not exist"),
        (path(""), "it is a directory"),
    ] {
        let (code, error) = fails(&["diff", &model, "--devices", "cpu", "--repro", &place]);
        assert_eq!((code, error), (Some(1), format!("error: {place}: {why}\n")));
    }
    let (_, error) = fails(&[&diff[..], &["--step", "5000"]].concat());
    assert!(error.contains("step 5000 does not exist"), "{error}");
    let (_, error) = fails(&["verify", "--repro", &model]);
    assert!(error.contains("model.safetensors"), "{error}");
    // The metadata of a file may claim anything.
    let content = std::fs::read(&kept).expect("it was written");
    for (from, to, why) in [
        ("rows\\\":8", "rows\\\":9", "step 5, matmul + broadcast + add + relu, takes operands ["),
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
