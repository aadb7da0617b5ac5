// remainder.wgsl — a - b trunc(a / b), for floats.
//
// Numerics  exact for every quotient: long division of the significands, 8 bits per round, in
//           integers. WGSL's `%` rounds the quotient and is undefined if it is large. NaN
//           where b is 0 or a infinite

fn remainder(a: f32, b: f32) -> f32 {
    let x = bitcast<u32>(a) & 0x7fffffffu;
    let y = bitcast<u32>(b) & 0x7fffffffu;
    if x >= 0x7f800000u || y > 0x7f800000u || y == 0u {
        return not_a_number();
    }
    if x < y {
        return a;
    }
    // A denormal has the exponent of the smallest normal number and no leading bit.
    let x_exponent = max(x >> 23u, 1u);
    let y_exponent = max(y >> 23u, 1u);
    let divisor = (y & 0x007fffffu) | select(0u, 0x00800000u, y >= 0x00800000u);
    var rest = ((x & 0x007fffffu) | select(0u, 0x00800000u, x >= 0x00800000u)) % divisor;
    var left = x_exponent - y_exponent;
    while left > 0u && rest != 0u {
        let step = min(left, 8u);
        rest = (rest << step) % divisor;
        left -= step;
    }
    // rest 2^(y_exponent - 150), as bits: a product could flush a denormal.
    let bits = bitcast<u32>(f32(rest));
    let normal = (bits >> 23u) + y_exponent > 150u;
    let scaled = select(rest << min(y_exponent - 1u, 31u), bits + (y_exponent << 23u) - (150u << 23u), normal);
    return from_bits(select(scaled, 0u, rest == 0u) | (bitcast<u32>(a) & 0x80000000u));
}
