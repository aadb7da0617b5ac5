//! Curves: factors that follow from the number of the step.

use super::{
    one_cycle::Cycle,
    ramp::Ramp,
    span::{Clock, Span},
};
use crate::numbers::Must;
use std::{fmt, sync::Arc};

/// A curve whose lengths are spans, or numbers of steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Curve<S> {
    Constant(f64),
    Ramp { ramp: Ramp, over: S },
    Steps { every: S, gamma: f64 },
    Milestones { at: Vec<S>, gamma: f64 },
    Exponential { every: S, gamma: f64 },
    Restarts { ramp: Ramp, first: S, growth: f64 },
    OneCycle { cycle: Cycle, over: S },
    Function(Function),
}

type Factor = dyn Fn(usize, &Clock) -> f64 + Send + Sync;

/// A function of the step, equal only to itself.
#[derive(Clone)]
pub(super) struct Function(pub Arc<Factor>);

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Curve<Span> {
    /// Numbers besides spans, their names, and what they must be.
    pub fn numbers(&self) -> Vec<(&'static str, f64, Must)> {
        match self {
            Curve::Constant(factor) => vec![("factor", *factor, Must::BeAtLeast0)],
            Curve::Ramp { ramp, .. } => ramp.numbers(),
            Curve::Steps { gamma, .. }
            | Curve::Milestones { gamma, .. }
            | Curve::Exponential { gamma, .. } => vec![("gamma", *gamma, Must::BePositive)],
            Curve::Restarts { ramp, growth, .. } => {
                [ramp.numbers(), vec![("growth", *growth, Must::BeAtLeast1)]].concat()
            }
            Curve::OneCycle { cycle, .. } => cycle.numbers(),
            Curve::Function(_) => vec![],
        }
    }

    /// The curve with numbers of steps for its spans.
    pub fn resolve<E>(&self, steps: impl Fn(&Span) -> Result<usize, E>) -> Result<Curve<usize>, E> {
        Ok(match self {
            Curve::Constant(factor) => Curve::Constant(*factor),
            Curve::Ramp { ramp, over } => Curve::Ramp { ramp: *ramp, over: steps(over)? },
            Curve::Steps { every, gamma } => Curve::Steps { every: steps(every)?, gamma: *gamma },
            Curve::Milestones { at, gamma } => {
                let at = at.iter().map(steps).collect::<Result<_, E>>()?;
                Curve::Milestones { at, gamma: *gamma }
            }
            Curve::Exponential { every, gamma } => {
                Curve::Exponential { every: steps(every)?, gamma: *gamma }
            }
            Curve::Restarts { ramp, first, growth } => {
                Curve::Restarts { ramp: *ramp, first: steps(first)?, growth: *growth }
            }
            Curve::OneCycle { cycle, over } => {
                Curve::OneCycle { cycle: *cycle, over: steps(over)? }
            }
            Curve::Function(function) => Curve::Function(function.clone()),
        })
    }
}

impl Curve<usize> {
    /// The factor of a step, counted from the beginning of the curve.
    pub fn factor(&self, step: usize, clock: &Clock) -> f64 {
        let turns = |every: usize| step as f64 / every as f64;
        match self {
            Curve::Constant(factor) => *factor,
            Curve::Ramp { ramp, over } => ramp.at(turns(*over)),
            Curve::Steps { every, gamma } => gamma.powf((step / every) as f64),
            Curve::Milestones { at, gamma } => {
                gamma.powf(at.iter().filter(|&&milestone| milestone <= step).count() as f64)
            }
            Curve::Exponential { every, gamma } => gamma.powf(turns(*every)),
            Curve::Restarts { ramp, first, growth } => ramp.at(in_cycle(step, *first, *growth)),
            Curve::OneCycle { cycle, over } => cycle.factor(step, *over),
            Curve::Function(Function(function)) => function(step, clock),
        }
    }

    /// Number of steps until it ends, if it does.
    pub fn steps(&self) -> Option<usize> {
        match self {
            Curve::Ramp { over, .. } | Curve::OneCycle { over, .. } => Some(*over),
            _ => None,
        }
    }
}

/// The share of its cycle that has passed at a step.
fn in_cycle(step: usize, first: usize, growth: f64) -> f64 {
    if growth == 1.0 {
        return (step % first) as f64 / first as f64;
    }
    // In lengths of the first cycle, as all here: cycles are a geometric series.
    let passed = step as f64 / first as f64;
    let (rate, logarithm) = (growth - 1.0, growth.ln());
    // Where a cycle begins, rounding must not leave the step in the one before.
    let cycles = ((passed * rate).ln_1p() / logarithm * (1.0 + 1e-14)).floor();
    let grown = (cycles * logarithm).exp_m1();
    (passed - grown / rate) / (1.0 + grown)
}
