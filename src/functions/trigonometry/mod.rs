//! Trigonometric and hyperbolic functions, and their inverses.

use super::{definition::elementwise, precision::in_f32};
use crate::{
    dtype::DType,
    graph::Tensor,
    ops::{
        contract::{Bound, Domain, Function, Sample},
        full::constant,
    },
    shape::Meta,
};
use std::f64::consts::{FRAC_PI_2, LN_2};

impl<'g> Tensor<'g> {
    /// `tan x`.
    ///
    /// # Numerics
    ///
    /// As accurate as sine and cosine, for every finite `x`, even next to poles.
    #[track_caller]
    pub fn tan(self) -> Tensor<'g> {
        in_f32("tan", [self], |[x]| x.sin() / x.cos())
    }

    /// The angle from -pi/2 to pi/2 whose sine is `x`; NaN outside of -1 to 1.
    ///
    /// # Gradient
    ///
    /// Infinite at -1 and 1.
    #[doc(alias = "arcsin")]
    #[track_caller]
    pub fn asin(self) -> Tensor<'g> {
        in_f32("asin", [self], |[x]| {
            // Half the angle is that of (1 + cos, sin), which has no cancellation. The cosine uses two
            // roots, because the derivative of the root of a product would be 0 times infinity at 1.
            let cos = (x + 1.0).sqrt() * (-x + 1.0).sqrt();
            x.atan2(cos + 1.0) * 2.0
        })
    }

    /// The angle from 0 to pi whose cosine is `x`; NaN outside of -1 to 1.
    ///
    /// # Gradient
    ///
    /// -infinity at -1 and 1.
    #[doc(alias = "arccos")]
    #[track_caller]
    pub fn acos(self) -> Tensor<'g> {
        in_f32("acos", [self], |[x]| {
            // The tangent of half the angle.
            (-x + 1.0).sqrt().atan2((x + 1.0).sqrt()) * 2.0
        })
    }

    /// The angle from -pi/2 to pi/2 whose tangent is `x`.
    #[doc(alias = "arctan")]
    #[track_caller]
    pub fn atan(self) -> Tensor<'g> {
        in_f32("atan", [self], |[x]| x.atan2(1.0))
    }

    /// The hyperbolic sine, `(e^x - e^-x) / 2`, accurate for small `x`.
    #[track_caller]
    pub fn sinh(self) -> Tensor<'g> {
        in_f32("sinh", [self], |[x]| {
            let (is_small, t) = x.tanh_of_small_half();
            let [up, down] = x.half_exponentials();
            is_small.select(t * 2.0 / (1.0 - t * t), up - down)
        })
    }

    /// The hyperbolic cosine, `(e^x + e^-x) / 2`.
    #[track_caller]
    pub fn cosh(self) -> Tensor<'g> {
        in_f32("cosh", [self], |[x]| {
            // In this form its derivative is accurate for small `x` as well.
            let (is_small, t) = x.tanh_of_small_half();
            let [up, down] = x.half_exponentials();
            is_small.select((1.0 + t * t) / (1.0 - t * t), up + down)
        })
    }

    /// The number whose hyperbolic sine is `x`.
    #[doc(alias = "arcsinh")]
    #[track_caller]
    pub fn asinh(self) -> Tensor<'g> {
        in_f32("asinh", [self], |[x]| {
            let is_negative = x.less(0.0);
            let magnitude = is_negative.select(-x, x);
            // ln(a + sqrt(a^2 + 1)), replaced by ln 2a where the square would overflow. The unselected
            // branch must be finite, or its zero cotangent becomes NaN.
            let is_large = magnitude.greater(LARGE);
            let a = is_large.select(0.0, magnitude);
            let more = a * (a / ((a * a + 1.0).sqrt() + 1.0) + 1.0);
            let y = is_large.select(magnitude, more).log1p();
            let y = y + is_large.select(constant(x, LN_2), x.full_like(0.0));
            is_negative.select(-y, y)
        })
    }

    /// The nonnegative number whose hyperbolic cosine is `x`; NaN below 1.
    ///
    /// # Gradient
    ///
    /// Infinite at 1.
    #[doc(alias = "arccosh")]
    #[track_caller]
    pub fn acosh(self) -> Tensor<'g> {
        in_f32("acosh", [self], |[x]| {
            // The hyperbolic sine of half the result.
            ((x - 1.0) * 0.5).sqrt().asinh() * 2.0
        })
    }

    /// The number whose hyperbolic tangent is `x`: infinite at -1 and 1, NaN beyond.
    ///
    /// # Gradient
    ///
    /// Infinite at -1 and 1.
    #[doc(alias = "arctanh")]
    #[track_caller]
    pub fn atanh(self) -> Tensor<'g> {
        in_f32("atanh", [self], |[x]| (x.log1p() - (-x).log1p()) * 0.5)
    }

    /// Whether `|x|` is below 1, and there `tanh(x / 2)`, of which hyperbolic functions are
    /// quotients without cancellation. Elsewhere 0: the unselected branch must be finite, or its
    /// zero cotangent becomes NaN.
    #[track_caller]
    fn tanh_of_small_half(self) -> (Tensor<'g>, Tensor<'g>) {
        let is_small = self.abs().less(1.0);
        (is_small, (is_small.select(self, self.full_like(0.0)) * 0.5).tanh())
    }

    /// `e^x / 2` and `e^-x / 2`, as `e^(x - SHIFT) e^SHIFT / 2`: `e^x` overflows before its half
    /// does, and a product such as `e^(x/2) (e^(x/2) / 2)` overflows as well where a compiler
    /// reorders its factors, as NVIDIA's does.
    #[track_caller]
    fn half_exponentials(self) -> [Tensor<'g>; 2] {
        [self, -self].map(|x| (x - SHIFT).exp() * HALF_OF_SHIFT)
    }
}

