//! How far a training has come.

use super::{Step, measures::Sums};

/// How far a training has come: what has to be known to go on, beside the variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Position {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Number of steps that are done in it.
    pub step: usize,
    /// Number of steps in all epochs.
    pub total: usize,
    /// Number of steps in an epoch; of a stream, that of the last epoch, and `None` in the first.
    pub steps: Option<usize>,
    /// Sums of each objective in this epoch.
    pub sums: Vec<Sums>,
    /// Number of steps of each objective that were skipped before this epoch.
    pub skipped: Vec<usize>,
    /// State of the schedule of each objective; empty without one.
    pub schedules: Vec<String>,
}

impl Position {
    /// The beginning of a training of so many objectives.
    pub fn start(objectives: usize, steps: Option<usize>) -> Self {
        Position {
            epoch: 1,
            step: 0,
            total: 0,
            steps,
            sums: vec![Sums::default(); objectives],
            skipped: vec![0; objectives],
            schedules: vec![String::new(); objectives],
        }
    }

    /// Goes on to the next epoch.
    pub fn turn(&mut self) {
        self.steps = Some(self.step);
        self.sums.fill(Sums::default());
        (self.epoch, self.step) = (self.epoch + 1, 0);
    }

    /// The last step; `None` before the first.
    pub fn last(&self) -> Option<Step> {
        let Position { epoch, step, total, steps, .. } = *self;
        match (epoch, step) {
            (_, 1..) => Some(Step { epoch, step, steps, total }),
            (2.., 0) => Some(Step { epoch: epoch - 1, step: steps.unwrap_or(0), steps, total }),
            _ => None,
        }
    }
}
