//! Loops over blocks of elements, and the f32 functions that the CPU applies to them.
//!
//! Each function mirrors a fragment of `shaders/lib`: the same range reduction and the same
//! coefficients. They have no branches, tables or calls, so that a loop over a block compiles to
//! SIMD; the C library's functions would be called element by element. Coefficients are our own
//! minimax fits (Lawson's algorithm in 40 digits, rounded to f32); the error of every function is
//! asserted below.

mod arctangent;
mod erf;
mod power;

pub(crate) use arctangent::atan2;
pub(crate) use erf::{erf, erf_f64};
pub(crate) use power::power;

use std::f32::consts::{FRAC_2_PI, LN_2, LOG2_E, LOG10_E};

/// `out[i] = f(x[0][i])` on floats.
#[inline(always)]
pub(crate) fn floats1(x: &[&[u32]], out: &mut [u32], f: impl Fn(f32) -> f32) {
    words1(x, out, move |a| f(f32::from_bits(a)).to_bits());
}

/// `out[i] = f(x[0][i], x[1][i])` on floats.
#[inline(always)]
pub(crate) fn floats2(x: &[&[u32]], out: &mut [u32], f: impl Fn(f32, f32) -> f32) {
    words2(x, out, move |a, b| f(f32::from_bits(a), f32::from_bits(b)).to_bits());
}

/// Booleans from floats.
#[inline(always)]
pub(crate) fn floats_to_bool1(x: &[&[u32]], out: &mut [u32], f: impl Fn(f32) -> bool) {
    words1(x, out, move |a| u32::from(f(f32::from_bits(a))));
}

/// Booleans from pairs of floats.
#[inline(always)]
pub(crate) fn floats_to_bool2(x: &[&[u32]], out: &mut [u32], f: impl Fn(f32, f32) -> bool) {
    words2(x, out, move |a, b| u32::from(f(f32::from_bits(a), f32::from_bits(b))));
}

/// Booleans from pairs of words.
#[inline(always)]
pub(crate) fn words_to_bool2(x: &[&[u32]], out: &mut [u32], f: impl Fn(u32, u32) -> bool) {
    words2(x, out, move |a, b| u32::from(f(a, b)));
}

/// `out[i] = f(x[0][i])` on words.
#[inline(always)]
pub(crate) fn words1(x: &[&[u32]], out: &mut [u32], f: impl Fn(u32) -> u32) {
    pulp::Arch::new().dispatch(Each { out, x: x[0].iter(), f: move |&a: &u32| f(a) });
}

/// `out[i] = f(x[0][i], x[1][i])` on words.
#[inline(always)]
pub(crate) fn words2(x: &[&[u32]], out: &mut [u32], f: impl Fn(u32, u32) -> u32) {
    let pairs = x[0].iter().zip(x[1]);
    pulp::Arch::new().dispatch(Each { out, x: pairs, f: move |(&a, &b): (&u32, &u32)| f(a, b) });
}

/// A loop over elements, compiled for each instruction set together with its function. If passed
/// as a closure, it could remain a separate function compiled for the baseline only.
struct Each<'a, X, F> {
    out: &'a mut [u32],
    x: X,
    f: F,
}

impl<X: Iterator, F: Fn(X::Item) -> u32> pulp::WithSimd for Each<'_, X, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for (y, x) in self.out.iter_mut().zip(self.x) {
            *y = (self.f)(x);
        }
    }
}

/// Sine or cosine of a block: [`sin`] or [`cos`], and `slow` outside of the range they reduce.
#[inline(always)]
pub(crate) fn periodic(
    x: &[&[u32]],
    out: &mut [u32],
    fast: impl Fn(f32) -> f32,
    slow: impl Fn(f64) -> f64,
) {
    floats1(x, out, fast);
    // A second pass, because a call in the first would prevent SIMD.
    if x[0].iter().any(|&a| f32::from_bits(a).abs() > FAST_PERIODIC) {
        for (y, &a) in out.iter_mut().zip(x[0]) {
            let a = f32::from_bits(a);
            if a.abs() > FAST_PERIODIC {
                *y = (slow(f64::from(a)) as f32).to_bits();
            }
        }
    }
}

