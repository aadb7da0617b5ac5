// scale.wgsl — powers of two from their bits.
//
// Numerics  exact; `ldexp` and `exp2` are not exact everywhere

/// 2^n for -127 <= n <= 128; the ends are 0 and infinity.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(n + 127) << 23u);
}

/// p 2^n for p near 1 and -250 <= n <= 254: rounded once.
fn scale_by_power_of_two(p: f32, n: i32) -> f32 {
    // Half of n goes into the bits of p: fast-math would merge two factors into one that overflows.
    let half = n >> 1u;
    return bitcast<f32>(bitcast<u32>(p) + (bitcast<u32>(half) << 23u)) * power_of_two(n - half);
}
