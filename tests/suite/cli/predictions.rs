//! Models that cannot predict, images that cannot be read, and the verdict of a comparison.

use super::{directory, fails, objects, path, stderr, wgrad};
use std::path::{Path, PathBuf};
use wgrad::{Array, Variables, io::safetensors};

/// A model of one epoch, and an image.
fn files(folder: &Path) -> [PathBuf; 2] {
    let out = ["train", "digits", "--device", "cpu", "--epochs", "1", "--out", path(folder)];
    assert!(wgrad(&out).status.success());
    let image = folder.join("image.png");
    crate::drawing::save(&image, [8, 8], |x, _| [x as u8 * 30; 3]);
    [folder.join("model.safetensors"), image]
}

/// The model with other weights, under this name.
fn changed(model: &Path, name: &str, change: impl Fn(&mut [f32])) -> PathBuf {
    let (arrays, note) = safetensors::read_with_note(model).expect("it was saved");
    let variables = Variables::new(0);
    for (path, array) in arrays {
        let mut values = array.to_vec::<f32>().expect("they are f32");
        change(&mut values);
        let array = Array::new(array.shape().clone(), &values).expect("it has the same shape");
        variables.insert(&path, array).expect("it is new");
    }
    let (file, note) = (model.with_file_name(name), note.expect("it has a note"));
    safetensors::save_with_note(&file, &variables, "", &note).expect("it can be saved");
    file
}

#[test]
fn weights_that_are_not_finite_predict_nothing() {
    let [model, image] = files(&directory("nan"));
    let predict = |file: &Path| fails(&["predict", path(file), path(&image), "--device", "cpu"]);
    for weight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let file = changed(&model, "wrong.safetensors", |values| values[3] = weight);
        let (code, said) = predict(&file);
        assert_eq!(code, Some(1));
        assert!(said.contains(path(&file)) && said.contains(&format!(" is {weight}\n")), "{said}");
    }
    // Weights that are finite, with results that are not.
    let large = |values: &mut [f32]| values.iter_mut().for_each(|value| *value *= 1e30);
    let (code, said) = predict(&changed(&model, "large.safetensors", large));
    assert!(code == Some(1) && said.contains("probabilities are not finite"), "{said}");
}

/// Missing, unexpected and mismatched weights are named by every command that reads a model.
#[test]
fn weights_of_another_model_are_named() {
    let [model, image] = files(&directory("other"));
    let (arrays, note) = safetensors::read_with_note(&model).expect("it was saved");
    let note = note.expect("it has a note");
    let saved = |name: &str, change: &dyn Fn(&Variables)| {
        let file = model.with_file_name(name);
        let variables = Variables::new(0);
        let kept = arrays.iter().filter(|(path, _)| path != "net/8:dense/bias").cloned();
        variables.insert_all(kept).expect("they are new");
        change(&variables);
        safetensors::save_with_note(&file, &variables, "", &note).expect("it can be saved");
        file
    };
    let zeros = |variables: &Variables, path: &str, len: usize| {
        let array = Array::new([len], &vec![0f32; len]).expect("it is a vector");
        variables.insert(path, array).expect("it is new");
    };
    let missing = saved("missing.safetensors", &|_| {});
    let other = saved("mismatched.safetensors", &|all| {
        zeros(all, "net/8:dense/bias", 3);
        zeros(all, "net/99:dense/bias", 1);
    });
    for (file, text) in [
        (&missing, "missing: 8.bias [64] f32 for net/8:dense/bias"),
        (
            &other,
            "unexpected: net/99:dense/bias [1] f32; mismatched: net/8:dense/bias is [3] f32, not [64] f32",
        ),
    ] {
        let expected = format!("error: {} does not fit: {text}\n", path(file));
        let predict = ["predict", path(file), path(&image), "--device", "cpu"];
        let diff = ["diff", path(file), "--devices", "cpu"];
        for args in [&predict[..], &diff] {
            assert_eq!(fails(args), (Some(1), expected.clone()));
        }
    }
    // An optimizer's variables are no part of the model.
    let more = saved("more.safetensors", &|all| {
        zeros(all, "net/8:dense/bias", 64);
        zeros(all, "optim/step", 1);
    });
    assert!(wgrad(&["predict", path(&more), path(&image), "--device", "cpu"]).status.success());
}

#[test]
fn an_image_that_cannot_be_read_does_not_stop_the_others() {
    let folder = directory("bad-image");
    let [model, good] = files(&folder);
    let (missing, broken) = (folder.join("missing.png"), folder.join("broken.png"));
    std::fs::write(&broken, "no image").expect("it can be written");
    let images = [&missing, &good, &broken, &good].map(|file| path(file));
    let args =
        [&["predict", path(&model)], &images[..], &["--device", "cpu", "--top", "1"]].concat();
    let output = wgrad(&args);
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(printed.matches("image.png\n").count(), 2, "{printed}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].contains("missing.png") && lines[1].contains("broken.png"), "{said}");
    assert_eq!(lines[2], "error: 2 of 4 images could not be read");

    let output = wgrad(&[&args[..], &["--json"]].concat());
    let lines = objects(&output);
    let has_error: Vec<bool> = lines.iter().map(|line| line["error"].is_string()).collect();
    assert_eq!((output.status.code(), has_error), (Some(1), vec![true, false, true, false]));
}

#[test]
fn a_comparison_ends_in_a_verdict() {
    let [model, _] = files(&directory("verdict"));
    for (devices, verdict) in [
        ("cpu", "RIGHT: every result is within its bound.\n"),
        ("cpu,cpu", "RIGHT: every result is within its bound on all devices.\n"),
    ] {
        let output = wgrad(&["diff", path(&model), "--devices", devices]);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.ends_with(verdict), "{printed}");
    }
    // NaN comes from the model, and the devices are right about it.
    let nan = changed(&model, "nan.safetensors", |values| values[3] = f32::NAN);
    let output = wgrad(&["diff", path(&nan), "--devices", "cpu"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("\nRIGHT: "), "{printed}");
}
