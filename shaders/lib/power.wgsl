// power.wgsl — a to the power of b.
//
// Numerics  4 units in the last place; special values as in C (IEEE 754-2019, 9.2.1): 1 where b
//           is 0 or a is 1, NaN where a < 0 and b is not an integer. The product of exponent and
//           logarithm reaches 128, so the logarithm is kept in two floats.
// Source    own minimax polynomials; mirrors ops/math/power.rs. There are no two-sums: residuals
//           come from integers and masked bits, which no compiler simplifies

/// Keeps 12 significant bits: products of two such numbers are exact.
fn high_bits(x: f32) -> u32 {
    return bitcast<u32>(x) & 0xfffff000u;
}

/// The binary logarithm of x > 0 in two parts, the first of 12 bits.
fn log2_in_two(x: f32) -> vec2<f32> {
    let parts = split_float(x);
    // m = (1 + s) / (1 - s) with s = (m - 1) / (m + 1), both as integers in units of 2^-24.
    let whole = i32(parts.m * 16777216.0);
    let f = whole - 16777216;
    let g = whole + 16777216;
    let numerator = f32(f);
    let denominator = f32(g);
    let quotient = numerator / denominator;
    // s = (steps + rest / g) / 2^k, where k makes `steps` a number of at most 12 bits. The
    // residual is small, so it is correct although its terms wrap.
    let exponent = bitcast<i32>((bitcast<u32>(quotient) >> 23u) & 0xffu);
    let k = min(138 - exponent, 31);
    let steps = i32(round(quotient * power_of_two(k)));
    let rest = (bitcast<u32>(f) << bitcast<u32>(k)) - bitcast<u32>(steps) * bitcast<u32>(g);
    let unit = power_of_two(-k);
    let s_high = f32(steps) * unit;
    let s_low = f32(bitcast<i32>(rest)) / denominator * unit;
    let s = s_high + s_low;
    let z = s * s;
    let p = ((z * 0.3402594 + 0.4117043) * z + 0.5770829) * z + 0.9617967;
    // 2 / ln 2 is 2.8857422 - 0.0003521057; the second times 2 s_high, as in exp.wgsl.
    let tail = p * (z * s) + (f32(steps << 1u) * unit * -0.00017605285 + 2.88539 * s_low);
    let e = f32(parts.e);
    let sum = bitcast<f32>(high_bits(e + (2.8857422 * s_high + tail)));
    return vec2<f32>(sum, (e - sum) + 2.8857422 * s_high + tail);
}

fn power(a: f32, b: f32) -> f32 {
    let magnitude = bitcast<u32>(a) & 0x7fffffffu;
    let exponent_magnitude = bitcast<u32>(b) & 0x7fffffffu;
    let log = log2_in_two(bitcast<f32>(magnitude));
    // The product minus its nearest integer, summed in order of decreasing magnitude.
    let about = b * (log.x + log.y);
    let n = i32(round(clamp(about, -160.0, 160.0)));
    let b_high = bitcast<f32>(high_bits(b));
    // Twice the logarithm by its exponent, so that the products are not merged into b log.x.
    let twice = bitcast<f32>(bitcast<u32>(log.x) + 0x00800000u);
    let r = (b_high * log.x - f32(n)) + (b - b_high) * 0.5 * twice + b * log.y;
    var p = r * 0.000015195024 + 0.00015468022;
    p = (p * r + 0.001333395) * r + 0.009618035;
    p = (p * r + 0.055504102) * r + 0.2402265;
    var y = scale_by_power_of_two((p * r + 0.6931472) * r + 1.0, n);
    y = select(y, infinity(), about > 130.0);
    y = select(y, 0.0, about < -151.0);

    // Zero and infinity have no logarithm, an infinite exponent no product.
    let grows = (magnitude > 0x3f800000u) == ((bitcast<u32>(b) >> 31u) == 0u);
    let extreme = magnitude == 0u || magnitude == 0x7f800000u || exponent_magnitude == 0x7f800000u;
    y = select(y, select(0.0, infinity(), grows), extreme);

    // From 2^24 on every float is an even integer.
    let large = exponent_magnitude >= 0x4b800000u;
    let integer = i32(clamp(b, -16777216.0, 16777216.0));
    let integral = large || f32(integer) == b;
    let odd = !large && integral && (integer & 1) != 0;
    let negative = (bitcast<u32>(a) >> 31u) != 0u;
    y = select(y, -y, negative && odd);
    let imaginary = negative && magnitude != 0u && magnitude < 0x7f800000u && !integral;
    y = select(y, not_a_number(), imaginary || is_nan(a) || is_nan(b));
    y = select(y, 1.0, magnitude == 0x3f800000u && exponent_magnitude == 0x7f800000u);
    return select(y, 1.0, exponent_magnitude == 0u || bitcast<u32>(a) == 0x3f800000u);
}
