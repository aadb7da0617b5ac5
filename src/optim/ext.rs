//! Adaptors as methods.

use super::{
    average::Average,
    clip::{ClipNorm, ClipValue},
    group::{Group, Select},
    loss_scale::LossScale,
    optimizer::{Adaptor, Optimizer, Update, With},
    skip::SkipNonFinite,
};
use crate::nn::Scope;

/// Methods that put an [`Adaptor`] around an optimizer.
///
/// The last one gets the gradients first:
///
/// ```
/// use wgrad::{optim::{AdamW, Select}, prelude::*};
///
/// let optimizer = AdamW::new(1e-3)
///     // The head learns faster.
///     .group("head", "net/head", AdamW::new(1e-2))
///     // Biases and scales do not decay, those of the head included.
///     .group("no_decay", Select::Vectors, AdamW::new(1e-3).weight_decay(0.0))
///     // Over all groups together.
///     .clip_norm(1.0)
///     .skip_non_finite()
///     .average(0.999);
/// # let graph = Graph::new();
/// # let mut cx = Scope::new(&graph, Mode::Train);
/// # let x = graph.input("x", [2, 3], DType::F32);
/// # let mut net = cx.child("net");
/// # let y = Dense::new(4).forward(&mut net.child("body"), x);
/// # let y = Dense::new(1).forward(&mut net.child("head"), y);
/// # optimizer.update(&mut cx, y.mean(..));
/// # graph.check()?;
/// # Ok::<(), Error>(())
/// ```
pub trait OptimizerExt: Optimizer + Sized {
    /// Puts an adaptor around this optimizer.
    fn with<A: Adaptor>(self, adaptor: A) -> With<Self, A> {
        With { inner: self, adaptor }
    }

    /// Sets the scope of its state; `optim` by default. Two optimizers over one store need two names.
    fn named(self, name: &str) -> With<Self, Named> {
        self.with(Named(name.to_owned()))
    }

    /// Clips the global norm of the gradients: see [`ClipNorm`].
    #[doc(alias("clip_grad_norm_", "global_clipnorm"))]
    fn clip_norm(self, longest: f64) -> With<Self, ClipNorm> {
        self.with(ClipNorm(longest))
    }

    /// Limits the elements of the gradients: see [`ClipValue`].
    #[doc(alias("clip_grad_value_", "clipvalue"))]
    fn clip_value(self, limit: f64) -> With<Self, ClipValue> {
        self.with(ClipValue(limit))
    }

    /// Skips steps with gradients that are not finite, and counts them: see [`SkipNonFinite`].
    fn skip_non_finite(self) -> With<Self, SkipNonFinite> {
        self.with(SkipNonFinite)
    }

    /// Keeps a moving average of the parameters: see [`Average`].
    #[doc(alias = "use_ema")]
    fn average(self, decay: f64) -> With<Self, Average> {
        self.with(Average::new(decay))
    }

    /// Gives some parameters to another optimizer: see [`Group`].
    #[doc(alias = "param_groups")]
    fn group<O: Optimizer>(
        self,
        name: &str,
        params: impl Into<Select>,
        optimizer: O,
    ) -> With<Self, Group<O>> {
        let name = name.to_owned();
        self.with(Group { name, select: params.into(), optimizer })
    }

    /// Scales losses, for gradients in f16: see [`LossScale`].
    #[doc(alias = "GradScaler")]
    fn scale_loss(self, scale: LossScale) -> With<Self, LossScale> {
        self.with(scale)
    }
}

impl<O: Optimizer> OptimizerExt for O {}

/// The scope of the state of an optimizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(String);

impl Adaptor for Named {
    fn step<'g>(&self, inner: &dyn Optimizer, state: &mut Scope<'g>, updates: &[Update<'_, 'g>]) {
        inner.step(state, updates);
    }

    fn scope(&self) -> Option<&str> {
        Some(&self.0)
    }
}
