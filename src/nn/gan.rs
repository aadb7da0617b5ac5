//! Losses and regularizers for training GANs.
//!
//! The penalties contain derivatives, so their gradients are second-order derivatives.

use super::Scope;
use crate::{
    DType, autodiff, functions::precision::in_f32, graph::Tensor, init::Init, numbers::Must,
    ops::full::constant,
};

/// The discriminator loss: `mean softplus(-real) + mean softplus(fake)`, given its scores of real
/// and generated images.
///
/// # Source
///
/// Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661.
#[track_caller]
pub fn discriminator_loss<'g>(real: Tensor<'g>, fake: Tensor<'g>) -> Tensor<'g> {
    in_f32("discriminator_loss", [real, fake], |[real, fake]| {
        (-real).softplus().mean(..) + fake.softplus().mean(..)
    })
}

/// The generator loss for making generated images pass as real: `mean softplus(-fake)`.
///
/// # Source
///
/// Same as [`discriminator_loss`], in the non-saturating form.
#[track_caller]
pub fn generator_loss(fake: Tensor<'_>) -> Tensor<'_> {
    in_f32("generator_loss", [fake], |[fake]| (-fake).softplus().mean(..))
}

/// The gradient of each score, in f32, with respect to its example, flattened: `[n, elements]`.
fn score_gradients<'g>(scores: Tensor<'g>, of: Tensor<'g>) -> Tensor<'g> {
    let slopes = autodiff::grad(scores.sum(..), &[of])[0].widened();
    slopes.reshape([of.dim(0), of.shape().len() / of.dim(0).max(1)])
}

/// The gradient penalty `mean (|d score / d x| - 1)^2`, for scores of interpolations between real
/// and generated images.
///
/// # Shapes
///
/// `scores` has an element for each of the `n` examples in `x`, `[n, ..]`; the penalty is a scalar.
///
/// # Source
///
/// Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv:1704.00028.
#[doc(alias = "WGAN-GP")]
#[track_caller]
pub fn gradient_penalty<'g>(scores: Tensor<'g>, x: Tensor<'g>) -> Tensor<'g> {
    in_f32("gradient_penalty", [scores], |[scores]| {
        let off = score_gradients(scores, x).norm(1) - 1.0;
        (off * off).mean(..)
    })
}

/// The R1 penalty `mean |d score / d x|^2` at real images; half of it, times a strength, is added
/// to the loss.
///
/// # Shapes
///
/// Same as [`gradient_penalty`].
///
/// # Source
///
/// Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?",
/// arXiv:1801.04406.
#[track_caller]
pub fn r1_penalty<'g>(scores: Tensor<'g>, x: Tensor<'g>) -> Tensor<'g> {
    in_f32("r1_penalty", [scores], |[scores]| {
        let slopes = score_gradients(scores, x);
        (slopes * slopes).sum(1).mean(..)
    })
}

/// Path length regularization: makes a step of fixed size in style space change the images by a
/// fixed amount, for every style and direction: `mean (|J^T noise| - a)^2`, where `a` is a running
/// mean of these lengths.
///
/// The variable `path_length` holds `a`, which moves by a fraction `decay` toward the current mean
/// in each run.
///
/// # Shapes
///
/// `images` is `[n, channels, h, w]`, `noise` the same (standard normal), `styles` `[n, width]`;
/// the penalty is a scalar.
///
/// # Source
///
/// Karras et al. 2020, arXiv:1912.04958.
#[track_caller]
pub fn path_length_penalty<'g>(
    cx: &mut Scope<'g>,
    images: Tensor<'g>,
    noise: Tensor<'g>,
    styles: Tensor<'g>,
    decay: f64,
) -> Tensor<'g> {
    let numbers = [("decay", decay, Must::BeFraction)];
    if let Some(refused) =
        cx.graph().refuse_invalid("path_length_penalty", &[images, noise], &numbers)
    {
        return refused;
    }
    let pixels = (images.dim(-1) * images.dim(-2)).max(1) as f64;
    in_f32("path_length_penalty", [images, noise], |[images, noise]| {
        let moved = (images * noise).sum(..);
        let moved = moved * constant(moved, pixels.sqrt().recip());
        let slope = autodiff::grad(moved, &[styles])[0].widened();
        let lengths = slope.norm(-1);
        let before = cx.variable("path_length", [], DType::F32, Init::Zeros);
        let mean = before + (lengths.mean(..) - before) * decay;
        cx.graph().assign(before, mean);
        let off = lengths - mean;
        (off * off).mean(..)
    })
}
