//! One operation or function on one set of operands.

use super::{Bound, Domain, Subject};
use crate::{array64::Array64, dtype::DType, shape::Meta};

/// One operation or function on one set of operands, with the error a device is allowed.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Of what.
    pub subject: Subject,
    /// Its operands, and what they hold.
    pub operands: Vec<(Meta, Domain)>,
    /// Largest admissible error of a device.
    pub bound: Bound,
    /// Why that bound.
    pub reason: &'static str,
    /// What its derivative is compared with.
    pub gradient: Gradient,
    /// What is special about it.
    pub label: &'static str,
}

/// What a derivative is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Gradient {
    /// Central differences along random directions, first and second order.
    Smooth,
    /// At kinks and ties, these values: the cotangent of the given operand for a cotangent of
    /// ones.
    Convention {
        /// Which operand.
        operand: usize,
        /// Its cotangent.
        values: Vec<f64>,
    },
    /// Nothing: it is zero by definition, or the values are no place to differentiate at.
    None,
}

impl Sample {
    /// `op` on operands of these types. Floats lie between -1 and 1, integers below 100, and the
    /// derivative is smooth, unless said otherwise.
    pub fn new(subject: impl Into<Subject>, operands: impl IntoIterator<Item = Meta>) -> Self {
        let with_domain = |meta: Meta| (meta.clone(), Domain::everyday(meta.dtype));
        let operands = operands.into_iter().map(with_domain).collect();
        Sample {
            subject: subject.into(),
            operands,
            bound: Bound::Exact,
            reason: "",
            gradient: Gradient::Smooth,
            label: "",
        }
    }

    /// Allows this error, for this reason.
    pub fn bound(self, bound: Bound, reason: &'static str) -> Self {
        Sample { bound, reason, ..self }
    }

    /// What operand `index` holds.
    pub fn operand(mut self, index: usize, domain: Domain) -> Self {
        self.operands[index].1 = domain;
        self
    }

    /// The cotangent of an operand for a cotangent of ones, at a kink or a tie.
    pub fn convention(self, operand: usize, values: impl Into<Vec<f64>>) -> Self {
        Sample { gradient: Gradient::Convention { operand, values: values.into() }, ..self }
    }

    /// There is no derivative to check.
    pub fn without_gradient(self) -> Self {
        Sample { gradient: Gradient::None, ..self }
    }

    /// Says what is special about it.
    pub fn named(self, label: &'static str) -> Self {
        Sample { label, ..self }
    }

    /// The same with f16 in the place of f32.
    pub fn of_halves(mut self) -> Self {
        for (meta, _) in self.operands.iter_mut().filter(|(meta, _)| meta.dtype == DType::F32) {
            meta.dtype = DType::F16;
        }
        self
    }

    /// Whether something of it is f32.
    fn takes_floats(&self) -> bool {
        self.operands.iter().any(|(meta, _)| meta.dtype == DType::F32)
    }

    /// Values of the operands: the same at each call.
    pub fn values(&self) -> Vec<Array64> {
        let operands = self.operands.iter().enumerate();
        operands.map(|(index, (meta, domain))| domain.fill(meta, index as u64 + 1)).collect()
    }
}

/// These samples, and those with one of these labels in halves as well. The bound stays: it is that of
/// the arithmetic.
pub(crate) fn with_halves(mut samples: Vec<Sample>, labels: &[&str]) -> Vec<Sample> {
    let chosen = samples.iter().filter(|s| labels.contains(&s.label) && s.takes_floats());
    let halves: Vec<Sample> = chosen.cloned().map(Sample::of_halves).collect();
    let is_of = |label: &&&str| halves.iter().any(|sample| sample.label == **label);
    debug_assert_eq!(labels.iter().filter(is_of).count(), labels.len(), "of {labels:?}");
    samples.extend(halves);
    samples
}

impl std::fmt::Display for Sample {
    /// `matmul [2, 3] x [3, 4] (label)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operands: Vec<_> = self.operands.iter().map(|(meta, _)| meta.to_string()).collect();
        write!(f, "{} {}", self.subject.describe(), operands.join(" x "))?;
        if !self.label.is_empty() {
            write!(f, " ({})", self.label)?;
        }
        Ok(())
    }
}
