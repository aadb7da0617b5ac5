//! Normalization of channels, with scale and shift: by groups, in each example, or over a batch.

use super::{
    definition::f32s,
    normalization::{Affine, EPS, normal, same},
};
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Attribution, Tensor},
    numbers::Must,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        normalize::deviations,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Group normalization: the channels of each example are divided into `groups`, each of which is
    /// normalized to mean 0 and variance 1 over its channels and the axes after them; then a scale and
    /// a shift for each channel, of which either may be `None`.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, channels, ..]`, `scale` and `shift` are `[channels]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Indivisible`] unless the groups are equal; [`OpError::Target`] for
    /// a scale or shift of another shape; [`OpError::DTypes`]; [`OpError::Number`] for one example with
    /// one value in each group, as in PyTorch; otherwise as for [`Tensor::normalize`].
    ///
    /// # Source
    ///
    /// Wu & He 2018, "Group Normalization", arXiv:1803.08494.
    #[track_caller]
    pub fn group_norm(
        self,
        groups: usize,
        scale: impl Into<Option<Tensor<'g>>>,
        shift: impl Into<Option<Tensor<'g>>>,
        eps: f64,
    ) -> Tensor<'g> {
        // Closures have no lines of the user.
        let _line = Attribution::to_caller(self.graph());
        let affine = Affine { scale: scale.into(), shift: shift.into() };
        let refuse = |reason| self.graph().refuse("group_norm", &affine.behind(&[self]), reason);
        if let Err(reason) = by_channel(self, &affine.given()) {
            return refuse(reason);
        }
        let shape = self.shape();
        let (n, channels) = (self.dim(0), self.dim(1));
        if groups == 0 || channels % groups != 0 {
            return refuse(OpError::Indivisible { what: "channels", number: channels, by: groups });
        }
        let group = channels / groups * shape.dims()[2..].iter().product::<usize>();
        if n == 1 && group == 1 {
            let (what, must) = ("number of values per group", "more than 1 in a batch");
            return refuse(OpError::Number { what, must, is: 1.0 });
        }
        let normal =
            |x: Tensor<'g>| x.reshape([n, groups, group]).normalize(-1, eps).reshape(shape.clone());
        if affine.given().is_empty() {
            return normal(self);
        }
        affine.applied("group_norm", [self], |[x]| normal(x), channelwise)
    }

    /// Instance normalization: each channel of each example is normalized to mean 0 and variance 1 over
    /// the axes after it; then a scale and a shift for each channel, of which either may be `None`.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, channels, ..]`, `scale` and `shift` are `[channels]`.
    ///
    /// # Errors
    ///
    /// Those of [`group_norm`](Self::group_norm); [`OpError::Number`] for one value per channel, which
    /// has no variance.
    ///
    /// # Source
    ///
    /// Ulyanov et al. 2016, "Instance Normalization", arXiv:1607.08022.
    #[track_caller]
    pub fn instance_norm(
        self,
        scale: impl Into<Option<Tensor<'g>>>,
        shift: impl Into<Option<Tensor<'g>>>,
        eps: f64,
    ) -> Tensor<'g> {
        let affine = Affine { scale: scale.into(), shift: shift.into() };
        let reason = match by_channel(self, &affine.given()) {
            Err(reason) => Some(reason),
            Ok(()) if self.shape().dims()[2..].iter().all(|&extent| extent == 1) => {
                let (what, must) = ("number of values per channel", "more than 1 in an example");
                Some(OpError::Number { what, must, is: 1.0 })
            }
            Ok(()) => None,
        };
        match reason {
            Some(reason) => self.graph().refuse("instance_norm", &affine.behind(&[self]), reason),
            None => self.group_norm(self.dim(1), affine.scale, affine.shift, eps),
        }
    }

    /// Batch normalization with given statistics, as in evaluation: `(x - mean) / sqrt(variance + eps)`
    /// in each channel, then a scale and a shift, of which either may be `None`.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, channels, ..]`, everything else `[channels]`.
    ///
    /// # Errors
    ///
    /// [`OpError::Rank`]; [`OpError::Target`] unless the others have the shape of the channels;
    /// [`OpError::DTypes`]; [`OpError::DType`] for non-floats; [`OpError::Number`] if `eps` is negative
    /// or not finite.
    ///
    /// # Source
    ///
    /// Ioffe & Szegedy 2015, "Batch Normalization", arXiv:1502.03167; PyTorch's `batch_norm` with
    /// `training=False`.
    #[track_caller]
    pub fn batch_norm(
        self,
        mean: Tensor<'g>,
        variance: Tensor<'g>,
        scale: impl Into<Option<Tensor<'g>>>,
        shift: impl Into<Option<Tensor<'g>>>,
        eps: f64,
    ) -> Tensor<'g> {
        let affine = Affine { scale: scale.into(), shift: shift.into() };
        let operands = [self, mean, variance];
        let all = affine.behind(&operands);
        if let Err(reason) = by_channel(self.of_floats("batch_norm"), &all[1..]) {
            return self.graph().refuse("batch_norm", &all, reason);
        }
        let numbers = [("eps", eps, Must::BeAtLeast0)];
        if let Some(refused) = self.graph().refuse_invalid("batch_norm", &all, &numbers) {
            return refused;
        }
        let normal = |[x, mean, variance]: [Tensor<'g>; 3]| {
            (x - channelwise(x, mean)) / channelwise(x, (variance + eps).sqrt())
        };
        affine.applied("batch_norm", operands, normal, channelwise)
    }

    /// Batch normalization with the statistics of the batch, as in training, and these statistics: the
    /// result, and in f32 the mean and the unbiased variance of each channel. The result is normalized
    /// by the biased variance.
    ///
    /// Running statistics follow them by `running * (1.0 - momentum) + of_batch * momentum`;
    /// [`nn::BatchNorm`](crate::nn::BatchNorm) has them as variables.
    ///
    /// # Shapes
    ///
    /// `x` is `[n, channels, ..]`, everything else `[channels]`.
    ///
    /// # Errors
    ///
    /// Those of [`batch_norm`](Self::batch_norm); [`OpError::Empty`] for no elements, and
    /// [`OpError::Number`] for one value per channel, which has no variance.
    ///
    /// # Source
    ///
    /// PyTorch's `batch_norm` with `training=True`.
    #[doc(alias = "batch_norm")]
    #[track_caller]
    pub fn batch_norm_training(
        self,
        scale: impl Into<Option<Tensor<'g>>>,
        shift: impl Into<Option<Tensor<'g>>>,
        eps: f64,
    ) -> (Tensor<'g>, Tensor<'g>, Tensor<'g>) {
        // Closures have no lines of the user.
        let _line = Attribution::to_caller(self.graph());
        let affine = Affine { scale: scale.into(), shift: shift.into() };
        let refuse = |reason| {
            let refused =
                self.graph().refuse("batch_norm_training", &affine.behind(&[self]), reason);
            (refused, refused, refused)
        };
        let x = self.of_floats("batch_norm_training");
        if let Err(reason) = by_channel(x, &affine.given()) {
            return refuse(reason);
        }
        let shape = x.shape();
        if shape.is_empty() {
            return refuse(OpError::Empty);
        }
        let count = shape.len() / x.dim(1);
        if count == 1 {
            let (what, must) = ("number of values per channel", "more than 1 in training");
            return refuse(OpError::Number { what, must, is: 1.0 });
        }
        let axes: Vec<i32> = (0..shape.rank() as i32).filter(|&axis| axis != 1).collect();
        let normal = |[x]: [Tensor<'g>; 1]| x.normalize(axes.as_slice(), eps);
        let y = affine.applied("batch_norm_training", [x], normal, channelwise);
        let [d, mean] = deviations(x.widened(), &axes);
        // A quotient of whole numbers, which f32 has.
        let variance = (d * d).sum_keepdims(axes.as_slice()) / (count as f64 - 1.0);
        let [mean, variance] = [mean, variance].map(|of| of.reshape(x.dim(1)));
        (y, mean, variance)
    }
}

