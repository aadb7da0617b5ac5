//! Schedules: curves and plateaus, one after another or multiplied.

use super::{
    curve::{Curve, Function},
    one_cycle::OneCycle,
    plateau::Plateau,
    ramp::{Ramp, Shape},
    span::{Clock, Span},
};
use std::sync::Arc;

/// How the learning rate changes in the course of a training, as a factor of the optimizer's own.
///
/// It is plain data, and one schedule serves optimizers of different rates. As text it says what it
/// does. [`start`](Self::start) follows it through a training.
///
/// ```
/// use wgrad::optim::{Clock, Schedule, Span};
///
/// let schedule = Schedule::cosine(1.0, 0.0, Span::rest()).warm_up(Span::steps(500));
/// assert_eq!(schedule.to_string(), "warm-up of 500 steps, then cosine to 0 over the rest");
///
/// let scheduler = schedule.start(Clock { steps_per_epoch: Some(250), steps: Some(2500) })?;
/// assert_eq!(scheduler.factor(0)?, 1.0 / 501.0);
/// assert_eq!(scheduler.factor(500)?, 1.0);
/// assert!((scheduler.factor(1500)? - 0.5).abs() < 1e-12);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("lr_scheduler", "LRScheduler", "LearningRateSchedule", "learning_rate"))]
#[derive(Clone, PartialEq)]
pub struct Schedule(pub(super) Kind);

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Curve(Curve<Span>),
    Plateau(Plateau),
    WarmUp(Span, Box<Schedule>),
    Lasting(Box<Schedule>, Span),
    Then(Vec<Schedule>),
    Times(Vec<Schedule>),
}

impl Schedule {
    /// This factor at every step.
    #[doc(alias = "ConstantLR")]
    pub fn constant(factor: f64) -> Self {
        Schedule(Kind::Curve(Curve::Constant(factor)))
    }

    /// A straight line from one factor to another, which stays.
    #[doc(alias("LinearLR", "get_linear_schedule_with_warmup"))]
    pub fn linear(from: f64, to: f64, over: Span) -> Self {
        Schedule::ramp(Shape::Linear, from, to, over)
    }

    /// Half a period of a cosine from one factor to another, which stays:
    /// `to + (from - to) (1 + cos(π step / over)) / 2`.
    ///
    /// The factor at the end is that of the step behind the span. PyTorch's `CosineAnnealingLR` is
    /// the same up to there, and then rises again.
    ///
    /// # Source
    ///
    /// Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    /// arXiv:1608.03983.
    #[doc(alias("CosineAnnealingLR", "CosineDecay"))]
    pub fn cosine(from: f64, to: f64, over: Span) -> Self {
        Schedule::ramp(Shape::Cosine, from, to, over)
    }

    /// A power of what is left of the span, from one factor to another, which stays:
    /// `to + (from - to) (1 - step / over)^power`.
    #[doc(alias("PolynomialLR", "PolynomialDecay"))]
    pub fn polynomial(power: f64, from: f64, to: f64, over: Span) -> Self {
        Schedule::ramp(Shape::Polynomial(power), from, to, over)
    }

    fn ramp(shape: Shape, from: f64, to: f64, over: Span) -> Self {
        Schedule(Kind::Curve(Curve::Ramp { ramp: Ramp { shape, from, to }, over }))
    }

    /// Times `gamma` whenever so much has passed.
    ///
    /// `Schedule::step(Span::epochs(1.0), gamma)` is PyTorch's `ExponentialLR` as it is used: it
    /// takes a step of its own after each epoch.
    #[doc(alias("StepLR", "ExponentialLR"))]
    pub fn step(every: Span, gamma: f64) -> Self {
        Schedule(Kind::Curve(Curve::Steps { every, gamma }))
    }

    /// Times `gamma` at each of these milestones, which are counted from the beginning.
    #[doc(alias("MultiStepLR", "PiecewiseConstantDecay"))]
    pub fn milestones(at: impl IntoIterator<Item = Span>, gamma: f64) -> Self {
        Schedule(Kind::Curve(Curve::Milestones { at: at.into_iter().collect(), gamma }))
    }

