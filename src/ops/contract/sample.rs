//! Test samples.

use super::{Bound, Domain, Subject};
use crate::{array64::Array64, dtype::DType, shape::Meta};

/// One operation or function on one set of operands, with the error allowed for a device.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The operation or function.
    pub subject: Subject,
    /// Its operands, and their values.
    pub operands: Vec<(Meta, Domain)>,
    /// Maximum error of a device.
    pub bound: Bound,
    /// Justification of the bound.
    pub reason: &'static str,
    /// The expected derivative.
    pub gradient: Gradient,
    /// A remark that tells the sample from others of the operation.
    pub label: &'static str,
}

/// The expected derivative of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Gradient {
    /// Central differences along random directions, first and second order.
    Smooth,
    /// At kinks and ties, these values: the cotangent of the given operand for a cotangent of
    /// ones.
    Convention {
        /// Index of the operand.
        operand: usize,
        /// Its cotangent.
        values: Vec<f64>,
    },
    /// Not checked: zero by definition, or the values are not differentiable.
    None,
}

impl Sample {
    /// Creates a sample of an operation or function on operands of these types. By default floats
    /// lie between -1 and 1, integers are below 100, and the derivative is smooth.
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

    /// Sets the allowed error, and its justification.
    pub fn bound(self, bound: Bound, reason: &'static str) -> Self {
        Sample { bound, reason, ..self }
    }

    /// Sets the values of operand `index`.
    pub fn operand(mut self, index: usize, domain: Domain) -> Self {
        self.operands[index].1 = domain;
        self
    }

    /// Sets the cotangent of an operand for a cotangent of ones, at a kink or a tie.
    pub fn convention(self, operand: usize, values: impl Into<Vec<f64>>) -> Self {
        Sample { gradient: Gradient::Convention { operand, values: values.into() }, ..self }
    }

    /// Skips the check of derivatives.
    pub fn without_gradient(self) -> Self {
        Sample { gradient: Gradient::None, ..self }
    }

    /// Sets what is special about the sample.
    pub fn named(self, label: &'static str) -> Self {
        Sample { label, ..self }
    }

    /// The same with f16 instead of f32.
    pub fn of_halves(mut self) -> Self {
        for (meta, _) in self.operands.iter_mut().filter(|(meta, _)| meta.dtype == DType::F32) {
            meta.dtype = DType::F16;
        }
        self
    }

    /// Whether any operand is f32.
    fn takes_floats(&self) -> bool {
        self.operands.iter().any(|(meta, _)| meta.dtype == DType::F32)
    }

    /// Values of the operands: the same at each call.
    pub fn values(&self) -> Vec<Array64> {
        let operands = self.operands.iter().enumerate();
        operands.map(|(index, (meta, domain))| domain.fill(meta, index as u64 + 1)).collect()
    }
}

/// These samples, and those with one of these labels in f16 as well. The bound stays the same: it
/// is that of the arithmetic.
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
