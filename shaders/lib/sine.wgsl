// sine.wgsl — sin x and cos x.
//
// Numerics  2 units in the last place for |x| <= 4, beyond 5 units for every finite x (WGSL allows
//           its own 2^-11, and only between -pi and pi); NaN for infinity
// Source    Cody & Waite 1980 up to 1e5, Payne & Hanek 1983 (SIGNUM 18) beyond; own minimax
//           polynomials; mirrors ops/math/mod.rs

/// x = quadrant pi / 2 + r, with |r| <= pi / 4.
struct Reduced {
    r: f32,
    quadrant: u32,
}

/// 2 / pi in words of 32 bits, after one of zeros.
const TWO_OVER_PI = array<u32, 8>(
    0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
    0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
);

/// For |x| <= 1e5: the multiple has at most 16 bits and each part of pi / 2 but the last has 8, so
/// that products are exact. Each converts another integer, for the reason given in exp.wgsl.
fn reduce_near(x: f32) -> Reduced {
    let n = i32(round(x * 0.63661975));
    var r = fma(f32(n), -1.5703125, x);
    r = fma(f32(n << 1u), -0.00024223328, r);
    r = fma(f32(n << 2u), 0.00000016018748, r);
    r = fma(f32(n << 3u), -0.00000000012369128, r);
    r = fma(f32(n << 4u), -0.000000000000160209, r);
    return Reduced(r, bitcast<u32>(n));
}

/// The high word of a product.
fn high_product(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

/// For finite |x| >= 1: the significand times the 96 bits of 2 / pi that matter; higher ones
/// give multiples of four quadrants, lower ones less than the result's precision.
fn reduce_far(x: f32) -> Reduced {
    let word = bitcast<u32>(x);
    let significand = (word & 0x007fffffu) | 0x00800000u;
    // x = significand 2^(exponent - 150); the window starts at that power minus 2, in a table
    // that starts 32 bits early.
    let start = ((word >> 23u) & 0xffu) - 120u;
    let index = start >> 5u;
    let shift = start & 31u;
    var window = vec3<u32>();
    for (var k = 0u; k < 3u; k += 1u) {
        let next = TWO_OVER_PI[min(index + k + 1u, 7u)];
        // Two shifts, because a shift by 32 does nothing.
        window[k] = (TWO_OVER_PI[min(index + k, 7u)] << shift) | ((next >> 1u) >> (31u - shift));
    }
    let low = significand * window.y + high_product(significand, window.z);
    let carry = select(0u, 1u, low < significand * window.y);
    let high = significand * window.x + high_product(significand, window.y) + carry;
    // Two bits of quadrant, 62 of fraction, which become signed when the quadrant is rounded.
    let quadrant = (high + 0x20000000u) >> 30u;
    let fraction = bitcast<i32>((high << 2u) | (low >> 30u));
    let r = 1.5707964 * (f32(fraction) * 0x1p-32f + f32(low << 2u) * 0x1p-64f);
    let negative = (word >> 31u) != 0u;
    return Reduced(select(r, -r, negative), select(quadrant, 0u - quadrant, negative));
}

/// sin(x + quarter pi / 2).
fn sine_of_quadrant(x: f32, quarter: u32) -> f32 {
    let magnitude = bitcast<u32>(x) & 0x7fffffffu;
    var reduced: Reduced;
    if abs(x) <= 1e5 {
        reduced = reduce_near(x);
    } else {
        reduced = reduce_far(x);
    }
    let r = reduced.r;
    let z = r * r;
    let s = (z * -0.00019508743 + 0.008332113) * z - 0.16666654;
    let sine_of_r = s * z * r + r;
    let c = (z * 0.00002442568 - 0.0013887251) * z + 0.041666646;
    let cosine_of_r = c * (z * z) - 0.5 * z + 1.0;
    let quadrant = reduced.quadrant + quarter;
    let y = select(sine_of_r, cosine_of_r, (quadrant & 1u) != 0u);
    let signed = select(y, -y, (quadrant & 2u) != 0u);
    return select(signed, not_a_number(), magnitude >= 0x7f800000u);
}

fn sine(x: f32) -> f32 {
    return sine_of_quadrant(x, 0u);
}

fn cosine(x: f32) -> f32 {
    return sine_of_quadrant(x, 1u);
}
