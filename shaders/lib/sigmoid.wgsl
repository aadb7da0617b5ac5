// sigmoid.wgsl — 1 / (1 + e^-x).
//
// Numerics  3 units in the last place where division is correctly rounded, 4 where it is only
//           WGSL's; nothing overflows inside; denormal results may be flushed

fn sigmoid(x: f32) -> f32 {
    let e = exponential(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}
