//! Lengths of a training, and how many steps they are.

use crate::{error::ScheduleError, numbers::Must};
use std::fmt::{self, Display, Formatter};

/// A length of a training: so many steps or epochs, a share of it, or the rest of it.
///
/// It becomes a whole number of steps when the training starts: the nearest, and at least one.
///
/// ```
/// use wgrad::optim::Span;
///
/// assert_eq!(Span::steps(500).to_string(), "500 steps");
/// assert_eq!(Span::epochs(2.5).to_string(), "2.5 epochs");
/// assert_eq!(Span::share(0.1).to_string(), "0.1 of the training");
/// assert_eq!(Span::rest().to_string(), "the rest");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span(Length);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    Steps(usize),
    Epochs(f64),
    Share(f64),
    Rest,
}

impl Span {
    /// So many steps.
    pub fn steps(steps: usize) -> Self {
        Span(Length::Steps(steps))
    }

    /// So many epochs; a fraction is that of the steps of an epoch.
    pub fn epochs(epochs: f64) -> Self {
        Span(Length::Epochs(epochs))
    }

    /// A share of the training, at most 1; always of the whole, also in a later part of it.
    #[doc(alias = "warmup_ratio")]
    pub fn share(share: f64) -> Self {
        Span(Length::Share(share))
    }

    /// All that is left: of the training, or of the span that a schedule
    /// [lasts](super::Schedule::lasting). From the beginning that is the whole training.
    pub fn rest() -> Self {
        Span(Length::Rest)
    }

    /// The number of steps, at least 1, in a part of a training.
    ///
    /// # Errors
    ///
    /// In the name of `schedule`, unless the span is above 0 and of known length.
    pub(super) fn resolve(
        self,
        clock: &Clock,
        part: Part,
        schedule: &dyn Display,
    ) -> Result<usize, ScheduleError> {
        let check = |what, must: Must, is: f64| match must.allows(is) {
            true => Ok(()),
            false => Err(ScheduleError::number(schedule, what, must, is)),
        };
        let known = |whole: Option<usize>, unit| {
            let unknown = || ScheduleError::UnknownLength { schedule: schedule.to_string(), unit };
            whole.ok_or_else(unknown)
        };
        let nearest = |steps: f64| (steps.round() as usize).max(1);
        match self.0 {
            Length::Steps(steps) => {
                check("number of steps", Must::BePositive, steps as f64)?;
                Ok(steps)
            }
            Length::Epochs(epochs) => {
                check("number of epochs", Must::BePositive, epochs)?;
                Ok(nearest(known(clock.steps_per_epoch, "an epoch")? as f64 * epochs))
            }
            Length::Share(share) => {
                check("share of the training", Must::BePositive, share)?;
                check("share of the training", Must::BeFraction, share)?;
                Ok(nearest(known(clock.steps, "the training")? as f64 * share))
            }
            Length::Rest => {
                let Part { start, end } = part;
                match known(end, "the training")?.checked_sub(start) {
                    Some(left) if left > 0 => Ok(left),
                    _ => Err(ScheduleError::NothingLeft { schedule: schedule.to_string(), start }),
                }
            }
        }
    }
}

impl Display for Span {
    /// `500 steps`, `2.5 epochs`, `0.1 of the training`, `the rest`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Length::Steps(1) => f.write_str("1 step"),
            Length::Steps(steps) => write!(f, "{steps} steps"),
            Length::Epochs(1.0) => f.write_str("1 epoch"),
            Length::Epochs(epochs) => write!(f, "{epochs} epochs"),
            Length::Share(share) => write!(f, "{share} of the training"),
            Length::Rest => f.write_str("the rest"),
        }
    }
}

/// How long a training is, in steps of the optimizer, as far as that is known when it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Number of steps in an epoch; `None` for a stream, whose length is unknown.
    pub steps_per_epoch: Option<usize>,
    /// Number of steps in the whole training, those before it was resumed included.
    pub steps: Option<usize>,
}

/// A part of a training, in its steps: the first, and the one behind the last if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub start: usize,
    pub end: Option<usize>,
}
