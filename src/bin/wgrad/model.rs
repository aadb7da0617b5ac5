//! The data sets that can be trained on, and the network for each.

use clap::ValueEnum;
use wgrad::{
    Error,
    data::{Dataset, digits},
    nn::{Activation, Conv2d, Dense, Dropout, Flatten, MaxPool2d, Sequential, Unflatten},
};

/// A data set inside the program.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Task {
    /// 1,797 handwritten digits of 8x8 pixels (UCI).
    Digits,
}

impl Task {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Task::Digits => "digits",
        }
    }

    /// The set to train on, and the fifth of it that is held out.
    pub fn data(self) -> Result<(Dataset, Dataset), Error> {
        match self {
            Task::Digits => digits::load()?.split(0.2),
        }
    }

    /// The network: two convolutions, a pooling, and two dense layers.
    pub fn model(self) -> Sequential {
        match self {
            Task::Digits => Sequential::new()
                .add(Unflatten::new([1, 8, 8]))
                .add(Conv2d::new(16, [3, 3]).same())
                .add(Activation::relu())
                .add(Conv2d::new(32, [3, 3]).same())
                .add(Activation::relu())
                .add(MaxPool2d::new(2))
                .add(Flatten::new())
                .add(Dropout::new(0.3))
                .add(Dense::new(64))
                .add(Activation::relu())
                .add(Dense::new(digits::CLASSES)),
        }
    }
}
