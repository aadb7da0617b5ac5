//! Optimizers: update rules for parameters, what is done to gradients before, and schedules.
//!
//! They are plain data. Their state lives in variables below `optim/`, alongside the parameters, so
//! that a checkpoint of the store is complete. The learning rate is a [setting] beside it, `optim/lr`:
//! it can change between steps without compiling again, and is what the code says, not what a
//! checkpoint says.
//!
//! | | |
//! |---|---|
//! | [`Sgd`] | gradient descent, with momentum, Nesterov's too |
//! | [`Adam`], [`AdamW`], [`NAdam`], [`RAdam`] | moments of first and second order |
//! | [`Adagrad`], [`Adadelta`], [`RmsProp`] | scales for each element |
//! | [`Lion`] | signs of a momentum |
//! | [`Lamb`] | Adam with trust ratios, for large batches |
//! | [`Muon`] | orthogonal steps of matrices |
//!
//! Around each may be adaptors, which are methods of [`OptimizerExt`]: clipping, groups of parameters
//! with optimizers of their own, averages of parameters, skipping of steps that are not finite, and
//! scaling of losses. A [`Schedule`] changes learning rates in the course of a training.
//!
//! If two optimizers use the same store, each needs its own name, or they would share learning rate
//! and step count: `Adam::new(4e-4).named("disc")` keeps its state below `disc/`. Two of one name
//! that differ in their rates are an error, in one graph when it is compiled, and in two programs
//! when the second is prepared.
//!
//! [setting]: crate::Graph::setting

mod adadelta;
mod adagrad;
mod adam;
mod average;
mod clip;
mod ext;
mod group;
mod lamb;
mod lion;
mod loss_scale;
mod muon;
mod nadam;
mod norm;
mod optimizer;
mod radam;
mod rmsprop;
mod schedule;
mod sgd;
mod skip;
mod terms;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use average::Average;
pub use clip::{ClipNorm, ClipValue};
pub use ext::{Named, OptimizerExt};
pub use group::{Group, Select};
pub use lamb::Lamb;
pub use lion::Lion;
pub use loss_scale::LossScale;
pub use muon::{AdjustLr, Muon};
pub use nadam::NAdam;
pub(crate) use norm::{are_finite, global_norm};
pub(crate) use optimizer::SKIPPED;
pub use optimizer::{Adaptor, Optimizer, Update, With};
pub use radam::RAdam;
pub use rmsprop::RmsProp;
pub use schedule::{Clock, OneCycle, Plateau, Schedule, Scheduler, Span};
pub use sgd::Sgd;
pub use skip::SkipNonFinite;

#[cfg(test)]
mod tests;
