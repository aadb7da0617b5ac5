use super::*;
use crate::data::images::{drawing::save, load, read, read_fitted};

/// A separate directory for each test, initially empty.
fn directory(name: &str) -> PathBuf {
    let name = format!("wgrad-folder-{}-{name}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("it can be made");
    directory
}

/// Two classes of images of one level: 10 and 20, and 30, which is a folder below.
fn two_classes(name: &str) -> PathBuf {
    let directory = directory(name);
    for (file, level) in [("b/deep/er/c.png", 30), ("a/2.png", 20), ("a/1.PNG", 10)] {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        save(&path, [2, 4], |_, _| [level; 3]);
    }
    fs::write(directory.join("a/notes.txt"), "no image").expect("it is written");
    fs::write(directory.join("a/.hidden.png"), "no image").expect("it is written");
    directory
}

/// The level of the first pixel of each image.
fn levels(batch: &Batch) -> Vec<f64> {
    let inputs = batch.get("inputs").expect("there are inputs");
    let per_image = inputs.shape().len() / batch.len();
    let first = inputs.to_f64().into_iter().step_by(per_image);
    first.map(|level| (level * 255.0).round()).collect()
}

#[test]
fn images_are_read_when_they_are_asked_for() -> Result<(), Error> {
    let directory = two_classes("lazy");
    let folder = ImageFolder::open(&directory, [3, 5])?;
    assert_eq!(folder.classes(), ["a", "b"]);
    assert_eq!(folder.targets().map(Array::words), Some(&[0, 0, 1][..]));
    let names = ["a/1.PNG", "a/2.png", "b/deep/er/c.png"].map(|name| directory.join(name));
    assert_eq!(folder.paths(), names);
    let fields = folder.fields();
    let inputs = ("inputs".to_owned(), Meta::new([3, 3, 5], DType::F32));
    assert_eq!(fields, [inputs, ("targets".to_owned(), Meta::new([0; 0], DType::U32))]);
    let batch = folder.get(&[2, 0, 2])?;
    assert_eq!(levels(&batch), [30.0, 10.0, 30.0]);
    assert_eq!(batch.get("targets"), Some(&Array::new([3], &[1u32, 0, 1])?));
    assert_eq!(batch.get("inputs").map(Array::meta), Some(&folder.meta(3)));
    // All at once are the same images.
    let (loaded, classes) = load(&directory, [3, 5])?;
    assert_eq!(Some(loaded.inputs()), folder.get(&[0, 1, 2])?.get("inputs"));
    assert_eq!(Some(loaded.targets()), folder.array("targets"));
    assert_eq!(classes, folder.classes());
    assert_eq!(folder.array("inputs"), None);
    let part = folder.rows(&[2, 1])?;
    assert_eq!(part.get(&[0])?, folder.get(&[2])?);
    assert_eq!(part.targets().map(Array::words), Some(&[1, 0][..]));
    let missing = "row 3 does not exist: the array [3, 3, 3, 5] has 3 rows";
    assert_eq!(folder.get(&[0, 3]).expect_err("there are three").to_string(), missing);
    assert_eq!(folder.rows(&[3]).expect_err("there are three").to_string(), missing);
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn threads_read_one_folder_at_once() -> Result<(), Error> {
    let directory = two_classes("threads");
    let folder = ImageFolder::open(&directory, [2, 2])?;
    let expected = folder.get(&[0, 2])?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| folder.get(&[0, 2]))).collect();
        for thread in threads {
            let batch = thread.join().expect("no panic");
            assert_eq!(batch.expect("they are whole"), expected);
        }
    });
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn images_need_no_classes() -> Result<(), Error> {
    let directory = two_classes("unlabeled");
    let folder = ImageFolder::unlabeled(&directory, [1, 1])?.gray();
    assert_eq!(folder.fields(), [("inputs".to_owned(), Meta::new([1, 1, 1], DType::F32))]);
    let batch = folder.get(&[0, 1, 2])?;
    assert_eq!((levels(&batch), batch.iter().len()), (vec![10.0, 20.0, 30.0], 1));
    assert_eq!((folder.targets(), folder.array("targets")), (None, None));
    assert!(folder.classes().is_empty() && folder.rows(&[1])?.targets().is_none());
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn the_aspect_ratio_is_kept_if_wanted() -> Result<(), Error> {
    let directory = directory("fit");
    // Bright at the left and the right, dark in the center.
    let path = directory.join("wide.png");
    save(&path, [8, 2], |x, _| [if (3..5).contains(&x) { 51 } else { 255 }]);
    let folder = ImageFolder::unlabeled(&directory, [2, 2])?.gray();
    let values = |fit| -> Result<Vec<f32>, Error> {
        let batch = folder.clone().fit(fit).get(&[0])?;
        batch.get("inputs").map_or(Ok(Vec::new()), Array::to_vec)
    };
    let dark = 51.0 / 255.0;
    assert_eq!(values(Fit::Crop)?, [dark; 4]);
    assert!(values(Fit::Stretch)?.iter().all(|&level| dark < level && level < 1.0));
    assert_eq!(read_fitted(&path, [1, 2, 2], Fit::Crop)?.to_vec::<f32>()?, [dark; 4]);
    assert_eq!(read(&path, [1, 2, 2])?.to_vec::<f32>()?, values(Fit::Stretch)?);
    let square = ImageFolder::unlabeled(&directory, [8, 8])?.gray().fit(Fit::Pad);
    let batch = square.get(&[0])?;
    let padded: Vec<f32> = batch.get("inputs").map_or(Ok(Vec::new()), Array::to_vec)?;
    let row = [1.0, 1.0, 1.0, dark, dark, 1.0, 1.0, 1.0];
    assert_eq!(padded, [[0.0; 24].as_slice(), &row, &row, &[0.0; 24]].concat());
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn errors_name_the_file() -> Result<(), Error> {
    let directory = two_classes("errors");
    let folder = ImageFolder::open(&directory, [2, 2])?;
    assert!(folder.check().is_empty());
    let damaged = directory.join("a/2.png");
    fs::write(&damaged, b"GIF89a").expect("it is written");
    let expected = format!("{}: a GIF image that is cut off", damaged.display());
    assert!(folder.get(&[0, 2]).is_ok());
    assert_eq!(folder.get(&[0, 1]).expect_err("it is damaged").to_string(), expected);
    assert_eq!(load(&directory, [2, 2]).expect_err("it is damaged").to_string(), expected);
    let errors: Vec<String> = folder.check().iter().map(Error::to_string).collect();
    assert_eq!(errors, [expected]);
    fs::remove_file(&damaged).expect("it is there");
    let error = folder.get(&[1]).expect_err("it is gone").to_string();
    assert!(error.starts_with(&format!("{}: ", damaged.display())), "{error}");
    for size in [[0, 1], [1, usize::MAX]] {
        let error = ImageFolder::open(&directory, size).expect_err("no image is that").to_string();
        assert!(error.starts_with(&format!("{}: cannot", directory.display())), "{error}");
    }
    let empty = directory.join("empty");
    fs::create_dir(&empty).expect("it can be made");
    let expected =
        format!("{}: expected images (png, jpg, jpeg, gif, webp), found none", empty.display());
    for error in [ImageFolder::open(&directory, [1, 1]), ImageFolder::unlabeled(&empty, [1, 1])] {
        assert_eq!(error.expect_err("there is none").to_string(), expected);
    }
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_above_leads_nowhere() -> Result<(), Error> {
    let directory = two_classes("links");
    let link = |to: &str, from: &str| {
        std::os::unix::fs::symlink(directory.join(to), directory.join(from)).expect("it is made");
    };
    link("b", "b/deep/again");
    link("", "b/deep/all");
    let folder = ImageFolder::open(&directory, [1, 1])?;
    // A linked image belongs to the class that it is linked in, and counts once.
    assert_eq!(folder.targets().map(|targets| targets.words().len()), Some(5));
    link("a", "c");
    assert_eq!(ImageFolder::open(&directory, [1, 1])?.classes(), ["a", "b", "c"]);
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}

#[test]
fn what_is_printed_is_short() -> Result<(), Error> {
    let directory = two_classes("debug");
    let text = format!("{:?}", ImageFolder::open(&directory, [1, 1])?.rows(&[0; 1000])?);
    assert!(text.ends_with("and 996 more], classes: [a, b], shape: [3, 1, 1], fit: Stretch }"));
    fs::remove_dir_all(directory).expect("it can be removed");
    Ok(())
}
