//! Errors of schedules of the learning rate.

use super::similar::quoted;
use crate::numbers::Must;
use std::fmt::Display;

/// A schedule of the learning rate cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A number that is not valid here.
    #[error("{schedule}: {what} must be {must}, not {is}")]
    Number {
        /// The schedule, or the part of it that has the number.
        schedule: String,
        /// Name of the number.
        what: &'static str,
        /// The requirement.
        must: &'static str,
        /// The actual value.
        is: f64,
    },
    /// A span is measured in something of unknown length.
    #[error("{schedule}: the number of steps in {unit} is not known, so give the span in steps")]
    UnknownLength {
        /// The schedule, or the part of it that has the span.
        schedule: String,
        /// `an epoch` or `the training`.
        unit: &'static str,
    },
    /// A span is the rest of something that has no step left.
    #[error("{schedule}: nothing is left for it after {start} steps")]
    NothingLeft {
        /// The schedule, or the part of it that has the span.
        schedule: String,
        /// Number of steps before it.
        start: usize,
    },
    /// A schedule is to begin after one that never ends.
    #[error(
        "{schedule}: has no end, and {next} would never begin: give it one by `Schedule::lasting`"
    )]
    NoEnd {
        /// The schedule before.
        schedule: String,
        /// The schedule that never begins.
        next: String,
    },
    /// A factor cannot be that of a learning rate.
    #[error(
        "the factor of the learning rate at step {step} must be finite and at least 0, not {factor}"
    )]
    Factor {
        /// The step, counted from 0.
        step: usize,
        /// The factor.
        factor: f64,
    },
    /// A schedule has nothing to change.
    #[error("the schedule has no learning rate to change: there is no setting {scope}lr")]
    NoRate {
        /// The scope of the state of the optimizer.
        scope: String,
    },
    /// Metrics that a schedule watches are not measured.
    #[error(
        "the schedule watches what is not measured{}{}",
        quoted(": ", names),
        quoted("; measured: ", known)
    )]
    NoMetric {
        /// Names of the metrics.
        names: Vec<String>,
        /// Names of those that are measured, as far as they are known.
        known: Vec<String>,
    },
    /// Two objectives share the state of an optimizer, and are to change its rate differently.
    #[error(
        "objectives {:?} and {:?} share the state of an optimizer, and so a schedule: give them one",
        objectives[0],
        objectives[1]
    )]
    Shared {
        /// Names of the objectives.
        objectives: [String; 2],
    },
    /// A state of another number of plateaus.
    #[error("a state of {is} plateaus is not that of a schedule with {expected}")]
    States {
        /// The number in the state.
        is: usize,
        /// The number in the schedule.
        expected: usize,
    },
    /// A text that is not the state of a plateau.
    #[error("line {line} of the state is not that of a plateau")]
    State {
        /// The line, counted from 1.
        line: usize,
    },
}

impl ScheduleError {
    /// A number of `schedule` that is not what it must be.
    pub(crate) fn number(schedule: &dyn Display, what: &'static str, must: Must, is: f64) -> Self {
        ScheduleError::Number { schedule: schedule.to_string(), what, must: must.text(), is }
    }
}
