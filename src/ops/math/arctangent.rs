//! Arc tangent of two arguments.

use std::f32::consts::{FRAC_PI_2, PI};

/// Rounding error of pi in f32: pi minus its f32.
const PI_LOW: f32 = -8.742_278e-8;

/// The angle of the point `(x, y)` from -pi to pi, within 2 units in the last place; zeros and
/// infinities follow IEEE 754-2019, 9.2.1.
#[inline(always)]
pub(crate) fn atan2(y: f32, x: f32) -> f32 {
    let (a, b) = (y.abs(), x.abs());
    let steep = a > b;
    let (numerator, denominator) = if steep { (b, a) } else { (a, b) };
    let q = numerator / denominator;
    let q = if numerator == f32::INFINITY { 1.0 } else { q };
    let q = if denominator == 0.0 { 0.0 } else { q };
    let z = q * q;
    let p = z * 0.002_920_243_2 - 0.016_366_137;
    let p = (p * z + 0.043_208_968) * z - 0.075_519_71;
    let p = (p * z + 0.106_658_92) * z - 0.142_110_27;
    let p = (p * z + 0.199_937_7) * z - 0.333_331_53;
    let acute = p * z * q + q;
    // In the other three octants of the half plane, the complement to pi/2 or pi.
    let back = x.is_sign_negative();
    let whole = if back { PI } else { 0.0 };
    let whole = if steep { FRAC_PI_2 } else { whole };
    let low = if back { PI_LOW } else { 0.0 };
    let low = if steep { 0.5 * PI_LOW } else { low };
    let part = if steep == back { acute } else { -acute };
    let angle = (whole + (part + low)).copysign(y);
    // The comparisons above may have dropped a NaN.
    if y.is_nan() || x.is_nan() { f32::NAN } else { angle }
}
