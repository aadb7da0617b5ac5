//! Normalization layers without running statistics.

use super::{Module, Scope};
use crate::{error::OpError, functions::precision::in_f32, graph::Tensor, init::Init};
use std::panic::Location;

/// Added to variances, as in PyTorch.
pub(super) const EPS: f64 = 1e-5;

/// Layer normalization over the last axes: see [`Tensor::layer_norm`].
///
/// # Shapes
///
/// The scale `weight` and the shift `bias` have the shape of the last axes.
#[doc(alias = "LayerNormalization")]
#[derive(Clone, Debug)]
pub struct LayerNorm {
    axes: usize,
    eps: f64,
    affine: bool,
    bias: bool,
    line: &'static Location<'static>,
}

impl LayerNorm {
    /// Normalizes over the last axis, with a scale initialized to 1 and a shift initialized to 0.
    #[track_caller]
    pub fn new() -> Self {
        LayerNorm { axes: 1, eps: EPS, affine: true, bias: true, line: Location::caller() }
    }

    /// Sets the number of trailing axes to normalize.
    pub fn axes(self, axes: usize) -> Self {
        LayerNorm { axes, ..self }
    }

    /// Sets the epsilon added to the variance; 1e-5 by default.
    pub fn eps(self, eps: f64) -> Self {
        LayerNorm { eps, ..self }
    }

    /// Omits scale and shift.
    #[doc(alias = "elementwise_affine")]
    pub fn without_affine(self) -> Self {
        LayerNorm { affine: false, ..self }
    }

    /// Omits the shift, but not the scale.
    pub fn without_bias(self) -> Self {
        LayerNorm { bias: false, ..self }
    }
}

impl Default for LayerNorm {
    #[track_caller]
    fn default() -> Self {
        LayerNorm::new()
    }
}

impl Module for LayerNorm {
    fn name(&self) -> &str {
        "layer_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let x = cx.cast(x);
        let Some(dims) = last(x, self.axes) else {
            let reason = OpError::Rank { least: self.axes };
            return cx.graph().refuse("layer_norm", &[x], reason);
        };
        if !self.affine {
            let axes: Vec<i32> = (1..=dims.len() as i32).map(|axis| -axis).collect();
            return x.normalize(axes.as_slice(), self.eps);
        }
        let scale = cx.param("weight", dims.as_slice(), Init::Ones);
        let shift = self.bias.then(|| cx.param("bias", dims.as_slice(), Init::Zeros));
        in_f32("layer_norm", [x], |[x]| x.layer_norm(scale, shift, self.eps))
    }
}

/// Extents of the last `axes` axes.
fn last(x: Tensor<'_>, axes: usize) -> Option<Vec<usize>> {
    let shape = x.shape();
    let outer = shape.rank().checked_sub(axes)?;
    Some(shape.dims()[outer..].to_vec())
}

/// RMS normalization over the last axes: see [`Tensor::rms_norm`].
///
/// # Shapes
///
/// The scale `weight` has the shape of the last axes.
#[doc(alias("RMSNorm", "RMSNormalization"))]
#[derive(Clone, Debug)]
pub struct RmsNorm {
    axes: usize,
    eps: f64,
    affine: bool,
    line: &'static Location<'static>,
}

impl RmsNorm {
    /// Normalizes over the last axis, with a scale initialized to 1.
    #[track_caller]
    pub fn new() -> Self {
        let eps = f64::from(f32::EPSILON);
        RmsNorm { axes: 1, eps, affine: true, line: Location::caller() }
    }

    /// Sets the number of trailing axes to normalize.
    pub fn axes(self, axes: usize) -> Self {
        RmsNorm { axes, ..self }
    }

    /// Sets the epsilon added to the mean square; 2^-23 by default, about 1.2e-7, as in PyTorch.
    /// Models say theirs: it is 1e-5 or 1e-6 in Llama, and 1e-6 in Keras.
    pub fn eps(self, eps: f64) -> Self {
        RmsNorm { eps, ..self }
    }

    /// Omits the scale.
    pub fn without_affine(self) -> Self {
        RmsNorm { affine: false, ..self }
    }
}

