// shift.wgsl — shifts by any number of bits.
//
// Numerics  exact; nothing is left from 32 bits on, where WGSL shifts modulo 32

fn shift_left(x: u32, by: u32) -> u32 {
    return select(0u, x << (by & 31u), by < 32u);
}

fn shift_right(x: u32, by: u32) -> u32 {
    return select(0u, x >> (by & 31u), by < 32u);
}

/// From 32 bits on, only copies of the sign are left.
fn shift_right_signed(x: i32, by: u32) -> i32 {
    return x >> min(by, 31u);
}