/// The nearest integer, ties to even, of a number below 2^22, as float and as integer.
///
/// Adding 1.5 * 2^23 pushes the fraction out of the significand; baseline x86-64 has no rounding
/// instruction.
#[inline(always)]
pub(crate) fn nearest(x: f32) -> (f32, i32) {
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x + SHIFT;
    (shifted - SHIFT, shifted.to_bits().wrapping_sub(SHIFT.to_bits()) as i32)
}

/// 2 to the power of `n`, for `-127 <= n <= 128`; the ends are 0 and infinity.
#[inline(always)]
pub(crate) fn exp2i(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `p * 2^n` for `p` near 1 and `-252 <= n <= 254`: rounded once, even to a denormal.
#[inline(always)]
fn scale(p: f32, n: i32) -> f32 {
    let half = n >> 1;
    p * exp2i(half) * exp2i(n.wrapping_sub(half))
}

/// `e^x`, within 1 unit in the last place.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Comparisons that keep NaN, unlike `clamp` on a GPU; past these ends it is 0 or infinity.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let (n, integer) = nearest(x * LOG2_E);
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let q = r * 0.001_381_314_2 + 0.008_369_419;
    let q = (q * r + 0.041_668_456) * r + 0.166_665_15;
    let q = q * r + 0.499_999_94;
    scale(q * (r * r) + r + 1.0, integer)
}

/// `2^r` for `r` between -1/2 and 1/2: 1 for 0.
#[inline(always)]
fn exp2_of_fraction(r: f32) -> f32 {
    let p = r * 1.519_502_4e-5 + 1.546_802_2e-4;
    let p = (p * r + 0.001_333_395) * r + 0.009_618_035;
    let p = (p * r + 0.055_504_102) * r + 0.240_226_5;
    (p * r + LN_2) * r + 1.0
}

/// `2^x`, within 1.1 units in the last place; exact for integers.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    // As in `exp`.
    let x = if x > 129.0 { 129.0 } else { x };
    let x = if x < -151.0 { -151.0 } else { x };
    let (n, integer) = nearest(x);
    scale(exp2_of_fraction(x - n), integer)
}

/// Logarithm of 2 in two parts: products of the first with integers below 2^10 are exact.
const LN_2_HIGH: f32 = 0.693_176_27;
const LN_2_LOW: f32 = -2.908_897_1e-5;

/// `e` and `m` of `x = m * 2^e`, with `m` between the square roots of 1/2 and 2; `x > 0`.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    // A denormal is an integer multiple of 2^-149, which is what its bits are.
    let bits = x.to_bits();
    let denormal = bits < 0x0080_0000;
    let bits = if denormal { (bits as i32 as f32).to_bits() } else { bits };
    let excess = bits.wrapping_sub(0x3f35_04f3) as i32;
    let e = excess >> 23;
    let m = f32::from_bits(bits.wrapping_sub((e << 23) as u32));
    (if denormal { e - 149 } else { e }, m)
}

/// `ln(1 + f) + e ln 2` for `1 + f` between the square roots of 1/2 and 2.
#[inline(always)]
fn log_of_parts(f: f32, e: i32) -> f32 {
    let p = f * 0.067_465_92 - 0.116_756_39;
    let p = (p * f + 0.118_881_78) * f - 0.124_055_92;
    let p = (p * f + 0.142_195_51) * f - 0.166_679_96;
    let p = (p * f + 0.200_021_19) * f - 0.250_000_1;
    let p = p * f + 0.333_333_13;
    let e = e as f32;
    let tail = p * (f * f * f) + e * LN_2_LOW - 0.5 * (f * f);
    tail + f + e * LN_2_HIGH
}

