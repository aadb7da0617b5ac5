//! Feed-forward networks.

use crate::nn::{Activation, Conv2d, Dense, Flatten, MaxPool2d, Sequential};

/// Dense layers with ReLU in between: hidden layers of these `widths`, and `outputs`.
///
/// # Shapes
///
/// `[.., inputs]` to `[.., outputs]`.
#[track_caller]
pub fn mlp(widths: &[usize], outputs: usize) -> Sequential {
    let mut net = Sequential::new();
    for &width in widths {
        net = net.add(Dense::new(width)).add(Activation::relu());
    }
    net.add(Dense::new(outputs))
}

/// Two convolutions with 32 and 64 windows of 3x3, a pooling, and two dense layers: a classifier
/// for small images.
///
/// # Shapes
///
/// `[n, channels, height, width]` to logits `[n, classes]`; height and width are at least 6.
#[track_caller]
pub fn cnn(classes: usize) -> Sequential {
    Sequential::new()
        .add(Conv2d::new(32, [3, 3]))
        .add(Activation::relu())
        .add(Conv2d::new(64, [3, 3]))
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Dense::new(128))
        .add(Activation::relu())
        .add(Dense::new(classes))
}

/// Dense layers that narrow to a code and widen again, with ReLU in between and a sigmoid at the
/// end, to be trained to reproduce inputs between 0 and 1.
///
/// # Shapes
///
/// `[.., inputs]` to `[.., inputs]`; the hidden widths are `widths`, `code`, and `widths` reversed.
#[track_caller]
pub fn autoencoder(inputs: usize, widths: &[usize], code: usize) -> Sequential {
    let inner: Vec<usize> =
        widths.iter().copied().chain([code]).chain(widths.iter().rev().copied()).collect();
    mlp(&inner, inputs).add(Activation::sigmoid())
}
