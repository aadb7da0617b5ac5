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
    /// Sums of each objective in this epoch.
    pub sums: Vec<Sums>,
}

impl Position {
    /// The beginning of a training of so many objectives.
    pub fn start(objectives: usize) -> Self {
        Position { epoch: 1, step: 0, total: 0, sums: vec![Sums::default(); objectives] }
    }

    /// Goes on to the next epoch.
    pub fn turn(&mut self) {
        let Position { epoch, total, .. } = *self;
        *self = Position { epoch: epoch + 1, total, ..Position::start(self.sums.len()) };
    }

    /// The last step, in epochs of so many; `None` before the first.
    pub fn last(&self, steps: usize) -> Option<Step> {
        let Position { epoch, step, total, .. } = *self;
        match (epoch, step) {
            (_, 1..) => Some(Step { epoch, step, steps, total }),
            (2.., 0) => Some(Step { epoch: epoch - 1, step: steps, steps, total }),
            _ => None,
        }
    }
}
