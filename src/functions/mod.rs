//! Functions of tensors that are composed of operations.
//!
//! They have no kernels: their derivatives and device implementations follow from the operations.
//! Each has a separate definition from its formula, and samples like an operation.

mod activations;
mod attention;
mod channel_norms;
mod clip;
mod convolution;
mod ctc;
mod cubic;
mod definition;
mod diagonals;
mod einsum;
mod elementary;
mod grid_points;
mod grid_sample;
mod indexing;
mod layout;
mod losses;
mod masks;
mod math;
mod normalization;
mod norms;
mod optimizers;
mod padding;
mod pixels;
mod pooling;
mod positions;
pub(crate) mod precision;
mod quantiles;
mod quantize;
mod quotients;
mod random;
mod recurrent;
pub(crate) mod reduction;
mod resampling;
mod resize;
mod running;
mod scatter;
mod smoothing;
mod sorting;
pub(crate) mod targets;
mod transposed_convolution;
mod trigonometry;
mod unfold;

pub use attention::AttentionOptions;
pub use diagonals::Triangle;
pub use grid_points::PaddingMode;
pub use losses::{GaussianNll, PoissonNll};
pub use padding::PadMode;
pub use quantiles::QuantileMethod;
pub(crate) use random::drops_all;
pub use reduction::Reduction;
pub use resize::{CoordinateTransform, Interpolation};
pub use scatter::ScatterReduction;

use crate::ops::contract::{Sample, with_halves};

/// The samples of every function; those of floats without a remark are for halves as well.
pub(crate) fn samples() -> Vec<Sample> {
    let samples = [
        activations::samples(),
        attention::samples(),
        clip::samples(),
        channel_norms::samples(),
        convolution::samples(),
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
        diagonals::samples(),
        layout::samples(),
        masks::samples(),
        padding::samples(),
        pixels::samples(),
        recurrent::samples(),
        grid_sample::samples(),
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
