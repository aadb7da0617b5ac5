// sort_key.wgsl — the u32 key by which elements are sorted.
//
// Numerics  exact; -0 is 0, NaN is the largest; mirrors `sort_key` of ops/argsort/mod.rs

/// The key of these bits; `kind` is 0 for u32, 1 for i32 and 2 for f32.
fn sort_key(bits: u32, kind: u32, descending: bool) -> u32 {
    let sign = 0x80000000u;
    var key = bits;
    if kind == 1u {
        key = bits ^ sign;
    }
    if kind == 2u {
        let magnitude = bits & 0x7fffffffu;
        key = select(bits ^ sign, ~bits, bits >= sign);
        if magnitude == 0u { key = sign; }
        if magnitude > 0x7f800000u { key = 0xffffffffu; }
    }
    return select(key, ~key, descending);
}