    /// Falls at every step, by `gamma` whenever so much has passed: `gamma^(step / every)`.
    ///
    /// With `Span::steps(1)` it is an `ExponentialLR` of PyTorch that steps after each batch. One
    /// that steps after each epoch is a [`step`](Self::step), and agrees with this one, of
    /// `Span::epochs(1.0)`, where an epoch begins.
    #[doc(alias("ExponentialLR", "ExponentialDecay"))]
    pub fn exponential(every: Span, gamma: f64) -> Self {
        Schedule(Kind::Curve(Curve::Exponential { every, gamma }))
    }

    /// Cosines from 1 to a factor, one after another, each `growth` times as long as the last one.
    ///
    /// # Source
    ///
    /// Same as [`cosine`](Self::cosine).
    #[doc(alias("CosineAnnealingWarmRestarts", "CosineDecayRestarts", "SGDR"))]
    pub fn cosine_restarts(to: f64, first: Span, growth: f64) -> Self {
        let ramp = Ramp { shape: Shape::Cosine, from: 1.0, to };
        Schedule(Kind::Curve(Curve::Restarts { ramp, first, growth }))
    }

    /// One cycle up to the rate of the optimizer and far down, with the usual numbers: see
    /// [`OneCycle`].
    #[doc(alias = "OneCycleLR")]
    pub fn one_cycle(over: Span) -> Self {
        OneCycle::new(over).into()
    }

    /// A function of the step, counted from 0 where it begins, and of the lengths of the training.
    #[doc(alias = "LambdaLR")]
    pub fn of(factor: impl Fn(usize, &Clock) -> f64 + Send + Sync + 'static) -> Self {
        Schedule(Kind::Curve(Curve::Function(Function(Arc::new(factor)))))
    }

    /// Rises to the factor with which this begins, and begins behind that: the step of the warm-up
    /// with number `i`, counted from 1, has `i / (steps + 1)` of it.
    ///
    /// The [rest](Span::rest) is then what is left behind the warm-up.
    #[doc(alias("warmup", "GradualWarmupScheduler", "warmup_steps"))]
    pub fn warm_up(self, over: Span) -> Self {
        Schedule(Kind::WarmUp(over, Box::new(self)))
    }

    /// Ends after this span, so that something can come [then](Self::then). Otherwise it goes on.
    ///
    /// The [rest](Span::rest) within it is that of this span.
    #[doc(alias = "total_iters")]
    pub fn lasting(self, span: Span) -> Self {
        Schedule(Kind::Lasting(Box::new(self), span))
    }

    /// Goes on with another one, which counts its steps from 0, where this one ends.
    ///
    /// Ramps and cycles end by themselves, everything else if it is [`lasting`](Self::lasting).
    #[doc(alias = "SequentialLR")]
    pub fn then(self, next: impl Into<Schedule>) -> Self {
        let mut parts = match self.0 {
            Kind::Then(parts) => parts,
            kind => vec![Schedule(kind)],
        };
        parts.push(next.into());
        Schedule(Kind::Then(parts))
    }

    /// The product of both at every step. It ends when both have ended.
    #[doc(alias = "ChainedScheduler")]
    pub fn times(self, other: impl Into<Schedule>) -> Self {
        let mut factors = match self.0 {
            Kind::Times(factors) => factors,
            kind => vec![Schedule(kind)],
        };
        factors.push(other.into());
        Schedule(Kind::Times(factors))
    }
}

impl Schedule {
    /// Whether a function is part of it, which may depend on all that a clock tells.
    #[cfg(feature = "files")]
    pub(crate) fn has_function(&self) -> bool {
        match &self.0 {
            Kind::Curve(Curve::Function(_)) => true,
            Kind::Curve(_) | Kind::Plateau(_) => false,
            Kind::WarmUp(_, schedule) | Kind::Lasting(schedule, _) => schedule.has_function(),
            Kind::Then(parts) | Kind::Times(parts) => parts.iter().any(Schedule::has_function),
        }
    }
}

impl Default for Schedule {
    /// The rate of the optimizer.
    fn default() -> Self {
        Schedule::constant(1.0)
    }
}

impl From<OneCycle> for Schedule {
    fn from(OneCycle { over, cycle }: OneCycle) -> Self {
        Schedule(Kind::Curve(Curve::OneCycle { cycle, over }))
    }
}

impl From<Plateau> for Schedule {
    fn from(plateau: Plateau) -> Self {
        Schedule(Kind::Plateau(plateau))
    }
}
