//! Names from files, which may hold anything, and counts of one.

use super::{directory, objects, path, stderr, wgrad};
use serde_json::json;
use std::path::Path;
use wgrad::{Variables, io::safetensors};

/// The terminal would print this in red, and what follows on another line.
const NAME: &str = "\u{1b}[31mred\nand\u{9b}1m\u{202e}more";
const SAFE: &str = "\\u{1b}[31mred\\nand\\u{9b}1m\\u{202e}more";

/// A model of digits whose first class has this name.
fn model(folder: &Path) -> String {
    let out = ["train", "digits", "--device", "cpu", "--epochs", "1", "--out", path(folder)];
    assert!(wgrad(&out).status.success());
    let variables = Variables::new(0);
    safetensors::load(&folder.join("model.safetensors"), &variables).expect("it was saved");
    let classes: Vec<&str> = [NAME, "1", "2", "3", "4", "5", "6", "7", "8", "9"].into();
    let note = json!({ "task": "digits", "classes": classes, "input": [1, 8, 8] }).to_string();
    let named = folder.join("named.safetensors");
    safetensors::save_with_note(&named, &variables, "", &note).expect("it can be saved");
    path(&named).to_owned()
}

fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}')
}

#[cfg(unix)]
#[test]
fn names_in_files_do_not_control_the_terminal() {
    let folder = directory("names");
    let model = model(&folder);
    // As the name of a file, of one that is missing, and of a directory of a class.
    let [image, missing] =
        ["image", "missing"].map(|kind| folder.join(format!("{kind}{NAME}.png")));
    crate::drawing::save(&image, [8, 8], |x, _| [x as u8 * 30; 3]);
    let args = ["predict", &model, path(&image), path(&missing), "--device", "cpu", "--top", "10"];
    let output = wgrad(&args);
    let printed = String::from_utf8(output.stdout.clone()).expect("it prints text");
    assert_eq!(printed.lines().count(), 11, "a file and its classes: {printed}");
    assert!(printed.contains(&format!("image{SAFE}.png\n")), "{printed}");
    assert!(printed.contains(&format!("%  {SAFE}\n")), "{printed}");
    assert!(stderr(&output).contains(&format!("missing{SAFE}.png: ")), "{}", stderr(&output));
    assert!(is_plain(&printed) && is_plain(&stderr(&output)));

    // JSON escapes them in its own way, and they come back.
    let output = wgrad(&[&args[..], &["--json"]].concat());
    assert!(is_plain(&String::from_utf8_lossy(&output.stdout)));
    let [predicted, unread] = &objects(&output)[..] else { unreachable!("two images") };
    let top = predicted["top"].as_array().expect("a list");
    assert!(top.iter().any(|class| class["class"] == NAME), "{predicted}");
    assert_eq!(unread["file"], path(&missing));

    // Classes of a folder of images.
    let photos = folder.join("photos");
    for class in [NAME, "other"] {
        std::fs::create_dir_all(photos.join(class)).expect("it can be made");
        for index in 0..4u8 {
            let file = photos.join(class).join(format!("{index}.png"));
            crate::drawing::save(&file, [8, 8], |x, _| [x as u8 * 9 + index; 3]);
        }
    }
    let out = folder.join(format!("out{NAME}"));
    let args = ["train", "images", "--data", path(&photos), "--size", "8", "--epochs", "1"];
    let output = wgrad(&[&args[..], &["--device", "cpu", "--out", path(&out)]].concat());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && is_plain(&printed), "{printed:?}");
    assert!(printed.contains(&format!("    0  {SAFE}\n    1  other\n")), "{printed}");
    assert!(printed.contains(&format!("out{SAFE}/model.safetensors")), "{printed}");
    // And one that has too few.
    std::fs::remove_file(photos.join(NAME).join("0.png")).expect("it is there");
    std::fs::remove_file(photos.join(NAME).join("1.png")).expect("it is there");
    let output = wgrad(&[&args[..], &["--device", "cpu", "--out", path(&out)]].concat());
    let said = stderr(&output);
    assert!(is_plain(&said) && said.contains(SAFE) && said.lines().count() == 1, "{said}");
}

#[test]
fn one_of_a_thing_is_singular() {
    let folder = directory("plural");
    let photos = folder.join("photos");
    for class in ["a", "b"] {
        std::fs::create_dir_all(photos.join(class)).expect("it can be made");
        for index in 0..3u8 {
            let file = photos.join(class).join(format!("{index}.png"));
            crate::drawing::save(&file, [8, 8], |x, _| [x as u8 * 9 + index; 3]);
        }
    }
    let out = folder.join("out");
    let train = ["train", "images", "--data", path(&photos), "--size", "8", "--epochs", "1"];
    let train = [&train[..], &["--device", "cpu", "--out", path(&out)]].concat();
    let verify = ["verify", "--device", "cpu", "--ops", "relu"];
    let bench = ["bench", "--quick", "--device", "cpu", "--filter", "matmul_40", "--sizes", "40"];
    let bench = [&bench[..], &["--time", "0.001"]].concat();
    for (args, said) in [
        (&train[..], &["2 classes\n", "1 epoch,", "on 2 images, 1 step in"][..]),
        (&verify, &["1 operation,"]),
        (&bench, &["The 1 measured row is right."]),
    ] {
        let output = wgrad(args);
        let printed = String::from_utf8_lossy(&output.stdout);
        for said in said {
            assert!(printed.contains(said), "{said}: {printed} {}", stderr(&output));
        }
    }
}
