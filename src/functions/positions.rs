//! Rotary position embeddings.

use super::precision::in_f32;
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};

impl<'g> Tensor<'g> {
    /// Rotary position embedding: rotates the pair of elements `i` and `i + d / 2` by the angle
    /// `p base^(-2 i / d)`, where `p` is the position, so that the product of two vectors depends
    /// on their distance.
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
    #[doc(alias = "RoPE")]
    #[track_caller]
    pub fn rotary(self, base: f64) -> Tensor<'g> {
        match self.angles(base) {
            Ok(angles) => in_f32("rotary", [self], |[x]| x.turned(angles)),
            Err(reason) => self.graph().refuse("rotary", &[self], reason),
        }
    }

    /// [`rotary`](Self::rotary) for a sequence that starts at position `first`, such as the
    /// continuation of one computed before.
    ///
    /// # Shapes
    ///
    /// `first` is one u32, `[]`.
    ///
    /// # Source
    ///
    /// As for [`rotary`](Self::rotary).
    #[track_caller]
    pub fn rotary_from(self, base: f64, first: Tensor<'g>) -> Tensor<'g> {
        if !first.failed() && first.meta() != Meta::new([], DType::U32) {
            let reason = OpError::Argument("the first position must be a single u32");
            return self.graph().refuse("rotary", &[self, first], reason);
        }
        match self.angles_from(base, first.cast(DType::F32)) {
            Ok(angles) => in_f32("rotary", [self], |[x]| x.turned(angles)),
            Err(reason) => self.graph().refuse("rotary", &[self, first], reason),
        }
    }

    /// Rotates pairs of elements by angles `[t, d / 2]`.
    #[track_caller]
    fn turned(self, angles: Tensor<'g>) -> Tensor<'g> {
        let (sin, cos) = (angles.sin(), angles.cos());
        let half = self.dim(-1) / 2;
        let (a, b) = (self.slice(-1, ..half), self.slice(-1, half..));
        self.graph().concat(&[a * cos - b * sin, b * cos + a * sin], -1)
    }

    /// `p base^(-2 i / d)` as `[t, d / 2]`, for a sequence of vectors of pairs.
    #[track_caller]
    pub(crate) fn angles(self, base: f64) -> Result<Tensor<'g>, OpError> {
        self.angles_from(base, self.graph().full([], DType::F32, 0.0))
    }

    /// `(p + first) base^(-2 i / d)`.
    #[track_caller]
    fn angles_from(self, base: f64, first: Tensor<'g>) -> Result<Tensor<'g>, OpError> {
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
        Ok((of(0) + first) * speeds.exp())
    }
}

/// Samples, defined by the formula.
pub(super) fn samples() -> Vec<Sample> {
    fn turned(x: &Array64, first: f64) -> Array64 {
        let d = x.shape().dims()[2];
        Array64::from_fn(x.meta.clone(), |c| {
            let i = c[2] % (d / 2);
            let angle = (first + c[1] as f64) * 100f64.powf(-2.0 * i as f64 / d as f64);
            let at = |k: usize| x.at(&[c[0], c[1], k]);
            let (a, b) = (at(i), at(i + d / 2));
            if c[2] < d / 2 {
                a * angle.cos() - b * angle.sin()
            } else {
                b * angle.cos() + a * angle.sin()
            }
        })
    }
    let rotary = Function::new("rotary", |x| x[0].rotary(100.0), |x| turned(x[0], 0.0));
    let later = Function::new(
        "rotary_from",
        |x| x[0].rotary_from(100.0, x[1]),
        |x| turned(x[0], x[1].data[0]),
    );
    let reason = "angles up to 5 are rounded to 24 bits, then two products";
    vec![
        Sample::new(later, [Meta::new([2, 5, 6], DType::F32), Meta::new([], DType::U32)])
            .operand(1, Domain::Values(&[3.0]))
            .bound(Bound::Abs(3e-6), reason),
        Sample::new(rotary.clone(), [Meta::new([2, 5, 6], DType::F32)])
            .bound(Bound::Abs(2e-6), reason),
        Sample::new(rotary, [Meta::new([1, 1, 2], DType::F32)])
            .bound(Bound::Abs(2e-6), reason)
            .named("one"),
    ]
}
