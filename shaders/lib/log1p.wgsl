// log1p.wgsl — ln(1 + x), accurate for small x.
//
// Numerics  2 units in the last place; -infinity at -1, NaN below
// Source    as log.wgsl; mirrors ops/math/mod.rs

fn logarithm_of_one_plus(x: f32) -> f32 {
    let u = 1.0 + x;
    let parts = split_float(u);
    // (1 + x) / 2^e - 1 without the rounding error of 1 + x: the product is exact. The usual
    // correction, x - (u - 1), is what fast-math folds to zero.
    let unit = power_of_two(-parts.e);
    let far = select(parts.m - 1.0, x * unit + (unit - 1.0), parts.e < 64);
    // Explicit, because fast-math may factor `unit` out again and round 1 + x after all.
    let f = select(far, x, parts.e == 0);
    return logarithm_or_special(u, logarithm_of_parts(f, parts.e));
}
