// exp.wgsl — e^x.
//
// Numerics  1 unit in the last place (WGSL allows its own 3 + 2 |x|); infinity from 88.73 on;
//           denormal results may be flushed
// Source    Cody & Waite 1980 (reduction by multiples of ln 2); own minimax polynomial; mirrors
//           ops/math/mod.rs

fn exponential(x: f32) -> f32 {
    let inside = clamp(x, -104.0, 89.0);
    let n = i32(round(inside * 1.442695));
    // The second term converts 2n: two products with one float would let a compiler add the
    // constants first (Mesa does), which undoes the reduction.
    let r = fma(f32(n << 1u), 0.0000145444855, fma(f32(n), -0.69317627, inside));
    var q = r * 0.0013813142 + 0.008369419;
    q = (q * r + 0.041668456) * r + 0.16666515;
    q = q * r + 0.49999994;
    let y = scale_by_power_of_two(q * (r * r) + r + 1.0, n);
    return select(y, x, is_nan(x));
}
