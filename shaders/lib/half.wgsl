// half.wgsl — floats rounded to what f16 holds.
//
// Numerics  to nearest even, of denormals too; from 65520 on infinity; NaN stays. WGSL's conversion
//           may round either way and says nothing of numbers out of range (Mesa's llvmpipe does as
//           this does): what is converted to be stored is a half already, which leaves no choice

fn round_to_half(x: f32) -> f32 {
    let word = bitcast<u32>(x);
    let magnitude = word & 0x7fffffffu;
    // 13 bits are cut off; what is added before carries into the rest, and on into the exponent.
    let cut = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
    // Below 2^-14 halves are multiples of 2^-24.
    let multiple = bitcast<u32>(round(abs(x) * 0x1p24f) * 0x1p-24f);
    let finite = select(cut, multiple, magnitude < 0x38800000u);
    let rounded = select(finite, 0x7f800000u, magnitude >= 0x477ff000u);
    return from_bits(select(rounded, magnitude, magnitude > 0x7f800000u) | (word & 0x80000000u));
}
