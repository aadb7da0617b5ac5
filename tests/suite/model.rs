//! The network that tests train on digits.

use wgrad::{
    data::digits,
    nn::{Activation, Dense, Sequential},
};

/// Images a step.
pub const BATCH: usize = 32;

/// Three dense layers.
pub fn network() -> Sequential {
    Sequential::new()
        .add(Dense::new(32))
        .add(Activation::relu())
        .add(Dense::new(16))
        .add(Activation::relu())
        .add(Dense::new(digits::CLASSES))
}
