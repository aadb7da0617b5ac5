//! Learning-rate schedules: factors of the rate of an optimizer, step by step.
//!
//! A [`Schedule`] is plain data. Its lengths are [`Span`]s, in steps, epochs or shares of a
//! training, and it combines with others: [`warm_up`](Schedule::warm_up), [`then`](Schedule::then),
//! [`times`](Schedule::times). [`Schedule::start`] gives the [`Scheduler`] of a training, which is
//! asked for the factor of each step and told metrics after each epoch.
//!
//! | PyTorch | here |
//! |---|---|
//! | `LambdaLR` | [`Schedule::of`] |
//! | `ConstantLR` | [`Schedule::constant`], [`lasting`](Schedule::lasting), then 1 |
//! | `LinearLR` | [`Schedule::linear`] |
//! | `StepLR`, `MultiStepLR` | [`Schedule::step`], [`Schedule::milestones`] |
//! | `ExponentialLR` | [`Schedule::exponential`], or `step` once an epoch |
//! | `PolynomialLR` | [`Schedule::polynomial`] |
//! | `CosineAnnealingLR` | [`Schedule::cosine`] |
//! | `CosineAnnealingWarmRestarts` | [`Schedule::cosine_restarts`] |
//! | `OneCycleLR` | [`OneCycle`] |
//! | `ReduceLROnPlateau` | [`Plateau`] |
//! | `SequentialLR`, `ChainedScheduler` | [`Schedule::then`], [`Schedule::times`] |
//!
//! Every factor is calculated from the number of its step, in f64, where most of PyTorch's are
//! calculated from the one before: they agree but for rounding. Behind its end a schedule keeps its
//! last factor, where PyTorch's cosine rises again and its `OneCycleLR` is an error.

mod compose;
mod course;
mod curve;
mod display;
mod one_cycle;
mod plateau;
mod ramp;
mod scheduler;
mod span;

pub use compose::Schedule;
pub use one_cycle::OneCycle;
pub use plateau::Plateau;
pub use scheduler::Scheduler;
pub use span::{Clock, Span};

#[cfg(test)]
mod tests;