/// Elements for each channel of `x`, whose channels are along axis 1, to be broadcast against it.
#[track_caller]
fn channelwise<'g>(x: Tensor<'g>, of: Tensor<'g>) -> Tensor<'g> {
    of.reshape([&[x.dim(1)][..], &vec![1; x.rank() - 2]].concat())
}

/// Checks that each of `given` has an element for each channel of `x`.
fn by_channel(x: Tensor<'_>, given: &[Tensor<'_>]) -> Result<(), OpError> {
    if x.rank() < 2 {
        return Err(OpError::Rank { least: 2 });
    }
    let channels = Meta::new([x.dim(1)], x.dtype());
    given.iter().try_for_each(|of| same(&of.meta(), &channels))
}

/// Test samples.
pub(super) fn samples() -> Vec<Sample> {
    let group = Function::new(
        "group_norm",
        |x| x[0].group_norm(2, None, None, EPS),
        |x| {
            let data = x[0].data.chunks(10).flat_map(normal).collect();
            Array64 { meta: x[0].meta.clone(), data }
        },
    );
    let channels =
        |x: &Array64, given: [Option<&Array64>; 2], of: fn(&[f64]) -> Vec<f64>, all: bool| {
            // Rows of what is normalized together: of a channel, in all examples or in each.
            let [n, channels, len] = [0, 1, 2].map(|axis| x.shape().dims()[axis]);
            let mut y = x.clone();
            for channel in 0..channels {
                let at = |image: usize, k: usize| (image * channels + channel) * len + k;
                let places: Vec<Vec<usize>> = match all {
                    true => vec![(0..n * len).map(|k| at(k / len, k % len)).collect()],
                    false => (0..n).map(|image| (0..len).map(|k| at(image, k)).collect()).collect(),
                };
                for places in places {
                    let row: Vec<f64> = places.iter().map(|&place| x.data[place]).collect();
                    for (place, value) in places.into_iter().zip(of(&row)) {
                        let [scale, shift] = given.map(|given| given.map(|of| of.data[channel]));
                        y.data[place] = value * scale.unwrap_or(1.0) + shift.unwrap_or(0.0);
                    }
                }
            }
            y
        };
    let scaled_group = Function::new(
        "group_norm",
        |x| x[0].group_norm(2, x[1], x[2], EPS),
        |x| {
            let data: Vec<f64> = x[0].data.chunks(10).flat_map(normal).collect();
            let y = Array64 { meta: x[0].meta.clone(), data };
            Array64::from_fn(y.meta.clone(), |c| y.at(&c) * x[1].data[c[1]] + x[2].data[c[1]])
        },
    );
    let instance = Function::new(
        "instance_norm",
        |x| x[0].instance_norm(x[1], x[2], EPS),
        move |x| channels(x[0], [Some(x[1]), Some(x[2])], normal, false),
    );
    let given = Function::new(
        "batch_norm",
        |x| x[0].batch_norm(x[1], x[2], x[3], x[4], EPS),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                let [mean, variance, scale, shift] = [1, 2, 3, 4].map(|k| x[k].data[c[1]]);
                (x[0].at(&c) - mean) / (variance + EPS).sqrt() * scale + shift
            })
        },
    );
    let unscaled = Function::new(
        "batch_norm",
        |x| x[0].batch_norm(x[1], x[2], None, None, EPS),
        |x| {
            Array64::from_fn(x[0].meta.clone(), |c| {
                (x[0].at(&c) - x[1].data[c[1]]) / (x[2].data[c[1]] + EPS).sqrt()
            })
        },
    );
    let trained = Function::new(
        "batch_norm_training",
        |x| x[0].batch_norm_training(x[1], x[2], EPS).0,
        move |x| channels(x[0], [Some(x[1]), Some(x[2])], normal, true),
    );
    let statistics = Function::new(
        "batch_norm_training",
        |x| {
            let (_, mean, variance) = x[0].batch_norm_training(None, None, EPS);
            mean.graph().concat(&[mean, variance], 0)
        },
        |x| {
            let [n, channels, len] = [0, 1, 2].map(|axis| x[0].shape().dims()[axis]);
            Array64::from_fn(Meta::new([2 * channels], DType::F32), |c| {
                let all = || (0..n * len).map(|k| x[0].at(&[k / len, c[0] % channels, k % len]));
                let count = (n * len) as f64;
                let mean = all().sum::<f64>() / count;
                match c[0] < channels {
                    true => mean,
                    false => all().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0),
                }
            })
        },
    );
    let of_channels = |function, count: usize| {
        let operands = [f32s(&[3, 2, 4])].into_iter().chain(vec![f32s(&[2]); count]);
        Sample::new(function, operands)
    };
    let few = "a mean, a root and a quotient of numbers below 3";
    vec![
        Sample::new(group, [f32s(&[2, 4, 5])]).bound(Bound::Abs(4e-6), few),
        Sample::new(scaled_group, [f32s(&[2, 4, 5]), f32s(&[4]), f32s(&[4])])
            .bound(Bound::Abs(4e-6), few),
        of_channels(instance, 2).bound(Bound::Abs(4e-6), few),
        of_channels(given, 4).operand(2, Domain::Range(0.5, 2.0)).bound(Bound::Abs(4e-6), few),
        of_channels(unscaled, 2).operand(2, Domain::Range(0.5, 2.0)).bound(Bound::Abs(4e-6), few),
        of_channels(trained, 2).bound(Bound::Abs(4e-6), few),
        of_channels(statistics, 0).bound(Bound::Abs(4e-6), "a mean, and one of squares"),
    ]
}
