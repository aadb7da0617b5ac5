// exp2.wgsl — 2^x.
//
// Numerics  1.1 units in the last place, exact for integers (WGSL allows its own 3 + 2 |x|); infinity
//           from 128 on; denormal results may be flushed
// Source    own minimax polynomial; mirrors ops/math/mod.rs

fn power_of_two_of(x: f32) -> f32 {
    let inside = clamp(x, -151.0, 129.0);
    let n = round(inside);
    let r = inside - n;
    var p = r * 0.000015195024 + 0.00015468022;
    p = (p * r + 0.001333395) * r + 0.009618035;
    p = (p * r + 0.055504102) * r + 0.2402265;
    let y = scale_by_power_of_two((p * r + 0.6931472) * r + 1.0, i32(n));
    return select(y, x, is_nan(x));
}
