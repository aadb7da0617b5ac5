//! Comparison of arrays within tolerances.

use super::{Array, refused};
use crate::{
    error::{Error, OpError},
    numbers::Must,
};

impl Array {
    /// Whether every element differs from that of `other` by at most `atol + rtol * |other|`, as
    /// numbers: the element types may differ.
    ///
    /// Infinities are close to themselves, NaN to nothing.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`](crate::VariableError::Array) if the shapes differ, or a tolerance is
    /// negative or not finite.
    #[doc(alias("allclose", "isclose"))]
    pub fn all_close(&self, other: &Array, rtol: f64, atol: f64) -> Result<bool, Error> {
        let refuse = |reason| refused("all_close", &[self, other], reason);
        let must = Must::BeAtLeast0;
        for (what, is) in [("rtol", rtol), ("atol", atol)] {
            if !must.allows(is) {
                return Err(refuse(OpError::Number { what, must: must.text(), is }));
            }
        }
        if self.shape() != other.shape() {
            return Err(refuse(OpError::Shapes));
        }
        let number = |array: &Array, word: &u32| array.dtype().from_word(*word);
        let mut pairs = self.words.iter().zip(&other.words);
        Ok(pairs.all(|(a, b)| {
            let (a, b) = (number(self, a), number(other, b));
            a == b || (b.is_finite() && (a - b).abs() <= atol + rtol * b.abs())
        }))
    }
}
