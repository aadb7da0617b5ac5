//! The error function, for f32 and for the reference.

use super::exp;
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// `erf x`, within 2 units in the last place.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let z = x * x;
    let p = z * 7.854_024_4e-5 - 8.010_247e-4;
    let p = (p * z + 0.005_188_334_3) * z - 0.026_853_817;
    let p = (p * z + 0.112_835_854) * z - 0.376_126_26;
    let near = (p * z + 0.128_379_17) * x + x;
    // Beyond 1 the complement is small, so the polynomial approximates its logarithm.
    let t = x.abs();
    let t = if t > 4.0 { 4.0 } else { t };
    let q = t * 1.396_244_1e-5 - 3.505_920_2e-4;
    let q = (q * t + 0.003_757_476_8) * t - 0.024_010_068;
    let q = (q * t + 0.106_530_87) * t + 0.634_969_53;
    let q = (q * t + 1.128_694_3) * t;
    let far = (1.0 - exp(-q)).copysign(x);
    if t < 1.0 { near } else { far }
}

/// `erf x` in f64, to 1e-15: the definition of the op.
pub(crate) fn erf_f64(x: f64) -> f64 {
    let z = x * x;
    if x.is_nan() {
        x
    } else if x.abs() < 3.0 {
        // 2 / sqrt(pi) e^-z sum of x (2z)^n / (1 3 5 ... (2n + 1)): no term is negative.
        // Abramowitz & Stegun 7.1.6.
        let mut term = x;
        let mut sum = x;
        let mut odd = 1.0;
        while term.abs() > 1e-18 * sum.abs() {
            odd += 2.0;
            term *= 2.0 * z / odd;
            sum += term;
        }
        FRAC_2_SQRT_PI * (-z).exp() * sum
    } else if x.abs() < 6.0 {
        // erfc x = e^-z / sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + ...))), from the tail.
        // Abramowitz & Stegun 7.1.14.
        let a = x.abs();
        let fraction = (1..=60).rev().fold(a, |tail, n| a + 0.5 * f64::from(n) / tail);
        (1.0 - (-z).exp() / PI.sqrt() / fraction).copysign(x)
    } else {
        1.0f64.copysign(x)
    }
}
