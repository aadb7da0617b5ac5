// integer_divide.wgsl — quotients and remainders of integers, defined for every pair.
//
// Numerics  exact: the quotient is truncated and wraps, the remainder has the sign of a. Where b is
//           0 the quotient is a and the remainder 0, as in WGSL; drivers differ there, and some
//           miscompute `%` of negative numbers, so only unsigned ones are divided

fn divide_u32(a: u32, b: u32) -> u32 {
    return select(a / max(b, 1u), a, b == 0u);
}

fn remainder_u32(a: u32, b: u32) -> u32 {
    return select(a % max(b, 1u), 0u, b == 0u);
}

/// The least i32 has no positive counterpart as i32, but has one as u32.
fn magnitude_u32(a: i32) -> u32 {
    return select(bitcast<u32>(a), 0u - bitcast<u32>(a), a < 0i);
}

fn with_sign(magnitude: u32, is_negative: bool) -> i32 {
    return bitcast<i32>(select(magnitude, 0u - magnitude, is_negative));
}

fn divide_i32(a: i32, b: i32) -> i32 {
    let quotient = magnitude_u32(a) / max(magnitude_u32(b), 1u);
    return select(with_sign(quotient, (a ^ b) < 0i), a, b == 0i);
}

fn remainder_i32(a: i32, b: i32) -> i32 {
    return with_sign(remainder_u32(magnitude_u32(a), magnitude_u32(b)), a < 0i);
}