impl Default for RmsNorm {
    #[track_caller]
    fn default() -> Self {
        RmsNorm::new()
    }
}

impl Module for RmsNorm {
    fn name(&self) -> &str {
        "rms_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let x = cx.cast(x);
        let Some(dims) = last(x, self.axes) else {
            let reason = OpError::Rank { least: self.axes };
            return cx.graph().refuse("rms_norm", &[x], reason);
        };
        if !self.affine {
            let axes: Vec<i32> = (1..=dims.len() as i32).map(|axis| -axis).collect();
            return x.normalize_rms(axes.as_slice(), self.eps);
        }
        let scale = cx.param("weight", dims, Init::Ones);
        in_f32("rms_norm", [x], |[x]| x.rms_norm(scale, self.eps))
    }
}

/// Group normalization over `[n, channels, ..]`, then a scale and a shift per channel: see
/// [`Tensor::group_norm`].
///
/// # Shapes
///
/// The scale `weight` and the shift `bias` are `[channels]`.
#[doc(alias = "GroupNormalization")]
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    affine: bool,
    line: &'static Location<'static>,
}

impl GroupNorm {
    /// Creates a layer with this many groups; the scale is initialized to 1, the shift to 0.
    #[track_caller]
    pub fn new(groups: usize) -> Self {
        GroupNorm { groups, eps: EPS, affine: true, line: Location::caller() }
    }

    /// Sets the epsilon added to the variance; 1e-5 by default.
    pub fn eps(self, eps: f64) -> Self {
        GroupNorm { eps, ..self }
    }

    /// Omits scale and shift.
    pub fn without_affine(self) -> Self {
        GroupNorm { affine: false, ..self }
    }
}

impl Module for GroupNorm {
    fn name(&self) -> &str {
        "group_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let x = cx.cast(x);
        in_f32("group_norm", [x], |[x]| {
            scaled(cx, x.group_norm(self.groups, None, None, self.eps), self.affine)
        })
    }
}

/// Extents that broadcast one element per channel against `x`, whose axis 1 holds the channels.
pub(super) fn by_channel(x: Tensor<'_>) -> Vec<usize> {
    let mut dims = vec![1; x.rank().saturating_sub(1)];
    if let Some(channels) = dims.first_mut() {
        *channels = x.dim(1);
    }
    dims
}

/// A scale initialized to 1 and a shift initialized to 0 per channel of `x`.
pub(super) fn scale_and_shift<'g>(cx: &mut Scope<'g>, x: Tensor<'g>) -> [Tensor<'g>; 2] {
    let scale = cx.param("weight", [x.dim(1)], Init::Ones);
    let shift = cx.param("bias", [x.dim(1)], Init::Zeros);
    [scale, shift].map(|param| param.reshape(by_channel(x)))
}

/// Applies the scale and shift of each channel to a normalized tensor if it has them.
pub(super) fn scaled<'g>(cx: &mut Scope<'g>, y: Tensor<'g>, affine: bool) -> Tensor<'g> {
    if !affine {
        return y;
    }
    let [scale, shift] = scale_and_shift(cx, y);
    y * scale + shift
}

/// Local response normalization over adjacent channels: see [`Tensor::local_response_norm`].
///
/// # Source
///
/// Krizhevsky et al. 2012; defaults as in PyTorch.
#[doc(alias = "LRN")]
#[derive(Clone, Debug)]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
    line: &'static Location<'static>,
}

impl LocalResponseNorm {
    /// Normalizes over this many channels; `alpha` is 1e-4, `beta` 0.75, and `k` 1.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0, line: Location::caller() }
    }

    /// Sets the factor of the squares.
    pub fn alpha(self, alpha: f64) -> Self {
        LocalResponseNorm { alpha, ..self }
    }

    /// Sets the exponent.
    pub fn beta(self, beta: f64) -> Self {
        LocalResponseNorm { beta, ..self }
    }

    /// Sets the constant added to the squares.
    pub fn k(self, k: f64) -> Self {
        LocalResponseNorm { k, ..self }
    }
}

impl Module for LocalResponseNorm {
    fn name(&self) -> &str {
        "local_response_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        x.local_response_norm(self.size, self.alpha, self.beta, self.k)
    }
}
