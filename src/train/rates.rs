//! Learning rates that follow a schedule.

use super::{Objective, Trainer, source::Source};
use crate::{
    array::Array,
    error::{Error, ScheduleError},
    optim::{Clock, Schedule, Scheduler},
    variables::Variables,
};

/// The learning rates of an objective in the course of a training.
pub(super) struct Rates {
    pub scheduler: Scheduler,
    /// The rates of the optimizer and of its groups, by path, as the code has them.
    own: Vec<(String, f32)>,
    /// The rates that were set last, in this order.
    last: Vec<f32>,
}

/// How long a training is.
pub(super) fn clock(trainer: &Trainer<'_>, source: &Source<'_>) -> Clock {
    let steps_per_epoch = source.steps();
    let all = steps_per_epoch.map(|steps| steps.saturating_mul(trainer.epochs));
    let most = Some(trainer.most_steps).filter(|&most| most < usize::MAX);
    Clock { steps_per_epoch, steps: all.into_iter().chain(most).min() }
}

/// A schedule as a checkpoint tells it from others: with the length of the training if that matters.
#[cfg(feature = "files")]
pub(super) fn described(schedule: &Schedule, clock: Clock) -> String {
    match (schedule.start(Clock { steps: None, ..clock }), clock.steps) {
        (Err(_), Some(steps)) => format!("{schedule}, of {steps} steps"),
        _ => schedule.to_string(),
    }
}

impl Rates {
    /// Begins to follow a schedule; variables have been initialized.
    pub fn new(
        objective: &Objective<'_>,
        schedule: &Schedule,
        clock: Clock,
        variables: &Variables,
    ) -> Result<Self, Error> {
        let scope = objective.optimizer_scope();
        let own = variables.settings(&scope).into_iter();
        let own: Vec<_> = own.filter(|(path, _)| path.ends_with("/lr")).collect();
        if own.is_empty() {
            return Err(ScheduleError::NoRate { scope }.into());
        }
        Ok(Rates { scheduler: schedule.start(clock)?, own, last: vec![] })
    }

    /// Checks that the metrics that its plateaus watch are among these, or the loss.
    pub fn check(&self, metrics: &[String]) -> Result<(), Error> {
        let is_known = |name: &&str| *name == "loss" || metrics.iter().any(|known| known == name);
        let unknown = self.scheduler.metrics().filter(|name| !is_known(name));
        let names: Vec<String> = unknown.map(str::to_owned).collect();
        if names.is_empty() { Ok(()) } else { Err(ScheduleError::NoMetric { names }.into()) }
    }

    /// Sets the rates of a step, counted from 0.
    pub fn set(&mut self, variables: &Variables, step: usize) -> Result<(), Error> {
        let factor = self.scheduler.factor(step)?;
        let rates = self.own.iter().map(|(_, own)| (f64::from(*own) * factor) as f32);
        let rates: Vec<f32> = rates.collect();
        if rates != self.last {
            let paths = self.own.iter().map(|(path, _)| path.clone());
            variables.set_all(paths.zip(rates.iter().copied().map(Array::scalar)))?;
            self.last = rates;
        }
        Ok(())
    }
}
