// quantize.wgsl — the nearest bytes, -127 to 127, to quotients and products; ties to even.
//
// Numerics  exact: significands are 24-bit integers, and the rounding decision, the number of
//           halves and whether there is a remainder, is computed in 32 bits; numbers below 2^-126
//           count as 0, NaN gives 0

/// The byte nearest to this many halves, plus a remainder below one.
fn byte_of_halves(halves: u32, rest: bool, negative: bool) -> i32 {
    let up = (halves & 1u) == 1u && (rest || (halves & 2u) == 2u);
    let byte = i32(min((halves >> 1u) + select(0u, 1u, up), 127u));
    return select(byte, -byte, negative);
}

fn quantize(x: f32, scale: f32) -> i32 {
    let a = bitcast<u32>(x);
    let b = bitcast<u32>(scale);
    let negative = ((a ^ b) >> 31u) == 1u;
    let of_x = (a >> 23u) & 0xffu;
    let of_scale = (b >> 23u) & 0xffu;
    // The numerator is 0 or NaN, or the denominator is NaN or infinite.
    if of_x == 0u || of_scale == 0xffu || (of_x == 0xffu && (a & 0x7fffffu) != 0u) { return 0; }
    // The significands differ by less than a factor of 2: past 8 bits the quotient is at least 128.
    if of_x == 0xffu || of_scale == 0u || of_x > of_scale + 7u {
        return byte_of_halves(254u, false, negative);
    }
    if of_x + 1u < of_scale { return 0; }
    let numerator = ((a & 0x7fffffu) | 0x800000u) << (of_x + 1u - of_scale);
    let denominator = (b & 0x7fffffu) | 0x800000u;
    let halves = numerator / denominator;
    return byte_of_halves(halves, numerator != halves * denominator, negative);
}

fn requantize(x: i32, ratio: f32) -> i32 {
    let bits = bitcast<u32>(ratio);
    let exponent = (bits >> 23u) & 0xffu;
    let fraction = bits & 0x7fffffu;
    if x == 0 || exponent == 0u || (exponent == 0xffu && fraction != 0u) { return 0; }
    let negative = (x < 0) != ((bits >> 31u) == 1u);
    let word = bitcast<u32>(x);
    let product = wide_product(select(word, 0u - word, x < 0), fraction | 0x800000u);
    // In halves it is product · 2^(exponent - 149), and product below 2^55.
    if exponent >= 149u { return byte_of_halves(254u, false, negative); }
    let places = 149u - exponent;
    if places >= 56u { return 0; }
    if places >= 32u {
        let high = places - 32u;
        let rest = product.y | (product.x & ((1u << high) - 1u));
        return byte_of_halves(product.x >> high, rest != 0u, negative);
    }
    if (product.x >> places) != 0u { return byte_of_halves(254u, false, negative); }
    let halves = (product.x << (32u - places)) | (product.y >> places);
    return byte_of_halves(halves, (product.y & ((1u << places) - 1u)) != 0u, negative);
}