/// The multiple of 2^-17 between 1/2 and 2 whose exponential is nearest to an f32: such a multiple
/// is subtracted from any number above 1 without rounding, as long as the exponential is finite.
const SHIFT: f64 = 138_551.0 / 131_072.0;

/// `e^SHIFT / 2`, within 4e-14 of itself.
const HALF_OF_SHIFT: f64 = 1.438_949_108_123_779_3;

/// From here on `sqrt(a^2 + 1)` is `a` in f64, and up to here `a^2` is finite in f32.
const LARGE: f64 = 1e15;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
/// Points where sine and cosine are large or small, including a pole.
const AROUND: &[f64] = &[0.0, -0.0, 1e-30, -1e-4, 3.0, -31.0, FRAC_PI_2, 1e5, -3e7, INF, -INF, NAN];
/// Points in -1 to 1, next to the ends, and beyond.
const UNIT: &[f64] =
    &[0.0, -0.0, 1e-30, -1e-4, 1.0, -1.0, 0.999_999_94, -0.999_999_94, 0.5, 1.1, -INF, NAN];
const EVERYWHERE: &[f64] =
    &[0.0, -0.0, 1e-30, -1e-4, 1.0, -1.0, 1e10, -1e19, 1e20, -3e38, INF, -INF, NAN];
/// Points on both sides of where an exponential overflows but its half does not.
const GROWING: &[f64] =
    &[0.0, -0.0, 1e-30, -1e-4, 1.0, -1.0, 0.999, 20.0, 89.0, -89.4, 89.6, -1e38, INF, -INF, NAN];
const FROM_ONE: &[f64] =
    &[1.0, 1.000_000_1, 1.001, 2.0, 1e10, 1e19, 3e38, INF, 0.9, -3e38, -INF, NAN];

/// Samples of every function, defined by its formula.
pub(super) fn samples() -> Vec<Sample> {
    let tan = elementwise("tan", |x| x.tan(), f64::tan);
    let asin = elementwise("asin", |x| x.asin(), f64::asin);
    let acos = elementwise("acos", |x| x.acos(), f64::acos);
    let atan = elementwise("atan", |x| x.atan(), f64::atan);
    let sinh = elementwise("sinh", |x| x.sinh(), f64::sinh);
    let cosh = elementwise("cosh", |x| x.cosh(), f64::cosh);
    let asinh = elementwise("asinh", |x| x.asinh(), f64::asinh);
    let acosh = elementwise("acosh", |x| x.acosh(), f64::acosh);
    let atanh = elementwise("atanh", |x| x.atanh(), f64::atanh);
    // From around 0 to where a function grows, then the ends of its domain.
    let of_each: [(Function, Domain, &'static [f64], Bound); 9] = [
        (tan, Domain::Range(-1.2, 1.2), AROUND, Bound::Ulp(9)),
        (asin, Domain::Range(-0.9, 0.9), UNIT, Bound::Ulp(10)),
        (acos, Domain::Range(-0.9, 0.9), UNIT, Bound::Ulp(10)),
        (atan, Domain::Range(-3.0, 3.0), EVERYWHERE, Bound::Ulp(5)),
        (sinh, Domain::Distinct, GROWING, Bound::Ulp(10)),
        (cosh, Domain::Distinct, GROWING, Bound::Ulp(10)),
        (asinh, Domain::Range(-3.0, 3.0), EVERYWHERE, Bound::Ulp(10)),
        (acosh, Domain::Range(1.2, 4.0), FROM_ONE, Bound::Ulp(14)),
        (atanh, Domain::Range(-0.8, 0.8), UNIT, Bound::Ulp(5)),
    ];
    let reason = "4 units, and what WGSL allows for quotients and roots";
    let of = |(function, domain, ends, bound): (Function, Domain, &'static [f64], Bound)| {
        let of = |dims: &[usize]| {
            Sample::new(function.clone(), [Meta::new(dims, DType::F32)]).bound(bound, reason)
        };
        [
            of(&[5, 17]).operand(0, domain),
            of(&[ends.len()]).operand(0, Domain::Values(ends)).without_gradient().named("ends"),
        ]
    };
    of_each.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
