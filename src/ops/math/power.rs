//! `a` to the power of `b`.
//!
//! The product of exponent and logarithm reaches 128, and its absolute error is the relative
//! error of the result, so the logarithm needs 8 more bits than f32 has. The shader version cannot
//! rely on two-sums, which compilers simplify; the residual of the one quotient is computed in
//! integers, where nothing rounds.

use super::{exp2_of_fraction, exp2i, nearest, scale, split};

/// Keeps 12 significant bits: products of two such numbers are exact.
#[inline(always)]
fn high(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0xffff_f000)
}

/// The binary logarithm of `x > 0` in two parts, the first of 12 bits.
#[inline(always)]
fn log2_in_two(x: f32) -> (f32, f32) {
    /// 2 / ln 2, whole and in two parts, the first of 12 bits.
    const K: f32 = 2.885_39;
    const K_HIGH: f32 = 2.885_742_2;
    const K_LOW: f32 = -3.521_057e-4;
    let (e, m) = split(x);
    // m = (1 + s) / (1 - s) with s = (m - 1) / (m + 1), both as integers in units of 2^-24.
    let whole = (m * 16_777_216.0) as i32;
    let f = whole.wrapping_sub(1 << 24);
    let g = whole.wrapping_add(1 << 24);
    let (numerator, denominator) = (f as f32, g as f32);
    let quotient = numerator / denominator;
    // s = (steps + rest / g) / 2^k, where k makes `steps` a number of at most 12 bits.
    let exponent = (quotient.to_bits() >> 23 & 0xff) as i32;
    let k = 138 - exponent;
    let k = if k > 31 { 31 } else { k };
    let (steps, integer) = nearest(quotient * exp2i(k));
    let rest = f.wrapping_shl(k as u32).wrapping_sub(integer.wrapping_mul(g));
    let unit = exp2i(-k);
    let s_high = steps * unit;
    let s_low = rest as f32 / denominator * unit;
    let s = s_high + s_low;
    let z = s * s;
    let p = (z * 0.340_259_4 + 0.411_704_3) * z + 0.577_082_9;
    let p = p * z + 0.961_796_7;
    let tail = p * (z * s) + (K_LOW * s_high + K * s_low);
    let e = e as f32;
    let sum = high(e + (K_HIGH * s_high + tail));
    (sum, (e - sum) + K_HIGH * s_high + tail)
}

/// `a` to the power of `b`, within 4 units in the last place; NaN where `a < 0` and `b` is not an
/// integer, 1 where `b` is 0 or `a` is 1.
#[inline(always)]
pub(crate) fn power(a: f32, b: f32) -> f32 {
    let magnitude = a.abs();
    let (log, log_low) = log2_in_two(magnitude);
    // The product minus its nearest integer, summed in order of decreasing magnitude.
    let about = b * (log + log_low);
    let inside = if about < 160.0 { about } else { 160.0 };
    let inside = if inside > -160.0 { inside } else { -160.0 };
    let (n, integer) = nearest(inside);
    let b_high = high(b);
    let r = (b_high * log - n) + (b - b_high) * log + b * log_low;
    let y = scale(exp2_of_fraction(r), integer);
    let y = if about > 130.0 { f32::INFINITY } else { y };
    let y = if about < -151.0 { 0.0 } else { y };

    // Zero and infinity have no logarithm, an infinite exponent no product.
    let grows = (magnitude > 1.0) == (b > 0.0);
    let limit = if grows { f32::INFINITY } else { 0.0 };
    let extreme = magnitude == 0.0 || magnitude == f32::INFINITY || b.abs() == f32::INFINITY;
    let y = if extreme { limit } else { y };

    // From 2^24 on every float is an even integer.
    let whole = b as i32;
    let large = b.abs() >= 16_777_216.0;
    let integral = large || whole as f32 == b;
    let odd = !large && integral && whole & 1 != 0;
    let y = if a.is_sign_negative() && odd { -y } else { y };
    // For an infinite negative base, C and IEEE 754 do not return NaN.
    let y = if a < 0.0 && magnitude < f32::INFINITY && !integral { f32::NAN } else { y };
    let y = if a.is_nan() || b.is_nan() { f32::NAN } else { y };
    let y = if magnitude == 1.0 && b.abs() == f32::INFINITY { 1.0 } else { y };
    if b == 0.0 || a == 1.0 { 1.0 } else { y }
}
