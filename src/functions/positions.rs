//! Vectors turned by their position in a sequence.

use super::constant;
use crate::{
    dtype::DType,
    error::OpError,
    graph::Tensor,
    reference::Array64,
    shape::Meta,
    testing::{Bound, Function, Sample},
};

impl<'g> Tensor<'g> {
    /// Rotary positions: the pair of elements `i` and `i + d / 2` is turned by the angle
    /// `p base^(-2 i / d)`, where `p` is the position, so that the product of two vectors depends on
    /// how far they are apart.
    ///
    /// # Shapes
    ///
    /// `[.., t, d]`, `d` even.
    ///
    /// # Errors
    ///
    /// [`OpError::Indivisible`]; [`OpError::Rank`]; [`OpError::Number`] unless `base` is positive.
    ///
    /// # Source
    ///
    /// Su et al. 2021, arXiv:2104.09864, with the pairs of GPT-NeoX and Llama.
    #[track_caller]
    pub fn rotary(self, base: f64) -> Tensor<'g> {
        let angles = match self.of_floats("rotary").angles(base) {
            Ok(angles) => angles,
            Err(reason) => return self.graph().refuse("rotary", &[self], reason),
        };
        let (sin, cos) = (angles.sin(), angles.cos());
        let half = self.dim(-1) / 2;
        let (a, b) = (self.slice(-1, ..half), self.slice(-1, half..));
        self.graph().concat(&[a * cos - b * sin, b * cos + a * sin], -1)
    }

    /// `p base^(-2 i / d)` as `[t, d / 2]`, for a sequence of vectors of pairs.
    #[track_caller]
    pub(crate) fn angles(self, base: f64) -> Result<Tensor<'g>, OpError> {
        if self.rank() < 2 {
            return Err(OpError::Rank { least: 2 });
        }
        if !self.dim(-1).is_multiple_of(2) {
            return Err(OpError::Indivisible { what: "elements", number: self.dim(-1), by: 2 });
        }
        if !(base > 0.0 && base.is_finite()) {
            return Err(OpError::Number { what: "base", must: "positive", is: base });
        }
        let half = self.dim(-1) / 2;
        let of = |axis| self.graph().iota([self.dim(-2), half], axis, DType::F32);
        let exponents = of(1);
        let speeds = exponents * constant(exponents, -base.ln() / half.max(1) as f64);
        Ok(of(0) * speeds.exp())
    }
}

/// From the formula.
pub(super) fn samples() -> Vec<Sample> {
    let rotary = Function::new(
        "rotary",
        |x| x[0].rotary(100.0),
        |x| {
            let d = x[0].shape().dims()[2];
            Array64::from_fn(x[0].meta.clone(), |c| {
                let i = c[2] % (d / 2);
                let angle = c[1] as f64 * 100f64.powf(-2.0 * i as f64 / d as f64);
                let at = |k: usize| x[0].at(&[c[0], c[1], k]);
                let (a, b) = (at(i), at(i + d / 2));
                if c[2] < d / 2 {
                    a * angle.cos() - b * angle.sin()
                } else {
                    b * angle.cos() + a * angle.sin()
                }
            })
        },
    );
    let reason = "angles up to 5 are rounded to 24 bits, then two products";
    vec![
        Sample::new(rotary.clone(), [Meta::new([2, 5, 6], DType::F32)])
            .bound(Bound::Abs(2e-6), reason),
        Sample::new(rotary, [Meta::new([1, 1, 2], DType::F32)])
            .bound(Bound::Abs(2e-6), reason)
            .named("one"),
    ]
}
