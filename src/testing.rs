//! What tests and `verify` share: samples, the error a device is allowed, and how it is measured.

mod compare;
mod derivatives;
mod gradients;
mod subject;

pub(crate) use compare::unit_in_last_place;
pub use compare::{Agreement, compare, evaluate};
pub use derivatives::DERIVATIVE_BOUNDS;
pub use gradients::{SLOPE_BOUNDS, Slope, layer_slopes, slopes};
pub use subject::{Function, Subject};

use crate::{dtype::DType, functions, ops, reference::Array64, shape::Meta};

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

/// Values an operand takes; all are rounded to its type before anything sees them.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Between two numbers.
    Range(f64, f64),
    /// Integers from 0 to below this.
    Below(u32),
    /// No two alike, and none within 0.01 of another: a permutation of evenly spaced numbers.
    Distinct,
    /// Few different numbers, so that many are alike.
    Ties,
    /// These, repeated as often as needed.
    Values(&'static [f64]),
}

/// The error of a device against the reference: what its arithmetic in f32 may be off by. A result of
/// f16 may be off by half a unit in the last place more, for it is rounded when it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// The same value; NaN where the reference has one.
    Exact,
    /// Units in the last place of f32, at the reference's value.
    Ulp(u32),
    /// For sums: at most `c * eps * sum |terms|`, where `eps` is 2^-24 and the sum of the
    /// magnitudes of the terms is the same operation on the magnitudes of its operands.
    Terms(f64),
    /// An absolute difference.
    Abs(f64),
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

/// The samples of every operation, and of every function that is written in operations.
pub fn samples() -> Vec<Sample> {
    [ops::samples(), functions::samples()].concat()
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

impl Domain {
    /// Floats between -1 and 1, integers below 100.
    pub(crate) fn everyday(dtype: DType) -> Self {
        match dtype {
            DType::F32 | DType::F16 => Domain::Range(-1.0, 1.0),
            DType::I32 => Domain::Range(-50.0, 50.0),
            DType::U32 => Domain::Below(100),
            DType::Bool => Domain::Below(2),
        }
    }

    /// A tensor of such values, rounded to its type; the same for the same seed.
    pub fn fill(&self, meta: &Meta, seed: u64) -> Array64 {
        let len = meta.shape.len();
        let mut noise = Noise::new(seed);
        let data: Vec<f64> = match *self {
            Domain::Range(low, high) => {
                (0..len).map(|_| low + (high - low) * noise.unit()).collect()
            }
            Domain::Below(n) => (0..len).map(|_| (f64::from(n) * noise.unit()).floor()).collect(),
            Domain::Distinct => {
                let mut data: Vec<f64> =
                    (0..len).map(|k| 0.03 * (k as f64 - 0.4 * len as f64)).collect();
                for k in (1..len).rev() {
                    data.swap(k, (noise.unit() * (k + 1) as f64) as usize);
                }
                data
            }
            Domain::Ties => (0..len).map(|_| (4.0 * noise.unit()).floor() - 1.0).collect(),
            Domain::Values(values) => (0..len).map(|k| values[k % values.len()]).collect(),
        };
        Array64 {
            meta: meta.clone(),
            data: data.into_iter().map(|x| meta.dtype.round(x)).collect(),
        }
    }
}

/// Reproducible numbers for tests (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// A sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Noise(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number of [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}
