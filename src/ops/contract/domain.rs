//! Values of the operands of a sample or a proof.

use crate::{array64::Array64, dtype::DType, shape::Meta};

/// The values of an operand; all are rounded to its type before use.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Random numbers between two bounds.
    Range(f64, f64),
    /// Floats of either sign whose exponents are random between two bounds, in powers of 2, and
    /// whose significands are random, 1, or the largest below 2.
    Magnitudes(i32, i32),
    /// Integers from 0 to below this.
    Below(u32),
    /// Distinct values at least 0.01 apart: a permutation of evenly spaced numbers.
    Distinct,
    /// Few distinct numbers, so that many are equal.
    Ties,
    /// The first half of the elements are numbers up to this magnitude, rounded to f16, and the second
    /// half what was cut off of each.
    Split(f64),
    /// These values, repeated as often as needed.
    Values(&'static [f64]),
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

    /// A tensor of such values, rounded to its type; deterministic for each seed.
    pub fn fill(&self, meta: &Meta, seed: u64) -> Array64 {
        let len = meta.shape.len();
        let mut noise = Noise::new(seed);
        let data: Vec<f64> = match *self {
            Domain::Range(low, high) => {
                (0..len).map(|_| low + (high - low) * noise.unit()).collect()
            }
            Domain::Magnitudes(low, high) => {
                let mut number = || {
                    let exponent = low + (f64::from(high - low + 1) * noise.unit()) as i32;
                    let significand = match noise.unit() {
                        x if x < 0.15 => 1.0,
                        x if x < 0.3 => 2.0 - f64::from(f32::EPSILON),
                        _ => 1.0 + noise.unit(),
                    };
                    let sign = if noise.unit() < 0.5 { -1.0 } else { 1.0 };
                    sign * significand * 2f64.powi(exponent)
                };
                (0..len).map(|_| number()).collect()
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
            Domain::Split(most) => {
                let numbers: Vec<f64> =
                    (0..len / 2).map(|_| most * (2.0 * noise.unit() - 1.0)).collect();
                let rests = numbers.iter().map(|&x| x - DType::F16.round(x));
                numbers.iter().copied().chain(rests).collect()
            }
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
    /// Creates a sequence from a seed.
    pub fn new(seed: u64) -> Self {
        Noise(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}
