//! Functions of tensors that are written in operations.
//!
//! They have no kernel: their derivatives, and how devices compute them, follow from what they are
//! written in. Each has a definition from its formula beside it, and samples like an operation.

mod activations;
mod attention;
mod ctc;
mod definition;
mod einsum;
mod generators;
mod indices;
mod losses;
mod mathematics;
mod normalization;
mod optimizers;
mod pooling;
mod positions;
mod quantised;
mod rearranging;
mod recurrent;
mod resize;
mod sampling;
mod sorting;
mod transposed_convolution;
mod trigonometry;
mod windows;

pub use attention::AttentionOptions;
pub use rearranging::Triangle;
pub use resize::{Beyond, Grid, Interpolation};

use crate::ops::contract::Sample;

/// The samples of every function.
pub(crate) fn samples() -> Vec<Sample> {
    [
        activations::samples(),
        attention::samples(),
        ctc::samples(),
        einsum::samples(),
        generators::samples(),
        indices::samples(),
        losses::samples(),
        mathematics::samples(),
        normalization::samples(),
        optimizers::samples(),
        pooling::samples(),
        positions::samples(),
        quantised::samples(),
        rearranging::samples(),
        recurrent::samples(),
        resize::samples(),
        sampling::samples(),
        sorting::samples(),
        transposed_convolution::samples(),
        trigonometry::samples(),
        windows::samples(),
    ]
    .concat()
}
