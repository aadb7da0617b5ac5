//! Ramps: from one factor to another in the course of a span.

use crate::numbers::Must;
use std::f64::consts::FRAC_PI_2;

/// A way from one factor to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    pub shape: Shape,
    pub from: f64,
    pub to: f64,
}

/// How much of the difference is left on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    Linear,
    /// Half a period.
    Cosine,
    /// This power of what is left of the way.
    Polynomial(f64),
}

impl Ramp {
    /// The factor at this progress: 0 at the beginning, and 1 or more at the end.
    pub fn at(self, progress: f64) -> f64 {
        if progress >= 1.0 {
            return self.to;
        }
        let left = match self.shape {
            Shape::Linear => 1.0 - progress,
            // (1 + cos(π p)) / 2, without the cancellation near its end.
            Shape::Cosine => (FRAC_PI_2 * progress).cos().powi(2),
            Shape::Polynomial(power) => (1.0 - progress).powf(power),
        };
        self.from * left + self.to * (1.0 - left)
    }

    pub fn numbers(self) -> Vec<(&'static str, f64, Must)> {
        let mut numbers = vec![
            ("factor at the beginning", self.from, Must::BeAtLeast0),
            ("factor at the end", self.to, Must::BeAtLeast0),
        ];
        if let Shape::Polynomial(power) = self.shape {
            numbers.push(("power", power, Must::BePositive));
        }
        numbers
    }
}
