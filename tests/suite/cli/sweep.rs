//! `wgrad sweep` and `wgrad tune`.

use super::{directory, fails, objects, path, stderr, wgrad};
use std::{fs, process::Command};

const SHAPES: &str =
    "# a product, and rows\nmatmul 33x20x40 nt\n\nsoftmax 5x7 # forward and back\n";

/// Whether the error is that there is no GPU at all.
fn has_no_gpu(said: &str) -> bool {
    let none = said.contains("graphics adapter");
    if none {
        eprintln!("skipped: there is no adapter");
    }
    none
}

#[test]
fn a_sweep_times_every_variant() {
    let file = directory("sweep").join("shapes.txt");
    fs::write(&file, SHAPES).expect("it can be written");
    let output = wgrad(&["sweep", "--device", "gpu", "--shapes", path(&file), "--json"]);
    let said = stderr(&output);
    if has_no_gpu(&said) {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines = objects(&output);
    let steps = |problem: &str| -> Vec<&serde_json::Value> {
        lines.iter().filter(|line| line["problem"] == problem).collect()
    };
    assert!(steps("matmul 33x20x40 nt").len() > 1, "a product has several variants: {lines:?}");
    assert!(steps("softmax 5x7").len() > 1, "a softmax and its derivative: {lines:?}");
    let mut last = 0;
    for line in &lines {
        // In order, so that competitors are neighbors.
        let number = line["variant"].as_u64().expect("a number");
        assert!(number == 0 || number == last + 1, "{lines:?}");
        last = number;
        assert!(number < line["variants"].as_u64().expect("a number"), "{line}");
        assert!(["trusted", "checked"].contains(&line["verdict"].as_str().unwrap_or("")), "{line}");
        let [min, median] = ["min", "median"].map(|key| line[key].as_f64().unwrap_or(-1.0));
        assert!(0.0 < min && min <= median && median < 10.0, "{line}");
        assert!(line["runs"].as_u64() > Some(0) && line["workgroups"].as_u64() > Some(0), "{line}");
    }
}

/// Choices are kept in the cache folder, and a table shows the fastest variant first.
#[test]
fn tuning_is_kept() {
    let folder = directory("tune");
    let file = folder.join("shapes.txt");
    fs::write(&file, "matmul 33x20x40 nt").expect("it can be written");
    let run = Command::new(env!("CARGO_BIN_EXE_wgrad"))
        .env("WGRAD_CACHE_DIR", folder.join("cache"))
        .args(["tune", "--device", "gpu", "--shapes", path(&file)])
        .output()
        .expect("it starts");
    let said = stderr(&run);
    if has_no_gpu(&said) {
        return;
    }
    assert!(run.status.success(), "{said}");
    let stdout = String::from_utf8_lossy(&run.stdout);
    // How many times the fastest variant's time each took; several may tie.
    let ratios: Vec<f64> = stdout
        .lines()
        .filter(|line| line.trim_start().starts_with("matmul BM"))
        .map(|line| {
            let last = line.split_whitespace().last().and_then(|word| word.strip_suffix('x'));
            last.and_then(|ratio| ratio.parse().ok()).unwrap_or_else(|| panic!("{line}"))
        })
        .collect();
    assert!(ratios.len() > 1 && ratios[0] == 1.0 && ratios.is_sorted(), "{stdout}");
    let kept = stdout.lines().last().and_then(|line| line.strip_prefix("kept in "));
    let text = fs::read_to_string(kept.expect(&stdout)).expect("it was written");
    let [line] = &text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(line.ends_with(" matmul 33x20x40 nt: matmul"), "{line}");

    let run = Command::new(env!("CARGO_BIN_EXE_wgrad"))
        .env("WGRAD_CACHE_DIR", "")
        .args(["tune", "--device", "gpu", "--shapes", path(&file)])
        .output()
        .expect("it starts");
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("set WGRAD_CACHE_DIR"), "{}", stderr(&run));
}

#[test]
fn shapes_are_listed_as_they_are_read() {
    let listed = wgrad(&["sweep", "--list"]);
    assert_eq!(listed.status.code(), Some(0));
    let file = directory("sweep-list").join("shapes.txt");
    fs::write(&file, &listed.stdout).expect("it can be written");
    let again = wgrad(&["sweep", "--list", "--shapes", path(&file)]);
    assert_eq!(again.stdout, listed.stdout);
    let some = wgrad(&["sweep", "--list", "--families", "sum"]);
    let some = String::from_utf8_lossy(&some.stdout).into_owned();
    assert!(some.contains("\nsum 4096x4096 rows\n") && !some.contains("\nmatmul"), "{some}");
}

#[test]
fn what_is_no_shape_is_an_error_with_its_line() {
    let file = directory("sweep-bad").join("shapes.txt");
    let refused = |text: &str| {
        fs::write(&file, text).expect("it can be written");
        fails(&["sweep", "--list", "--shapes", path(&file)])
    };
    let (code, said) = refused("sum 3x4 rows\nmatmul 3x4\n");
    assert_eq!(code, Some(1));
    assert!(said.contains("shapes.txt:2: \"matmul 3x4\" is no problem: "), "{said}");
    assert!(refused("# nothing\n").1.contains("has no shapes"));
    assert!(fails(&["sweep", "--families", "matmull"]).1.contains("there is no family"));
    assert!(fails(&["sweep", "--shapes", "/no/such/file"]).1.contains("/no/such/file"));
    let (code, said) = fails(&["sweep", "--device", "cpu", "--families", "sum"]);
    assert!(code == Some(1) && said.contains("choose a GPU"), "{said}");
}
