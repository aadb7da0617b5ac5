//! Progress and results of a training.

use super::{BatchChoice, Confusion, Measures};
use crate::error::Error;
use std::fmt;

/// A step of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Number of steps in the epoch. Of a stream, it is that of the epoch before; `None` in the first.
    pub steps: Option<usize>,
    /// The step within the training, counted from 1; also of one that was resumed.
    pub total: usize,
}

/// Losses and metrics of an epoch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// Those of each objective over the training data, by name, each measured when its batch was
    /// trained on.
    pub objectives: Vec<(String, Measures)>,
    /// Those of the validation data, after the epoch; `None` without such data.
    pub validation: Option<Measures>,
    /// Number of steps in it, of all objectives, that changed nothing because a gradient was not finite:
    /// see [`SkipNonFinite`](crate::optim::SkipNonFinite). Their losses count if they are finite.
    pub skipped: usize,
    /// Seconds since the start of training, excluding compilation.
    pub seconds: f64,
}

impl Epoch {
    /// The mean loss of the first objective over the training data; NaN without one.
    pub fn loss(&self) -> f64 {
        self.objectives.first().map_or(f64::NAN, |(_, measures)| measures.loss)
    }

    /// Losses and metrics of the objective of this name.
    pub fn objective(&self, name: &str) -> Option<&Measures> {
        self.objectives.iter().find(|(known, _)| known == name).map(|(_, measures)| measures)
    }

    pub(super) fn forget_confusion(&mut self) {
        let trained = self.objectives.iter_mut().map(|(_, measures)| measures);
        trained.chain(&mut self.validation).for_each(Measures::forget_confusion);
    }

    /// A metric of the validation data.
    pub fn validated(&self, metric: &str) -> Option<f64> {
        self.validation.as_ref()?.get(metric)
    }
}

impl fmt::Display for Epoch {
    /// `epoch  3  loss 0.1234  validation loss 0.1310  accuracy 0.9712`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {:>3}", self.number)?;
        match &self.objectives[..] {
            [(_, only)] => write!(f, "  {only}")?,
            all => all.iter().try_for_each(|(name, measures)| write!(f, "  {name} {measures}"))?,
        }
        self.validation.iter().try_for_each(|measures| write!(f, "  validation {measures}"))?;
        match self.skipped {
            0 => Ok(()),
            1 => f.write_str("  1 step skipped"),
            steps => write!(f, "  {steps} steps skipped"),
        }
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// All epochs are done, or all steps.
    Completed,
    /// A callback ended it.
    Stopped,
    /// It was asked to stop from outside: see [`Trainer::stop_on`](super::Trainer::stop_on).
    Interrupted,
}

/// Result of a training.
#[doc(alias = "History")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The epochs of this training, in order; not those that were complete before it was resumed.
    pub epochs: Vec<Epoch>,
    /// Number of steps in this training.
    pub steps: usize,
    /// How many of them changed nothing because a gradient was not finite, in its complete epochs: see
    /// [`Epoch::skipped`].
    pub skipped: usize,
    /// Seconds of training and evaluation, with what was called on the way, excluding compilation.
    pub seconds: f64,
    /// Why it ended.
    pub ending: Ending,
    /// The last step that was trained on; `None` if there was none, ever.
    pub last: Option<Step>,
    /// Losses and metrics of the validation data at the end; `None` without such data, and for a
    /// training that was stopped within an epoch.
    pub validation: Option<Measures>,
    /// The batch that was [chosen](super::Trainer::auto_batch), if one was.
    pub auto_batch: Option<BatchChoice>,
    /// Why the last checkpoint could not be written, if so. The one before it is still there.
    pub unsaved: Option<Error>,
}

impl Report {
    /// Predictions for the validation data at the end, of the first metric that counts them.
    pub fn confusion(&self) -> Option<&Confusion> {
        self.validation.as_ref()?.confusion()
    }
}
