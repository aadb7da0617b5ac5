//! The one judge of whether a device agrees with f64: tests, proofs and benchmarks ask it.

use crate::dtype::DType;

/// The result of a comparison: how many elements were compared, and the worst of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// Number of elements that were compared.
    pub compared: usize,
    /// The largest error, as a share of what is allowed; infinite where one value is NaN and the
    /// other is not.
    pub share: f64,
    /// Row-major index of that element.
    pub index: usize,
    /// The device's value.
    pub got: f64,
    /// The right value.
    pub expected: f64,
    /// The error it may have.
    pub allowed: f64,
}

impl Agreement {
    /// Whether every element is within its bound.
    pub fn holds(&self) -> bool {
        self.share <= 1.0
    }

    /// Compares one more element.
    pub(crate) fn note(
        &mut self,
        index: usize,
        got: f64,
        expected: f64,
        allowed: f64,
        dtype: DType,
    ) {
        self.compared += 1;
        let is_same =
            got == expected || got == dtype.round(expected) || (got.is_nan() && expected.is_nan());
        let off = (got - expected).abs();
        let share = if is_same {
            0.0
        } else if off.is_finite() && allowed > 0.0 {
            off / allowed
        } else {
            f64::INFINITY
        };
        if share > self.share {
            *self = Agreement { compared: self.compared, share, index, got, expected, allowed };
        }
    }
}

impl std::fmt::Display for Agreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Agreement { index, got, expected, allowed, .. } = self;
        write!(
            f,
            "element {index} is {got:e} instead of {expected:e}, and may be off by {allowed:.1e}"
        )
    }
}
