// half.wgsl — floats rounded to f16 precision.
//
// Numerics  to nearest even, for denormals too; infinity from 65520 on; NaN is kept. WGSL's
//           conversion may round either way and does not specify numbers out of range (Mesa's
//           llvmpipe does the same as this); values are rounded before they are converted for
//           storage, which leaves no choice

fn round_to_half(x: f32) -> f32 {
    let word = bitcast<u32>(x);
    let magnitude = word & 0x7fffffffu;
    // 13 bits are cut off; the addition before that may carry into the rest and the exponent.
    let cut = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
    // Below 2^-14 f16 values are multiples of 2^-24.
    let multiple = bitcast<u32>(round(abs(x) * 0x1p24f) * 0x1p-24f);
    let finite = select(cut, multiple, magnitude < 0x38800000u);
    let rounded = select(finite, 0x7f800000u, magnitude >= 0x477ff000u);
    return from_bits(select(rounded, magnitude, magnitude > 0x7f800000u) | (word & 0x80000000u));
}
