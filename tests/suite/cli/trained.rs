//! The models that training leaves on disk: the best one, also of a run that is killed.

use super::{directory, fails, objects, path, stderr, wgrad};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// The best model is that of the epoch with the highest accuracy, and is marked.
#[test]
fn the_best_epoch_is_kept() {
    let folder = directory("best");
    let train = |epochs: u64, out: &str| {
        let (epochs, out) = (epochs.to_string(), folder.join(out));
        let args = ["train", "digits", "--device", "cpu", "--json"];
        let rest = ["--epochs", &epochs, "--out", path(&out)];
        let output = wgrad(&[&args[..], &rest].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        objects(&output)
    };
    let lines = train(3, "all");
    let (result, epochs) = lines.split_last().expect("there are lines");
    let mut best: Option<&Value> = None;
    for epoch in epochs {
        let key = |epoch: &Value| {
            ["test_accuracy", "test_loss"].map(|key| epoch[key].as_f64().expect("a number"))
        };
        let is_best = best.is_none_or(|best| {
            let ([now, loss], [before, loss_before]) = (key(epoch), key(best));
            now > before || (now == before && loss < loss_before)
        });
        assert_eq!(epoch["best"], is_best, "{epoch}");
        best = if is_best { Some(epoch) } else { best };
    }
    let best = best.expect("there is one")["epoch"].as_u64().expect("a number");
    assert_eq!(result["best_epoch"], best);
    // A run that ends there has the same model at its end.
    train(best, "some");
    let read = |file: &str| std::fs::read(folder.join(file)).expect("it was saved");
    assert_eq!(read("all/best.safetensors"), read("some/model.safetensors"));
    // It is epoch 2 on most machines.
    assert_eq!(read("all/best.safetensors") == read("all/model.safetensors"), best == 3);
    assert_eq!(result["best_model"], path(&folder.join("all/best.safetensors")));
}

/// What is told is kept: killing the run then loses nothing of it.
#[test]
fn a_killed_run_leaves_its_best_model() {
    let folder = directory("killed");
    let out = folder.join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    let args = ["train", "digits", "--device", "cpu", "--epochs", "100000", "--json", "--out"];
    let mut child = command.args(args).arg(&out).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("it prints");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let epoch: Value = serde_json::from_str(&line).expect("an object");
    assert_eq!((&epoch["epoch"], &epoch["best"]), (&1.into(), &true.into()));
    let image = folder.join("image.png");
    crate::drawing::save(&image, [8, 8], |x, _| [x as u8 * 30; 3]);
    let model = out.join("best.safetensors");
    let predicted = wgrad(&["predict", path(&model), path(&image), "--device", "cpu", "--json"]);
    assert!(predicted.status.success(), "{}", stderr(&predicted));
    assert!(!out.join("model.safetensors").exists(), "it did not end");
}

/// A run of two epochs that goes on to the third is one of three: in its weights, and in what it knows
/// of its best epoch.
#[test]
fn a_resumed_run_ends_as_one_that_was_not_interrupted() {
    let folder = directory("resumed");
    let train = |epochs: &str, out: &str, more: &[&str]| {
        let out = folder.join(out);
        let args = ["train", "digits", "--device", "cpu", "--json", "--epochs", epochs];
        let output = wgrad(&[&args[..], &["--out", path(&out)], more].concat());
        (output.status.code(), objects(&output), stderr(&output))
    };
    let (_, whole, _) = train("3", "whole", &[]);
    train("2", "part", &[]);
    let refused = |epochs: &str, out: &str, more: &[&str], why: &str| {
        let (code, _, said) = train(epochs, out, more);
        assert!(code == Some(1) && said.contains(why), "{said}");
    };
    refused("3", "nowhere", &["--resume"], "checkpoint.safetensors: ");
    refused("1", "part", &["--resume"], "is after epoch 2: ask for more --epochs");
    // As after a kill behind the last checkpoint: what is missing is made again.
    let model = folder.join("part/model.safetensors");
    let saved = std::fs::read(&model).expect("it was saved");
    std::fs::remove_file(&model).expect("it is there");
    let (code, ended, said) = train("2", "part", &["--resume"]);
    assert_eq!((code, ended.len(), &ended[0]["epochs"]), (Some(0), 1, &2.into()), "{said}");
    assert_eq!(std::fs::read(&model).expect("it is saved again"), saved);
    refused("3", "part", &["--resume", "--seed", "1"], "is of another seed: 0, not 1");
    let (code, resumed, said) = train("3", "part", &["--resume"]);
    assert_eq!(code, Some(0), "{said}");
    let numbers: Vec<&Value> = resumed.iter().map(|line| &line["epoch"]).collect();
    assert_eq!(numbers, [&Value::from(3), &Value::Null]);
    let ([.., last, end], [.., last_whole, end_whole]) = (&resumed[..], &whole[..]) else {
        unreachable!("each has an epoch and an end")
    };
    for key in ["train_loss", "test_loss", "test_accuracy", "best"] {
        assert_eq!(last[key], last_whole[key], "{key}");
    }
    for key in ["weights_sha256", "epochs", "best_epoch", "confusion_matrix"] {
        assert_eq!(end[key], end_whole[key], "{key}");
    }
    for file in ["best", "model", "checkpoint"] {
        let read = |run: &str| {
            let file = folder.join(run).join(file).with_extension("safetensors");
            std::fs::read(file).expect("it was saved")
        };
        assert_eq!(read("part"), read("whole"), "{file}");
    }
    // What is no checkpoint is none.
    std::fs::copy(folder.join("part/best.safetensors"), folder.join("part/checkpoint.safetensors"))
        .expect("it is there");
    refused("4", "part", &["--resume"], "is no checkpoint of a training run");
}

/// A run that diverges says so, and where its best model is.
#[test]
fn divergence_is_told_and_the_best_model_stays() {
    let out = directory("diverged");
    let args = ["train", "digits", "--device", "cpu", "--epochs", "3", "--out", path(&out)];
    let (code, said) = {
        let output = wgrad(&[&args[..], &["--lr", "1e30", "--quiet"]].concat());
        (output.status.code(), stderr(&output))
    };
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("error: the loss diverged in epoch 1"), "{said}");
    assert!(!said.contains("best.safetensors"), "no epoch was good: {said}");
    assert!(!out.join("model.safetensors").exists() && !out.join("best.safetensors").exists());
}

/// Files that cannot be written are told before anything is read or computed for them.
#[test]
fn places_are_checked_first() {
    let folder = directory("places");
    let (file, nowhere) = (folder.join("file"), folder.join("no/such"));
    std::fs::write(&file, "").expect("it can be written");
    let train = ["train", "digits", "--device", "cpu", "--out", path(&file)];
    let (code, said) = fails(&train);
    assert!(code == Some(1) && said.contains("places/file"), "{said}");
    // The model does not exist either: the place is looked at first.
    let none = folder.join("none.safetensors");
    let at = |place: &'static str| folder.join(place).to_str().expect("it is text").to_owned();
    for place in [path(&nowhere), path(&folder), &at("file/below")] {
        let (code, said) = fails(&["diff", path(&none), "--repro", place]);
        assert!(code == Some(1) && said.contains(place), "{said}");
        let bench = ["bench", "--device", "cpu", "--filter", "matmul_40", "--sizes", "40"];
        for option in ["--html", "--save"] {
            if (option, place) == ("--save", path(&nowhere)) {
                continue; // Its directory is made.
            }
            let (code, said) = fails(&[&bench[..], &[option, place]].concat());
            assert!(code == Some(1) && said.contains("places"), "{option} {place}: {said}");
        }
    }
}
