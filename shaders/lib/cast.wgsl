// cast.wgsl — floats to integers, defined for every float.
//
// Numerics  toward zero; out of range saturates, NaN gives 0, like Rust's `as`. WGSL clamps to the
//           nearest float in range, which misses its end, and does not specify NaN.

fn float_to_i32(x: f32) -> i32 {
    var y = i32(clamp(x, -0x1p31f, 0x1.fffffep+30f));
    if x >= 0x1p31f {
        y = 0x7fffffffi;
    }
    return select(y, 0i, is_nan(x));
}

fn float_to_u32(x: f32) -> u32 {
    var y = u32(clamp(x, 0.0, 0x1.fffffep+31f));
    if x >= 0x1p32f {
        y = 0xffffffffu;
    }
    return select(y, 0u, is_nan(x));
}
