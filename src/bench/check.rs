//! Checks the results of a workload: some elements of its actual results are compared with its
//! formula in f64.

use crate::{
    array::Array,
    dtype::DType,
    ops::contract::{Agreement, Noise},
};

/// Number of elements checked.
pub(super) const CHECKED: usize = 256;

/// The expected value of a sum, and the magnitude of its terms.
///
/// A device adds in f32 and in arbitrary order. Rounding errors of single additions have random
/// signs, so the allowed error grows with the square root of the number of terms:
/// `(4 + sqrt terms) 2^-24` of the sum of their magnitudes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    pub value: f64,
    pub magnitude: f64,
    pub terms: f64,
}

impl Sum {
    /// The sum of these terms.
    pub fn of(terms: impl IntoIterator<Item = f64>) -> Self {
        terms.into_iter().fold(Sum::default(), |sum, term| Sum {
            value: sum.value + term,
            magnitude: sum.magnitude + term.abs(),
            terms: sum.terms + 1.0,
        })
    }

    /// A value that every device computes exactly.
    pub fn exact(value: f64) -> Self {
        Sum { value, magnitude: 0.0, terms: 0.0 }
    }

    /// A function with an error of a few units, of numbers of size `magnitude`.
    pub fn near(value: f64, magnitude: f64) -> Self {
        Sum { value, magnitude: magnitude.abs(), terms: 16.0 }
    }

    /// Adds another sum.
    pub fn plus(self, other: Sum) -> Self {
        Sum {
            value: self.value + other.value,
            magnitude: self.magnitude + other.magnitude,
            terms: self.terms + other.terms,
        }
    }

    /// Multiplies by a number.
    pub fn times(self, factor: f64) -> Self {
        let magnitude = self.magnitude * factor.abs();
        Sum { value: self.value * factor, magnitude, ..self }
    }

    /// The error allowed for a device that stores the result in this type.
    pub fn allowed(self, dtype: DType) -> f64 {
        let eps = f64::from(f32::EPSILON) / 2.0;
        let added =
            if self.terms > 0.0 { (4.0 + self.terms.sqrt()) * eps * self.magnitude } else { 0.0 };
        let stored = if dtype == DType::F16 { self.value.abs() / 2048.0 } else { 0.0 };
        added + stored
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The worst element, as a share of what is allowed.
    pub agreement: Agreement,
    /// The largest error, as a share of the magnitude of the terms.
    pub error: f64,
}

impl Found {
    /// Whether no element was further off than allowed, and some were compared.
    pub fn is_right(self) -> bool {
        self.agreement.compared > 0 && self.agreement.holds()
    }

    /// Compares one more element: its value, the right value, the magnitude of its terms, and the
    /// error it may have.
    pub fn note(&mut self, got: f64, value: f64, magnitude: f64, allowed: f64, dtype: DType) {
        self.agreement.note(0, got, value, allowed, dtype);
        let off = (got - value).abs();
        let whole = magnitude.max(value.abs());
        let error = if off == 0.0 { 0.0 } else { off / whole };
        self.error = self.error.max(if error.is_nan() { f64::INFINITY } else { error });
    }
}

/// Compares elements of all results with the values `expected` returns by output and coordinate.
pub(super) fn elements(outputs: &[Array], expected: impl Fn(usize, &[usize]) -> Sum) -> Found {
    let mut found = Found::default();
    let mut noise = Noise::new(17);
    let places = outputs.iter().enumerate().filter(|(_, output)| !output.words().is_empty());
    let places: Vec<_> = places.collect();
    for k in 0..CHECKED {
        let Some(&(number, output)) = places.get(k % places.len().max(1)) else { break };
        let len = output.words().len();
        // The corners first.
        let index = match k / places.len() {
            0 => 0,
            1 => len - 1,
            _ => ((noise.unit() * len as f64) as usize).min(len - 1),
        };
        let dtype = output.dtype();
        let sum = expected(number, &coordinate(index, output.shape().dims()));
        let got = dtype.from_word(output.words()[index]);
        found.note(got, sum.value, sum.magnitude, sum.allowed(dtype), dtype);
    }
    found
}

/// The coordinate of a row-major index.
fn coordinate(mut index: usize, dims: &[usize]) -> Vec<usize> {
    let mut at = vec![0; dims.len()];
    for (c, extent) in at.iter_mut().zip(dims).rev() {
        *c = index % extent;
        index /= extent;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn one_wrong_element_in_a_hundred_is_noticed() -> Result<(), Error> {
        let right: Vec<f32> = (0..10_000).map(|k| k as f32).collect();
        let expected = |_: usize, at: &[usize]| Sum::exact((100 * at[0] + at[1]) as f64);
        let found = elements(&[Array::new([100, 100], &right)?], expected);
        assert_eq!(
            (found.agreement.compared, found.agreement.share, found.is_right()),
            (CHECKED, 0.0, true)
        );
        let wrong: Vec<f32> =
            right.iter().map(|&x| if x % 100.0 == 7.0 { -x } else { x }).collect();
        assert!(!elements(&[Array::new([100, 100], &wrong)?], expected).is_right());
        Ok(())
    }

    #[test]
    fn nan_and_nothing_are_wrong() -> Result<(), Error> {
        let nan = Array::new([1], &[f32::NAN])?;
        assert!(!elements(&[nan], |_, _| Sum::near(1.0, 1.0)).is_right());
        assert!(!elements(&[], |_, _| Sum::exact(1.0)).is_right());
        Ok(())
    }
}
