//! Normalization layers with running statistics.

use super::{
    Mode, Module, Scope,
    normalization::{EPS, by_channel, scale_and_shift, scaled},
};
use crate::{
    dtype::DType, error::OpError, functions::precision::in_f32, graph::Tensor, init::Init,
    numbers::Must, ops::normalize::deviations,
};
use std::panic::Location;

/// Batch normalization over `[n, channels, ..]`, then a scale and a shift per channel.
///
/// In training, the mean and the biased variance are those of the batch, and the variables
/// `running_mean` and `running_var` track the mean and the unbiased variance:
/// `running = (1 - momentum) running + momentum batch`. In evaluation they are used instead of the
/// batch's: `(x - running_mean) / sqrt(running_var + eps) scale + shift`. A layer that is applied
/// several times in a graph is updated with one batch after another.
///
/// # Shapes
///
/// The scale `weight`, the shift `bias`, `running_mean` and `running_var` are `[channels]`;
/// `num_batches_tracked`, which exists only for a [`cumulative`](Self::cumulative) average, is one
/// u32.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Rank`] for fewer than two axes; in training [`OpError::Empty`]
/// on no elements, and [`OpError::Number`] on one value per channel, which has no variance.
///
/// # Source
///
/// Ioffe & Szegedy 2015, "Batch Normalization", arXiv:1502.03167; momentum as in PyTorch.
#[doc(alias("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "BatchNormalization"))]
#[derive(Clone, Debug)]
pub struct BatchNorm {
    eps: f64,
    momentum: Option<f64>,
    affine: bool,
    line: &'static Location<'static>,
}

impl BatchNorm {
    /// Uses a momentum of 0.1; the scale and the running variance are initialized to 1, the shift
    /// and the running mean to 0.
    #[track_caller]
    pub fn new() -> Self {
        BatchNorm { eps: EPS, momentum: Some(0.1), affine: true, line: Location::caller() }
    }

    /// Sets the epsilon added to the variance; 1e-5 by default.
    pub fn eps(self, eps: f64) -> Self {
        BatchNorm { eps, ..self }
    }

    /// Sets the weight of a batch in the running statistics; 0.1 by default.
    pub fn momentum(self, momentum: f64) -> Self {
        BatchNorm { momentum: Some(momentum), ..self }
    }

    /// Makes the running statistics the means over all batches: PyTorch's `momentum=None`.
    pub fn cumulative(self) -> Self {
        BatchNorm { momentum: None, ..self }
    }

    /// Omits scale and shift.
    pub fn without_affine(self) -> Self {
        BatchNorm { affine: false, ..self }
    }
}

impl Default for BatchNorm {
    #[track_caller]
    fn default() -> Self {
        BatchNorm::new()
    }
}

/// Running mean and variance per channel.
struct Running<'g> {
    mean: Tensor<'g>,
    var: Tensor<'g>,
}

impl<'g> Running<'g> {
    fn new(cx: &mut Scope<'g>, channels: usize) -> Self {
        let mean = cx.variable("running_mean", [channels], DType::F32, Init::Zeros);
        let var = cx.variable("running_var", [channels], DType::F32, Init::Ones);
        Running { mean, var }
    }

    /// Normalizes `x` with the running statistics instead of its own.
    fn normalized(&self, cx: &mut Scope<'g>, x: Tensor<'g>, eps: f64, affine: bool) -> Tensor<'g> {
        let [mean, var] = [self.mean, self.var].map(|v| v.reshape(by_channel(x)));
        in_f32("normalize", [x], |[x]| {
            let deviation = (var + eps).sqrt();
            if !affine {
                return (x - mean) / deviation;
            }
            let [scale, shift] = scale_and_shift(cx, x);
            (x - mean) * (scale / deviation) + shift
        })
    }

    /// Updates them toward those of a batch.
    fn follow(&self, mean: Tensor<'g>, var: Tensor<'g>, share: Share<'g>) {
        for (running, batch) in [(self.mean, mean), (self.var, var)] {
            let batch = batch.reshape(running.shape());
            running.graph().assign_next(running, |now| match share {
                Share::Fixed(share) => now * (1.0 - share) + batch * share,
                Share::Of(share) => now + (batch - now) * share,
            });
        }
    }
}

/// The weight of a batch in running statistics.
#[derive(Clone, Copy)]
enum Share<'g> {
    Fixed(f64),
    Of(Tensor<'g>),
}

/// Mean and biased variance along axes, which are kept with extent 1: the same formulas as in
/// `normalize`, so that they are computed only once.
fn statistics<'g>(x: Tensor<'g>, axes: &[i32]) -> [Tensor<'g>; 2] {
    let [d, mean] = deviations(x, axes);
    [mean, (d * d).mean_keepdims(axes)]
}

/// The ratio of the unbiased to the biased variance of `count` elements, of which there are several.
fn unbiased(count: usize) -> f64 {
    count as f64 / (count as f64 - 1.0)
}

