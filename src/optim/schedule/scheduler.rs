//! Follows a schedule through a training.

use super::{
    compose::Schedule,
    course::{Course, Resolver},
    plateau::Watch,
    span::{Clock, Part},
};
use crate::error::{Error, ScheduleError};

/// A [`Schedule`] in a training whose length is known, with the state of its plateaus.
///
/// ```
/// use wgrad::optim::{Clock, Schedule, Span};
///
/// let schedule = Schedule::step(Span::epochs(30.0), 0.1);
/// let scheduler = schedule.start(Clock { steps_per_epoch: Some(10), steps: Some(900) })?;
/// assert_eq!([scheduler.factor(299)?, scheduler.factor(300)?], [1.0, 0.1]);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduler {
    clock: Clock,
    course: Course,
    plateaus: Vec<Watch>,
}

impl Schedule {
    /// Begins to follow it, in a training of this length.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Number`] for a number that is not valid; [`ScheduleError::UnknownLength`]
    /// for epochs, a share or the rest of a training whose length is not known;
    /// [`ScheduleError::NothingLeft`] for a rest without a step; [`ScheduleError::NoEnd`] if
    /// something comes after what never ends.
    pub fn start(&self, clock: Clock) -> Result<Scheduler, Error> {
        let mut resolver = Resolver { clock: &clock, plateaus: vec![] };
        let (course, _) = resolver.resolve(self, Part { start: 0, end: clock.steps })?;
        let plateaus = resolver.plateaus;
        Ok(Scheduler { clock, course, plateaus })
    }
}

impl Scheduler {
    /// The factor of a step, counted from 0. It depends on nothing but the step and the state of
    /// plateaus, so a training that was resumed goes on at any step.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Factor`] if a function or a power gives one that is negative or not finite.
    pub fn factor(&self, step: usize) -> Result<f64, Error> {
        let factor = self.course.factor(step, &self.clock, &self.plateaus);
        match factor.is_finite() && factor >= 0.0 {
            true => Ok(factor),
            false => Err(ScheduleError::Factor { step, factor }.into()),
        }
    }

    /// Names of the metrics that its plateaus watch; none without plateaus, which then need not
    /// [observe](Self::observe) anything.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.plateaus.iter().map(Watch::metric)
    }

    /// Tells plateaus their metrics after an epoch, when so many steps of the training are done.
    /// Those that were not under way at the last of these steps do not count it.
    ///
    /// NaN is never better than anything.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::NoMetric`] if `metric` does not know one of the [names](Self::metrics);
    /// nothing is then observed.
    pub fn observe(
        &mut self,
        steps: usize,
        metric: impl Fn(&str) -> Option<f64>,
    ) -> Result<(), Error> {
        let values: Vec<Option<f64>> = self.metrics().map(metric).collect();
        let missing = self.metrics().zip(&values).filter(|(_, value)| value.is_none());
        let names: Vec<String> = missing.map(|(name, _)| name.to_owned()).collect();
        if !names.is_empty() {
            return Err(ScheduleError::NoMetric { names, known: vec![] }.into());
        }
        for (plateau, value) in self.plateaus.iter_mut().zip(values.into_iter().flatten()) {
            plateau.observe(steps, value);
        }
        Ok(())
    }

    /// The state of its plateaus as text, a line for each: all that a checkpoint needs besides the
    /// step.
    pub fn save(&self) -> String {
        self.plateaus.iter().map(|plateau| plateau.save() + "\n").collect()
    }

    /// Restores the state that [`save`](Self::save) wrote, of the same schedule, bit for bit.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::State`] for any other text; nothing is then changed.
    pub fn load(&mut self, state: &str) -> Result<(), Error> {
        let lines: Vec<&str> = state.lines().collect();
        let (is, expected) = (lines.len(), self.plateaus.len());
        if is != expected {
            return Err(ScheduleError::States { is, expected }.into());
        }
        let loaded = |(index, (plateau, &line)): (usize, (&Watch, &&str))| {
            plateau.loaded(line).ok_or(ScheduleError::State { line: index + 1 })
        };
        let states = self.plateaus.iter().zip(&lines).enumerate();
        self.plateaus = states.map(loaded).collect::<Result<_, _>>()?;
        Ok(())
    }
}
