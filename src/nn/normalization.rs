//! Layers that bring what passes them to mean 0 and variance 1.

use super::{Mode, Module, Scope};
use crate::{dtype::DType, error::OpError, graph::Tensor, init::Init};
use std::panic::Location;

/// Added to variances, as in PyTorch.
const EPS: f64 = 1e-5;

/// Layer normalisation of the last axes: see [`Tensor::layer_norm`].
///
/// # Shapes
///
/// The scale `weight` and the shift `bias` have those of the last axes.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    axes: usize,
    eps: f64,
    affine: bool,
    line: &'static Location<'static>,
}

impl LayerNorm {
    /// Of the last axis, with a scale that begins at 1 and a shift that begins at 0.
    #[track_caller]
    pub fn new() -> Self {
        LayerNorm { axes: 1, eps: EPS, affine: true, line: Location::caller() }
    }

    /// Sets the number of axes, counted from the last.
    pub fn axes(self, axes: usize) -> Self {
        LayerNorm { axes, ..self }
    }

    /// Sets what is added to the variance; 1e-5 unless set.
    pub fn eps(self, eps: f64) -> Self {
        LayerNorm { eps, ..self }
    }

    /// Leaves out scale and shift.
    pub fn without_affine(self) -> Self {
        LayerNorm { affine: false, ..self }
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
        let Some(dims) = last(x, self.axes) else {
            let reason = OpError::Rank { least: self.axes };
            return cx.graph().refuse("layer_norm", &[x], reason);
        };
        if !self.affine {
            let axes: Vec<i32> = (1..=dims.len() as i32).map(|axis| -axis).collect();
            return x.normalize(axes.as_slice(), self.eps);
        }
        let scale = cx.param("weight", dims.as_slice(), Init::Ones);
        let shift = cx.param("bias", dims.as_slice(), Init::Zeros);
        x.layer_norm(scale, shift, self.eps)
    }
}

/// Extents of the last axes.
fn last(x: Tensor<'_>, axes: usize) -> Option<Vec<usize>> {
    let shape = x.shape();
    let outer = shape.rank().checked_sub(axes)?;
    Some(shape.dims()[outer..].to_vec())
}

/// RMS normalisation of the last axis: see [`Tensor::rms_norm`].
///
/// # Shapes
///
/// The scale `weight` has that of the last axis.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    eps: f64,
    line: &'static Location<'static>,
}

impl RmsNorm {
    /// With a scale that begins at 1.
    #[track_caller]
    pub fn new() -> Self {
        RmsNorm { eps: EPS, line: Location::caller() }
    }

    /// Sets what is added to the mean square; 1e-5 unless set.
    pub fn eps(self, eps: f64) -> Self {
        RmsNorm { eps, ..self }
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
        let Some(dims) = last(x, 1) else {
            return cx.graph().refuse("rms_norm", &[x], OpError::Rank { least: 1 });
        };
        let scale = cx.param("weight", dims, Init::Ones);
        x.rms_norm(scale, self.eps)
    }
}

/// Group normalisation over `[n, channels, ..]`, then a scale and a shift for each channel: see
/// [`Tensor::group_norm`].
///
/// # Shapes
///
/// The scale `weight` and the shift `bias` are `[channels]`.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    line: &'static Location<'static>,
}

impl GroupNorm {
    /// With this many groups of channels; the scale begins at 1, the shift at 0.
    #[track_caller]
    pub fn new(groups: usize) -> Self {
        GroupNorm { groups, eps: EPS, line: Location::caller() }
    }

    /// Sets what is added to the variance; 1e-5 unless set.
    pub fn eps(self, eps: f64) -> Self {
        GroupNorm { eps, ..self }
    }
}

impl Module for GroupNorm {
    fn name(&self) -> &str {
        "group_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let y = x.group_norm(self.groups, self.eps);
        let [scale, shift] = scale_and_shift(cx, y);
        y * scale + shift
    }
}

/// Instance normalisation over `[n, channels, ..]`: each channel of each example on its own, then a
/// scale and a shift for each channel.
///
/// # Shapes
///
/// The scale `weight` and the shift `bias` are `[channels]`.
///
/// # Source
///
/// Ulyanov et al. 2016, "Instance Normalization", arXiv:1607.08022.
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    eps: f64,
    line: &'static Location<'static>,
}

impl InstanceNorm {
    /// The scale begins at 1, the shift at 0.
    #[track_caller]
    pub fn new() -> Self {
        InstanceNorm { eps: EPS, line: Location::caller() }
    }

    /// Sets what is added to the variance; 1e-5 unless set.
    pub fn eps(self, eps: f64) -> Self {
        InstanceNorm { eps, ..self }
    }
}

