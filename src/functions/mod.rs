//! Functions of tensors that are composed of operations.
//!
//! They have no kernels: their derivatives and device implementations follow from the operations.
//! Each has a separate definition from its formula, and samples like an operation.

mod activations;
mod attention;
mod clip;
mod ctc;
mod definition;
mod einsum;
mod elementary;
mod indexing;
mod layout;
mod losses;
mod math;
mod normalization;
mod norms;
mod optimizers;
mod pooling;
mod positions;
pub(crate) mod precision;
mod quantiles;
mod quantize;
mod quotients;
mod random;
mod recurrent;
mod resampling;
mod resize;
mod running;
mod scatter;
mod sorting;
pub(crate) mod targets;
mod transposed_convolution;
mod trigonometry;
mod unfold;

pub use attention::AttentionOptions;
pub use layout::Triangle;
pub use quantiles::QuantileMethod;
pub(crate) use random::drops_all;
pub use resize::{CoordinateTransform, Interpolation, PaddingMode};
pub use scatter::ScatterReduction;

use crate::ops::contract::{Sample, with_halves};

/// The samples of every function; those of floats without a remark are for halves as well.
pub(crate) fn samples() -> Vec<Sample> {
    let samples = [
        activations::samples(),
        attention::samples(),
        clip::samples(),
        ctc::samples(),
        einsum::samples(),
        elementary::samples(),
        resampling::samples(),
        indexing::samples(),
        losses::samples(),
        math::samples(),
        normalization::samples(),
        norms::samples(),
        optimizers::samples(),
        pooling::samples(),
        positions::samples(),
        quantize::samples(),
        quantiles::samples(),
        layout::samples(),
        recurrent::samples(),
        resize::samples(),
        running::samples(),
        scatter::samples(),
        random::samples(),
        sorting::samples(),
        transposed_convolution::samples(),
        trigonometry::samples(),
        unfold::samples(),
    ]
    .concat();
    const OF_HALVES: &[&str] = &[
        "",
        "broadcast",
        "everything dropped",
        "fewer indices",
        "more than all channels",
        "order -1.5",
        "order -inf",
        "order 0",
        "order inf",
        "output padding of a stride",
    ];
    with_halves(samples, OF_HALVES)
}
