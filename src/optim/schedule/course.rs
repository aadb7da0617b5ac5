//! The course of a schedule through one training: its spans are numbers of steps.

use super::{
    compose::{Kind, Schedule},
    curve::Curve,
    plateau::Watch,
    span::{Clock, Part, Span},
};
use crate::{error::ScheduleError, numbers::Must};

/// A schedule whose spans are numbers of steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Course {
    Curve(Curve<usize>),
    /// A plateau, by its position among those of the schedule.
    Plateau(usize),
    WarmUp(usize, Box<Course>),
    /// Courses one after another, each with the step at which it begins; the first at 0.
    Then(Vec<(usize, Course)>),
    Times(Vec<Course>),
}

impl Course {
    /// The factor of a step, counted from the beginning of this course.
    pub fn factor(&self, step: usize, clock: &Clock, plateaus: &[Watch]) -> f64 {
        let factor = |course: &Course, step| course.factor(step, clock, plateaus);
        match self {
            Course::Curve(curve) => curve.factor(step, clock),
            Course::Plateau(index) => plateaus[*index].factor(),
            Course::WarmUp(steps, next) => match step.checked_sub(*steps) {
                Some(step) => factor(next, step),
                None => factor(next, 0) * (step as f64 + 1.0) / (*steps as f64 + 1.0),
            },
            Course::Then(parts) => {
                let begun = parts.iter().rev().find(|(start, _)| *start <= step);
                begun.map_or(1.0, |(start, course)| factor(course, step - start))
            }
            Course::Times(factors) => factors.iter().map(|course| factor(course, step)).product(),
        }
    }
}

/// Finds the courses of schedules, and the plateaus in them.
pub(super) struct Resolver<'a> {
    pub clock: &'a Clock,
    pub plateaus: Vec<Watch>,
}

impl Resolver<'_> {
    /// The course of a schedule in this part of the training, and the number of steps until it
    /// ends, if it does.
    pub fn resolve(
        &mut self,
        schedule: &Schedule,
        part: Part,
    ) -> Result<(Course, Option<usize>), ScheduleError> {
        let clock = self.clock;
        let steps = |span: &Span| span.resolve(clock, part, schedule);
        let after = |steps: usize| Part { start: part.start.saturating_add(steps), ..part };
        match &schedule.0 {
            Kind::Curve(curve) => {
                check(schedule, curve.numbers())?;
                let curve = curve.resolve(steps)?;
                let end = curve.steps();
                Ok((Course::Curve(curve), end))
            }
            Kind::Plateau(plateau) => {
                check(schedule, plateau.numbers())?;
                self.plateaus.push(Watch::new(plateau.clone(), part));
                Ok((Course::Plateau(self.plateaus.len() - 1), None))
            }
            Kind::WarmUp(over, next) => {
                let steps = steps(over)?;
                let (next, end) = self.resolve(next, after(steps))?;
                let end = end.map(|end| end.saturating_add(steps));
                Ok((Course::WarmUp(steps, Box::new(next)), end))
            }
            Kind::Lasting(schedule, span) => {
                let steps = steps(span)?;
                let part = Part { end: Some(after(steps).start), ..part };
                Ok((self.resolve(schedule, part)?.0, Some(steps)))
            }
            Kind::Then(parts) => {
                let (mut start, mut courses) = (Some(0), vec![]);
                for (index, schedule) in parts.iter().enumerate() {
                    let begin = start.ok_or_else(|| ScheduleError::NoEnd {
                        schedule: parts[index - 1].to_string(),
                        next: schedule.to_string(),
                    })?;
                    let (course, end) = self.resolve(schedule, after(begin))?;
                    courses.push((begin, course));
                    start = end.map(|end| end.saturating_add(begin));
                }
                Ok((Course::Then(courses), start))
            }
            Kind::Times(factors) => {
                let factors = factors.iter().map(|factor| self.resolve(factor, part));
                let factors: Vec<_> = factors.collect::<Result<_, _>>()?;
                let end = factors.iter().map(|(_, end)| *end).collect::<Option<Vec<usize>>>();
                let end = end.and_then(|ends| ends.into_iter().max());
                let factors = factors.into_iter().map(|(course, _)| course).collect();
                Ok((Course::Times(factors), end))
            }
        }
    }
}

/// Refuses the first number that is not what it must be.
fn check(
    schedule: &Schedule,
    numbers: Vec<(&'static str, f64, Must)>,
) -> Result<(), ScheduleError> {
    match numbers.into_iter().find(|(_, is, must)| !must.allows(*is)) {
        Some((what, is, must)) => Err(ScheduleError::number(schedule, what, must, is)),
        None => Ok(()),
    }
}