/// Special cases of a logarithm: `x` selects them, `y` is the value inside of the domain.
#[inline(always)]
fn log_or_special(x: f32, y: f32) -> f32 {
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// `ln x`, within 1 unit in the last place.
#[inline(always)]
pub(crate) fn log(x: f32) -> f32 {
    let (e, m) = split(x);
    log_or_special(x, log_of_parts(m - 1.0, e))
}

/// The logarithm to base 2, within 2 units in the last place; exact for powers of 2.
#[inline(always)]
pub(crate) fn log2(x: f32) -> f32 {
    let (e, m) = split(x);
    log_or_special(x, log_of_parts(m - 1.0, 0) * LOG2_E + e as f32)
}

/// The logarithm to base 10, within 2 units in the last place; exact for powers of 10 that are f32.
#[inline(always)]
pub(crate) fn log10(x: f32) -> f32 {
    /// Logarithm of 2 in two parts: products of the first with exponents are exact.
    const LOG10_2_HIGH: f32 = 0.301_025_4;
    const LOG10_2_LOW: f32 = 4.605_039e-6;
    let (e, m) = split(x);
    let rest = log_of_parts(m - 1.0, 0) * LOG10_E + e as f32 * LOG10_2_LOW;
    log_or_special(x, rest + e as f32 * LOG10_2_HIGH)
}

/// `ln(1 + x)`, within 2 units in the last place.
#[inline(always)]
pub(crate) fn log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let (e, m) = split(u);
    // (1 + x) / 2^e - 1 without the rounding error of 1 + x: the product is exact.
    let unit = exp2i(e.wrapping_neg());
    let f = if e < 64 { x * unit + (unit - 1.0) } else { m - 1.0 };
    log_or_special(u, log_of_parts(f, e))
}

/// Upper limit for [`sin`] and [`cos`]: the quadrant has to fit 16 bits.
const FAST_PERIODIC: f32 = 1e5;

/// `sin(x + quarter * pi / 2)`.
#[inline(always)]
fn sine_of_quadrant(x: f32, quarter: i32) -> f32 {
    let (n, quadrant) = nearest(x * FRAC_2_PI);
    // pi / 2 in parts of 8 bits: their products with n are exact (Cody & Waite 1980). The last one
    // is the remainder, which matters near multiples of pi / 2, where the others cancel.
    let r = x - n * 1.570_312_5 - n * 4.844_665_5e-4 - n * -6.407_499_3e-7;
    let r = r - n * 9.895_302e-10 - n * 2.563_344e-12;
    let z = r * r;
    let s = (z * -1.950_874_3e-4 + 0.008_332_113) * z - 0.166_666_54;
    let sine = s * z * r + r;
    let c = (z * 2.442_568e-5 - 0.001_388_725_1) * z + 0.041_666_646;
    let cosine = c * (z * z) - 0.5 * z + 1.0;
    let quadrant = quadrant.wrapping_add(quarter);
    let y = if quadrant & 1 == 0 { sine } else { cosine };
    f32::from_bits(y.to_bits() ^ ((quadrant as u32 & 2) << 30))
}

/// `sin x` for `|x| <= 1e5`: within 2 units in the last place up to 4, 3 units beyond.
#[inline(always)]
pub(crate) fn sin(x: f32) -> f32 {
    sine_of_quadrant(x, 0)
}

/// `cos x` for `|x| <= 1e5`: within 2 units in the last place up to 4, 3 units beyond.
#[inline(always)]
pub(crate) fn cos(x: f32) -> f32 {
    sine_of_quadrant(x, 1)
}

/// `tanh x`, within 2 units in the last place.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = z * -0.006_198_729_4 + 0.021_020_56;
    let p = (p * z - 0.053_840_52) * z + 0.133_324_8;
    let p = p * z - 0.333_333_13;
    let near = p * z * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.55 { near } else { far.copysign(x) }
}

/// `1 / (1 + e^-x)`, within 3 units in the last place.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    // Computed from -|x|, so that nothing overflows and small results keep their digits.
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// `x` without its fraction.
#[inline(always)]
pub(crate) fn trunc(x: f32) -> f32 {
    // Floats from 2^23 on have no fraction.
    let t = (x as i32 as f32).copysign(x);
    if x.abs() < 8_388_608.0 { t } else { x }
}

/// The largest integer that is not above `x`.
#[inline(always)]
pub(crate) fn floor(x: f32) -> f32 {
    let t = trunc(x);
    if t > x { t - 1.0 } else { t }
}

/// The smallest integer that is not below `x`.
#[inline(always)]
pub(crate) fn ceil(x: f32) -> f32 {
    let t = trunc(x);
    if t < x { (t + 1.0).copysign(x) } else { t }
}

/// The nearest integer, ties to even.
#[inline(always)]
pub(crate) fn round(x: f32) -> f32 {
    let t = ((x.abs() + 8_388_608.0) - 8_388_608.0).copysign(x);
    if x.abs() < 8_388_608.0 { t } else { x }
}

#[cfg(test)]
mod tests;