impl Module for BatchNorm {
    fn name(&self) -> &str {
        "batch_norm"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let x = cx.cast(x);
        let graph = cx.graph();
        let shape = x.shape();
        if shape.rank() < 2 {
            return graph.refuse("batch_norm", &[x], OpError::Rank { least: 2 });
        }
        let momentum = self.momentum.unwrap_or(0.0);
        let momentum = [("momentum", momentum, Must::BeFraction)];
        if let Some(refused) = graph.refuse_invalid("batch_norm", &[x], &momentum) {
            return refused;
        }
        let channels = x.dim(1);
        let running = Running::new(cx, channels);
        let share = match self.momentum {
            Some(momentum) => Share::Fixed(momentum),
            None => {
                let count = cx.variable("num_batches_tracked", [], DType::U32, Init::Zeros);
                let next = match cx.mode() {
                    Mode::Train => graph.assign_next(count, |count| count + 1u32),
                    Mode::Eval => count,
                };
                Share::Of(1.0 / next.cast(DType::F32))
            }
        };
        if cx.mode() == Mode::Eval {
            return running.normalized(cx, x, self.eps, self.affine);
        }
        if shape.is_empty() {
            // Its statistics would persist in the running ones.
            return graph.refuse("batch_norm", &[x], OpError::Empty);
        }
        let count = shape.len() / channels;
        if count == 1 {
            let (what, must) = ("number of values per channel", "more than 1 in training");
            return graph.refuse("batch_norm", &[x], OpError::Number { what, must, is: 1.0 });
        }
        cx.uses_batch_statistics();
        let axes: Vec<i32> = (0..shape.rank() as i32).filter(|&axis| axis != 1).collect();
        in_f32("batch_norm", [x], |[x]| {
            let y = x.normalize(axes.as_slice(), self.eps);
            let [mean, var] = statistics(x, &axes);
            running.follow(mean, var * unbiased(count), share);
            scaled(cx, y, self.affine)
        })
    }
}

/// Instance normalization over `[n, channels, ..]`: each channel of each example separately, and, if
/// [`affine`](Self::affine), then a scale and a shift per channel. Without them by default, as in
/// PyTorch; [`BatchNorm`] has them.
///
/// With [`running`](Self::running) statistics the variables `running_mean` and `running_var` track
/// the means over the examples in training, and are used instead in evaluation.
///
/// # Shapes
///
/// The scale `weight`, the shift `bias` and the running statistics are `[channels]`.
///
/// # Errors
///
/// Recorded by the graph: [`OpError::Rank`] for fewer than two axes; [`OpError::Empty`] if running
/// statistics would be updated from no elements; [`OpError::Number`] on one value per channel of an
/// example, which has no variance, unless running statistics are used.
///
/// # Source
///
/// Ulyanov et al. 2016, "Instance Normalization", arXiv:1607.08022; running statistics as in
/// PyTorch.
#[doc(alias("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"))]
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    eps: f64,
    momentum: Option<f64>,
    affine: bool,
    line: &'static Location<'static>,
}

impl InstanceNorm {
    /// Creates a layer without scale and shift.
    #[track_caller]
    pub fn new() -> Self {
        InstanceNorm { eps: EPS, momentum: None, affine: false, line: Location::caller() }
    }

    /// Sets the epsilon added to the variance; 1e-5 by default.
    pub fn eps(self, eps: f64) -> Self {
        InstanceNorm { eps, ..self }
    }

    /// Keeps running statistics with this weight of a batch; PyTorch's default is 0.1.
    #[doc(alias = "track_running_stats")]
    pub fn running(self, momentum: f64) -> Self {
        InstanceNorm { momentum: Some(momentum), ..self }
    }

    /// Adds a scale initialized to 1 and a shift initialized to 0, per channel.
    pub fn affine(self) -> Self {
        InstanceNorm { affine: true, ..self }
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
        let x = cx.cast(x);
        let (graph, shape) = (cx.graph(), x.shape());
        if !x.failed() && shape.rank() < 2 {
            return graph.refuse("instance_norm", &[x], OpError::Rank { least: 2 });
        }
        let momentum = [("momentum", self.momentum.unwrap_or(0.0), Must::BeFraction)];
        if let Some(refused) = graph.refuse_invalid("instance_norm", &[x], &momentum) {
            return refused;
        }
        let running = self.momentum.map(|momentum| (momentum, Running::new(cx, x.dim(1))));
        if let (Mode::Eval, Some((_, running))) = (cx.mode(), &running) {
            return running.normalized(cx, x, self.eps, self.affine);
        }
        if !x.failed() && shape.dims().iter().skip(2).all(|&extent| extent == 1) {
            let (what, must) = ("number of values per channel", "more than 1 in an example");
            return graph.refuse("instance_norm", &[x], OpError::Number { what, must, is: 1.0 });
        }
        if let Some((momentum, running)) = running {
            if shape.is_empty() {
                return graph.refuse("instance_norm", &[x], OpError::Empty);
            }
            let axes: Vec<i32> = (2..shape.rank() as i32).collect();
            let count = shape.dims().iter().skip(2).product();
            let [mean, var] = statistics(x.widened(), &axes).map(|each| each.mean_keepdims(0));
            running.follow(mean, var * unbiased(count), Share::Fixed(momentum));
        }
        in_f32("instance_norm", [x], |[x]| {
            scaled(cx, x.group_norm(x.dim(1), None, None, self.eps), self.affine)
        })
    }
}
