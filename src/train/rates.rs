//! Learning rates that follow schedules.

use super::{Epoch, Objective, Trainer, measures::Sums, source::Source};
use crate::{
    array::Array,
    error::{Error, ScheduleError},
    optim::{Clock, Schedule, Scheduler},
    variables::Variables,
};

/// The learning rates of a training.
pub(super) struct Rates {
    /// By objective, where it has a schedule and does not share the optimizer of one before.
    followers: Vec<Option<Follower>>,
}

/// The rates of an optimizer and of its groups.
struct Follower {
    scheduler: Scheduler,
    /// The rates as the code has them, by path.
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

/// A schedule as a checkpoint tells it from others: with the length of the training where that matters.
#[cfg(feature = "files")]
pub(super) fn described(schedule: &Schedule, clock: Clock) -> String {
    let depends =
        schedule.has_function() || schedule.start(Clock { steps: None, ..clock }).is_err();
    match clock.steps.filter(|_| depends) {
        Some(steps) => format!("{schedule}, of {steps} steps"),
        None => schedule.to_string(),
    }
}

impl Rates {
    /// Begins to follow the schedules of a training, whose variables have been initialized. `metrics` are
    /// those that are known of each objective, and `states` what was saved of its schedule, or empty.
    pub fn new(
        trainer: &Trainer<'_>,
        clock: Clock,
        metrics: &[Vec<String>],
        states: &mut [String],
        variables: &Variables,
    ) -> Result<Self, Error> {
        let mut followers = vec![];
        for (index, objective) in trainer.objectives.iter().enumerate() {
            let before = trainer.objectives.iter().take(index);
            let same =
                |other: &&Objective<'_>| other.optimizer_scope() == objective.optimizer_scope();
            let schedule = trainer.schedule_of(objective);
            followers.push(match (before.into_iter().find(same), schedule) {
                (Some(first), Some(own)) if trainer.schedule_of(first) != Some(own) => {
                    let objectives = [&first.name, &objective.name].map(String::clone);
                    return Err(ScheduleError::Shared { objectives }.into());
                }
                (None, Some(schedule)) => {
                    Some(Follower::new(objective, schedule, clock, variables)?)
                }
                _ => None,
            });
        }
        for ((follower, known), state) in followers.iter_mut().zip(metrics).zip(states) {
            let Some(follower) = follower else { continue };
            follower.check(known)?;
            // A state that is empty is that of another schedule, or of none with plateaus.
            match state.is_empty() {
                false => follower.scheduler.load(state)?,
                true => *state = follower.scheduler.save(),
            }
        }
        Ok(Rates { followers })
    }

    /// Sets the rates of a step, counted from 0.
    pub fn set(&mut self, variables: &Variables, step: usize) -> Result<(), Error> {
        self.followers.iter_mut().flatten().try_for_each(|follower| follower.set(variables, step))
    }

    /// Tells schedules of an epoch, after so many steps, with the sums of each objective in it. Metrics of
    /// the validation come first; where one was not measured, a schedule is told nothing.
    pub fn observe(
        &mut self,
        epoch: &Epoch,
        steps: usize,
        sums: &[Sums],
        states: &mut [String],
    ) -> Result<(), Error> {
        let objectives = epoch.objectives.iter().zip(sums).zip(states);
        for (follower, (((_, trained), sums), state)) in self.followers.iter_mut().zip(objectives) {
            let Some(follower) = follower else { continue };
            let metric = |name: &str| {
                let validated = epoch.validation.as_ref().and_then(|measures| measures.value(name));
                validated.or_else(|| trained.value(name).filter(|_| sums.weight > 0.0))
            };
            if follower.scheduler.metrics().all(|name| metric(name).is_some()) {
                follower.scheduler.observe(steps, metric)?;
                *state = follower.scheduler.save();
            }
        }
        Ok(())
    }

    /// Sets the rates to what the code says.
    pub fn restore(&self, variables: &Variables) -> Result<(), Error> {
        let own = self.followers.iter().flatten().flat_map(|follower| &follower.own);
        variables.set_all(own.map(|(path, rate)| (path.clone(), Array::scalar(*rate))))
    }
}

impl Follower {
    fn new(
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
        Ok(Follower { scheduler: schedule.start(clock)?, own, last: vec![] })
    }

    /// Checks that the metrics that its plateaus watch are among these.
    fn check(&self, known: &[String]) -> Result<(), Error> {
        let unknown = self.scheduler.metrics().filter(|name| !known.iter().any(|it| it == name));
        let names: Vec<String> = unknown.map(str::to_owned).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(ScheduleError::NoMetric { names, known: known.to_vec() }.into()),
        }
    }

    fn set(&mut self, variables: &Variables, step: usize) -> Result<(), Error> {
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
