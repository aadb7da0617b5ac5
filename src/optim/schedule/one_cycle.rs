//! One cycle: up to the rate of the optimizer, and far down.

use super::{
    ramp::{Ramp, Shape},
    span::Span,
};
use crate::numbers::Must;

/// One cycle up to the rate of the optimizer, in 0.3 of a span, and down to almost nothing in the
/// rest of it. A [`Schedule`](super::Schedule) is made from it.
///
/// The last step of the span has the rate at the end.
///
/// ```
/// use wgrad::optim::{Clock, OneCycle, Schedule, Span};
///
/// let schedule = Schedule::from(OneCycle::new(Span::rest()).warm_up(0.5).div_factor(10.0));
/// let scheduler = schedule.start(Clock { steps: Some(100), ..Clock::default() })?;
/// assert_eq!([scheduler.factor(0)?, scheduler.factor(49)?], [0.1, 1.0]);
/// assert!(scheduler.factor(99)? < 2e-5);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Source
///
/// Smith & Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
/// Learning Rates", arXiv:1708.07120; numbers and the two phases are those of PyTorch's
/// `OneCycleLR`. Momentum stays as it is.
#[doc(alias("OneCycleLR", "fit_one_cycle"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    pub(super) over: Span,
    pub(super) cycle: Cycle,
}

/// A cycle over any span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cycle {
    pub shape: Shape,
    pub warm_up: f64,
    pub div_factor: f64,
    pub final_div_factor: f64,
}

impl OneCycle {
    /// Creates a cycle over this span, along cosines: from 1/25 of the rate up to it in 0.3 of the
    /// span, and down to 1/10000 of where it began.
    pub fn new(over: Span) -> Self {
        let (warm_up, div_factor, final_div_factor) = (0.3, 25.0, 1e4);
        let cycle = Cycle { shape: Shape::Cosine, warm_up, div_factor, final_div_factor };
        OneCycle { over, cycle }
    }

    /// Sets the share of the span in which the rate rises.
    #[doc(alias = "pct_start")]
    pub fn warm_up(mut self, share: f64) -> Self {
        self.cycle.warm_up = share;
        self
    }

    /// Sets by what the rate is divided at the beginning.
    pub fn div_factor(mut self, by: f64) -> Self {
        self.cycle.div_factor = by;
        self
    }

    /// Sets by what the rate of the beginning is divided at the end.
    pub fn final_div_factor(mut self, by: f64) -> Self {
        self.cycle.final_div_factor = by;
        self
    }

    /// Rises and falls along straight lines instead of cosines.
    #[doc(alias = "anneal_strategy")]
    pub fn linear(mut self) -> Self {
        self.cycle.shape = Shape::Linear;
        self
    }
}

impl Cycle {
    /// The factor of a step of a cycle that has so many.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        let (step, steps, shape) = (step as f64, steps as f64, self.shape);
        let first = 1.0 / self.div_factor;
        let (peak, last) = (self.warm_up * steps - 1.0, steps - 1.0);
        if step < peak {
            Ramp { shape, from: first, to: 1.0 }.at(step / peak)
        } else if peak < last {
            Ramp { shape, from: 1.0, to: first / self.final_div_factor }
                .at((step - peak) / (last - peak))
        } else {
            1.0
        }
    }

    pub fn numbers(self) -> Vec<(&'static str, f64, Must)> {
        vec![
            ("warm-up", self.warm_up, Must::BeFraction),
            ("div_factor", self.div_factor, Must::BePositive),
            ("final_div_factor", self.final_div_factor, Must::BePositive),
        ]
    }
}
