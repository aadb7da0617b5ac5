// nan.wgsl — NaN and infinity where a compiler may assume there are none.
//
// Numerics  Metal compiles with fast-math, which folds `x != x` to false and lets min and max
//           drop NaN; the bits are integers, and integers are left alone

/// The float with these bits; a literal infinity or NaN is an error in WGSL.
fn from_bits(word: u32) -> f32 {
    return bitcast<f32>(word);
}

fn infinity() -> f32 {
    return from_bits(0x7f800000u);
}

fn not_a_number() -> f32 {
    return from_bits(0x7fc00000u);
}

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// The larger one; NaN if either is.
fn max_or_nan(a: f32, b: f32) -> f32 {
    return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

/// The smaller one; NaN if either is.
fn min_or_nan(a: f32, b: f32) -> f32 {
    return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

/// -1, 0 or 1; NaN for NaN.
fn sign_or_nan(x: f32) -> f32 {
    return select(sign(x), x, is_nan(x));
}

/// Whether b, which comes later, replaces a as the largest so far: the first of equals stays, and
/// the last NaN.
fn takes_over(b: f32, a: f32) -> bool {
    return is_nan(b) || b > a;
}

/// NaN below 0, where a compiler may take the square of a root for what is under it (Mesa does).
fn square_root(x: f32) -> f32 {
    return select(sqrt(x), not_a_number(), bitcast<u32>(x) > 0x80000000u);
}
