// log_bases.wgsl — logarithms to base 2 and to base 10.
//
// Numerics  2 units in the last place, near 1 too; exact for powers of the base; -infinity at 0, NaN
//           below. WGSL allows its own log2 an absolute error near 1
// Source    as log.wgsl; mirrors ops/math/mod.rs

fn binary_logarithm(x: f32) -> f32 {
    let parts = split_float(x);
    let y = logarithm_of_parts(parts.m - 1.0, 0) * 1.442695 + f32(parts.e);
    return logarithm_or_special(x, y);
}

fn decimal_logarithm(x: f32) -> f32 {
    let parts = split_float(x);
    // The logarithm of 2 in two parts; the second is applied to 2e for the reason given in exp.wgsl.
    let low = f32(parts.e << 1u) * 0.0000023025195;
    let rest = logarithm_of_parts(parts.m - 1.0, 0) * 0.43429448 + low;
    return logarithm_or_special(x, rest + f32(parts.e) * 0.3010254);
}
