// arctangent.wgsl — the angle of the point (x, y) from -pi to pi.
//
// Numerics  2 units in the last place where division is correctly rounded, 4 where it is only
//           WGSL's; zeros and infinities as in IEEE 754-2019, 9.2.1
// Source    own minimax polynomial of (atan(q) / q - 1) / q^2 from 0 to 1; mirrors
//           ops/math/arctangent.rs

fn angle_of(y: f32, x: f32) -> f32 {
    let a = bitcast<u32>(y) & 0x7fffffffu;
    let b = bitcast<u32>(x) & 0x7fffffffu;
    // Magnitudes are ordered like their bits.
    let steep = a > b;
    let numerator = min(a, b);
    let denominator = max(a, b);
    // WGSL does not support divisors above 2^126; the bits that scaling takes from small numerators
    // do not matter for such a divisor.
    let factor = select(1.0, 0x1p-32f, denominator >= 0x5f800000u);
    let n = bitcast<f32>(numerator) * factor;
    let d = bitcast<f32>(denominator) * factor;
    // The quotient, even if a compiler assumes that there is neither 0 / 0 nor infinity.
    let ordinary = denominator > 0u && denominator < 0x7f800000u;
    let limit = select(0.0, 1.0, numerator >= 0x7f800000u);
    let q = select(limit, n / select(1.0, d, ordinary), ordinary);
    let z = q * q;
    var p = z * 0.0029202432 - 0.016366137;
    p = (p * z + 0.043208968) * z - 0.07551971;
    p = (p * z + 0.10665892) * z - 0.14211027;
    p = (p * z + 0.1999377) * z - 0.33333153;
    let acute = p * z * q + q;
    // In the other three octants of the half plane, the complement to pi/2 or pi, which is in
    // two parts.
    let back = (bitcast<u32>(x) >> 31u) != 0u;
    let whole = select(select(0.0, 3.1415927, back), 1.5707964, steep);
    let low = select(select(0.0, -0.00000008742278, back), -0.00000004371139, steep);
    let part = select(-acute, acute, steep == back);
    let angle = bitcast<u32>(whole + (part + low));
    let signed = bitcast<f32>((angle & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
    return select(signed, not_a_number(), is_nan(y) || is_nan(x));
}