impl Default for InstanceNorm {
    #[track_caller]
    fn default() -> Self {
        InstanceNorm::new()
    }
}

impl Module for InstanceNorm {
    fn name(&self) -> &str {
        "instance_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let y = x.group_norm(x.dim(1), self.eps);
        let [scale, shift] = scale_and_shift(cx, y);
        y * scale + shift
    }
}

/// Extents of a tensor with one element for each channel of `x`, whose axis 1 they are.
fn by_channel(x: Tensor<'_>) -> Vec<usize> {
    let mut dims = vec![1; x.rank().saturating_sub(1)];
    if let Some(channels) = dims.first_mut() {
        *channels = x.dim(1);
    }
    dims
}

/// The parameters of a layer with one scale and one shift for each channel.
fn scale_and_shift<'g>(cx: &mut Scope<'g>, x: Tensor<'g>) -> [Tensor<'g>; 2] {
    let scale = cx.param("weight", [x.dim(1)], Init::Ones);
    let shift = cx.param("bias", [x.dim(1)], Init::Zeros);
    [scale, shift].map(|param| param.reshape(by_channel(x)))
}

/// Batch normalisation over `[n, channels, ..]`, then a scale and a shift for each channel.
///
/// While training, the mean and the biased variance are those of the batch, and the variables
/// `running_mean` and `running_var` follow the mean and the unbiased variance:
/// `running = (1 - momentum) running + momentum batch`. In evaluation they take the place of the
/// batch's: `(x - running_mean) / sqrt(running_var + eps) scale + shift`.
///
/// # Shapes
///
/// The scale `weight`, the shift `bias`, `running_mean` and `running_var` are `[channels]`.
///
/// # Numerics
///
/// Of one value for each channel there is no unbiased variance; the biased one, 0, takes its
/// place.
///
/// # Errors
///
/// Kept by the graph: [`OpError::Rank`] of fewer than two axes; [`OpError::Empty`] while training
/// on no elements; [`GraphError::AssignedTwice`](crate::GraphError::AssignedTwice) where one
/// layer is trained twice in a graph.
///
/// # Source
///
/// Ioffe & Szegedy 2015, "Batch Normalization", arXiv:1502.03167; momentum as in PyTorch.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    eps: f64,
    momentum: f64,
    line: &'static Location<'static>,
}

impl BatchNorm {
    /// With a momentum of 0.1; the scale and the running variance begin at 1, the shift and the
    /// running mean at 0.
    #[track_caller]
    pub fn new() -> Self {
        BatchNorm { eps: EPS, momentum: 0.1, line: Location::caller() }
    }

    /// Sets what is added to the variance; 1e-5 unless set.
    pub fn eps(self, eps: f64) -> Self {
        BatchNorm { eps, ..self }
    }

    /// Sets the share of a batch in the running statistics; 0.1 unless set.
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum, ..self }
    }
}

impl Default for BatchNorm {
    #[track_caller]
    fn default() -> Self {
        BatchNorm::new()
    }
}

impl Module for BatchNorm {
    fn name(&self) -> &str {
        "batch_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let graph = cx.graph();
        let shape = x.shape();
        if shape.rank() < 2 {
            return graph.refuse("batch_norm", &[x], OpError::Rank { least: 2 });
        }
        let channels = x.dim(1);
        let running_mean = cx.variable("running_mean", [channels], DType::F32, Init::Zeros);
        let running_var = cx.variable("running_var", [channels], DType::F32, Init::Ones);
        let [scale, shift] = scale_and_shift(cx, x);
        if cx.mode() == Mode::Eval {
            let [mean, var] = [running_mean, running_var].map(|v| v.reshape(by_channel(x)));
            return (x - mean) * (scale / (var + self.eps).sqrt()) + shift;
        }
        if shape.is_empty() {
            // Its statistics would stay in the running ones.
            return graph.refuse("batch_norm", &[x], OpError::Empty);
        }
        let axes: Vec<i32> = (0..shape.rank() as i32).filter(|&axis| axis != 1).collect();
        let y = x.normalize(axes.as_slice(), self.eps);

        // The same formulas as in `normalize`, so that they are computed once.
        let mean = x.mean_keepdims(axes.as_slice());
        let d = x - mean;
        let var = (d * d).mean_keepdims(axes.as_slice());
        let count = (shape.len() / channels) as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        for (running, batch) in [(running_mean, mean), (running_var, var * unbiased)] {
            let batch = batch.reshape([channels]);
            graph.assign(running, running * (1.0 - self.momentum) + batch * self.momentum);
        }
        y * scale + shift
    }
}
