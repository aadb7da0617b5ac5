// divide.wgsl — n / d for a d known to the host.
//
// Numerics  exact for n < 2^31: multiplier = ceil(2^(31 + shift) / d), where shift = ceil(log2 d),
//           exceeds 2^(31 + shift) / d by less than one, hence the quotient by less than 1 / d
// Source    Granlund & Montgomery 1994 (PLDI), with one spare bit in n; the host side is
//           `divisor` of ops/library.rs

fn divide(n: u32, multiplier: u32, shift: u32) -> u32 {
    // The high word of 2n * multiplier from 16-bit halves; no partial sum passes 32 bits.
    let a = n << 1u;
    let low = (a & 0xffffu) * (multiplier & 0xffffu);
    let middle = (a >> 16u) * (multiplier & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (multiplier >> 16u) + (middle & 0xffffu);
    let high = (a >> 16u) * (multiplier >> 16u) + (middle >> 16u) + (other >> 16u);
    return high >> shift;
}
