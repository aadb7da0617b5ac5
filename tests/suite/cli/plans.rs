//! `plan`: what it prints, and what the book quotes of it.

use super::{fails, wgrad};
use serde_json::Value;
use std::path::Path;

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

/// Activations in f16 take half the memory on a device that stores them so.
#[test]
fn a_plan_in_halves_takes_less_memory() {
    let bytes = |more: &[&str]| {
        let args = [&["plan", "fashion-mnist", "--batch-size", "256", "--json"], more].concat();
        let output = wgrad(&args);
        let plan: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        plan.and_then(|plan| plan["bytes"].as_f64()).ok_or(super::stderr(&output))
    };
    let full = bytes(&[]).expect("the CPU has a plan");
    assert!(bytes(&["--precision", "mixed"]).expect("the CPU computes in halves") >= 0.9 * full);
    match (bytes(&["--device", "gpu"]), bytes(&["--device", "gpu", "--precision", "mixed"])) {
        (Ok(full), Ok(mixed)) => assert!(mixed < 0.7 * full, "{mixed} bytes, not {full}"),
        (_, Err(error)) => {
            let is_missing = error.contains("f16") || error.contains("adapter");
            assert!(is_missing && std::env::var_os("REQUIRE_GPU").is_none(), "{error}");
        }
        (Err(error), Ok(_)) => unreachable!("only in f32: {error}"),
    }
    let (code, stderr) = fails(&["plan", "matmul_1024", "--precision", "mixed"]);
    assert_eq!((code, stderr.contains("mixed is for a task")), (Some(1), true), "{stderr}");
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
