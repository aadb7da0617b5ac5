//! The available tasks, and their networks.

use clap::ValueEnum;
use serde_json::{Value, json};
use wgrad::{
    data::digits,
    nn::{Activation, Conv2d, Dense, Dropout, Flatten, MaxPool2d, Sequential, Unflatten},
};

/// A task to train a network on.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Task {
    /// 1,797 handwritten digits of 8x8 pixels (UCI), built into the program.
    Digits,
    /// 70,000 images of clothing of 28x28 pixels, in IDX files.
    FashionMnist,
    /// 70,000 handwritten digits of 28x28 pixels, in IDX files.
    Mnist,
    /// A directory of images with one subdirectory per class, given by --data.
    Images,
}

/// Default training settings of a task.
pub struct Defaults {
    pub epochs: u32,
    pub batch: u32,
    pub lr: f64,
}

impl Task {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Task::Digits => "digits",
            Task::FashionMnist => "fashion-mnist",
            Task::Mnist => "mnist",
            Task::Images => "images",
        }
    }

    pub fn defaults(self) -> Defaults {
        match self {
            Task::Digits => Defaults { epochs: 20, batch: 32, lr: 2e-3 },
            Task::FashionMnist => Defaults { epochs: 6, batch: 64, lr: 1e-3 },
            Task::Mnist => Defaults { epochs: 3, batch: 64, lr: 1e-3 },
            Task::Images => Defaults { epochs: 20, batch: 32, lr: 1e-3 },
        }
    }
}

/// Input shape and classes of a model. Stored in the file with the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub task: Task,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
    /// Channels, rows and columns of an image.
    pub input: [usize; 3],
}

impl Description {
    /// The published classes of a task and the size of its images; for a directory of images a
    /// placeholder of ten classes of 64x64 pixels.
    pub fn of(task: Task) -> Self {
        const CLOTHES: [&str; digits::CLASSES] = [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ];
        let classes = match task {
            Task::FashionMnist => CLOTHES.map(str::to_owned).to_vec(),
            _ => (0..digits::CLASSES).map(|digit| digit.to_string()).collect(),
        };
        let input = match task {
            Task::Digits => [1, 8, 8],
            Task::FashionMnist | Task::Mnist => [1, 28, 28],
            Task::Images => [3, 64, 64],
        };
        Description { task, classes, input }
    }

    /// The shape of this many images, as expected by the network.
    pub fn shape(&self, count: usize) -> Vec<usize> {
        match self.task {
            Task::Digits => vec![count, self.input.iter().product()],
            _ => [&[count], &self.input[..]].concat(),
        }
    }

    /// Convolutions and poolings, followed by two dense layers.
    pub fn model(&self) -> Sequential {
        let classes = self.classes.len();
        match self.task {
            Task::Digits => Sequential::new()
                .add(Unflatten::new(self.input))
                .add(Conv2d::new(16, 3).same())
                .add(Activation::relu())
                .add(Conv2d::new(32, 3).same())
                .add(Activation::relu())
                .add(MaxPool2d::new(2))
                .add(Flatten::new())
                .add(Dropout::new(0.3))
                .add(Dense::new(64))
                .add(Activation::relu())
                .add(Dense::new(classes)),
            Task::FashionMnist | Task::Mnist => classifier(&[16, 32], classes),
            Task::Images => classifier(&[16, 32, 64], classes),
        }
    }

    /// Serializes to one line of JSON; the same description yields the same line.
    pub fn to_json(&self) -> String {
        let Description { task, classes, input } = self;
        json!({ "task": task.name(), "classes": classes, "input": input }).to_string()
    }

    /// Parses the output of [`to_json`](Self::to_json), validating it as untrusted input.
    pub fn from_json(text: &str) -> Result<Self, String> {
        /// Maximum number of classes in a file.
        const CLASSES: usize = 100_000;
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let task = value["task"].as_str().ok_or("no task")?;
        let task =
            Task::from_str(task, false).map_err(|_| format!("no task is called {task:?}"))?;
        let classes = value["classes"].as_array().ok_or("no classes")?;
        let classes: Option<Vec<String>> =
            classes.iter().map(|class| class.as_str().map(str::to_owned)).collect();
        let classes = classes.ok_or("the name of a class is no text")?;
        if classes.is_empty() || classes.len() > CLASSES {
            return Err(format!("{} classes, not 1 to {CLASSES}", classes.len()));
        }
        let input = value["input"].as_array().ok_or("no size of its input")?;
        let input: Option<Vec<usize>> = input
            .iter()
            .map(|extent| extent.as_u64().and_then(|extent| usize::try_from(extent).ok()))
            .collect();
        let expected = Description::of(task).input;
        match input.as_deref() {
            Some(&[channels, rows, columns])
                if channels == expected[0]
                    && (task != Task::Digits || [rows, columns] == expected[1..])
                    && [rows, columns].iter().all(|side| SIDES.contains(side)) =>
            {
                Ok(Description { task, classes, input: [channels, rows, columns] })
            }
            _ => Err(format!("the size of its input is {}", value["input"])),
        }
    }
}

/// Valid side lengths of an image in pixels: three poolings leave at least one.
pub const SIDES: std::ops::RangeInclusive<usize> = 8..=256;

/// A convolution and a pooling for each number of channels, followed by two dense layers.
fn classifier(channels: &[usize], classes: usize) -> Sequential {
    let convolved = channels.iter().fold(Sequential::new(), |net, &channels| {
        net.add(Conv2d::new(channels, 3).same()).add(Activation::relu()).add(MaxPool2d::new(2))
    });
    convolved
        .add(Flatten::new())
        .add(Dropout::new(0.25))
        .add(Dense::new(128))
        .add(Activation::relu())
        .add(Dense::new(classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_survives() {
        for task in Task::value_variants() {
            let description = Description::of(*task);
            assert_eq!(Description::from_json(&description.to_json()), Ok(description));
            assert_eq!(Task::from_str(task.name(), false), Ok(*task));
        }
    }

    #[test]
    fn a_wrong_description_is_an_error() {
        let good = Description::of(Task::Images).to_json();
        for (from, to) in [
            ("images", "letters"),
            ("images", "mnist"),
            ("images", "digits"),
            ("[3,64,64]", "[3,64]"),
            ("[3,64,64]", "[3,64,7]"),
            ("[3,64,64]", "[3,64,1000000]"),
            ("[3,64,64]", "[3,64,-64]"),
            ("[3,64,64]", "[1,64,64]"),
            ("[3,64,64]", "64"),
            ("\"0\"", "0"),
            ("classes", "kinds"),
            ("{", ""),
        ] {
            let wrong = good.replace(from, to);
            assert_ne!(wrong, good, "{from}");
            assert!(Description::from_json(&wrong).is_err(), "{wrong}");
        }
    }
}
