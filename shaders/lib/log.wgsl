// log.wgsl — ln x.
//
// Numerics  1 unit in the last place, for denormals too; -infinity at 0, NaN below
// Source    Cody & Waite 1980 (x = m 2^e); own minimax polynomial; mirrors ops/math/mod.rs

/// x = m 2^e, with m between the square roots of 1/2 and 2.
struct Parts {
    m: f32,
    e: i32,
}

/// The parts of x > 0.
fn split_float(x: f32) -> Parts {
    // A denormal is an integer multiple of 2^-149, given by its bits; devices may flush
    // it in float arithmetic.
    let word = bitcast<u32>(x);
    let denormal = word < 0x00800000u;
    let bits = select(word, bitcast<u32>(f32(word)), denormal);
    let e = bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
    let m = bitcast<f32>(bits - (bitcast<u32>(e) << 23u));
    return Parts(m, select(e, e - 149, denormal));
}

/// ln(1 + f) + e ln 2, for 1 + f between the square roots of 1/2 and 2.
fn logarithm_of_parts(f: f32, e: i32) -> f32 {
    var p = f * 0.06746592 - 0.11675639;
    p = (p * f + 0.11888178) * f - 0.12405592;
    p = (p * f + 0.14219551) * f - 0.16667996;
    p = (p * f + 0.20002119) * f - 0.2500001;
    p = p * f + 0.33333313;
    // ln 2 in two parts; applied to 2e for the reason given in exp.wgsl.
    let tail = p * (f * f * f) + f32(e << 1u) * -0.0000145444855 - 0.5 * (f * f);
    return tail + f + f32(e) * 0.69317627;
}

/// y inside of the domain of the logarithm of x, special values elsewhere.
fn logarithm_or_special(x: f32, y: f32) -> f32 {
    let word = bitcast<u32>(x);
    let at_zero = select(y, from_bits(0xff800000u), (word << 1u) == 0u);
    let at_infinity = select(at_zero, x, word == 0x7f800000u);
    let outside = is_nan(x) || word > 0x80000000u;
    return select(at_infinity, not_a_number(), outside);
}

fn logarithm(x: f32) -> f32 {
    let parts = split_float(x);
    return logarithm_or_special(x, logarithm_of_parts(parts.m - 1.0, parts.e));
}
