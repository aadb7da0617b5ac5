// shift.wgsl — bits moved to higher or lower places, by any number of them.
//
// Numerics  exact; by 32 and more places nothing is left, where WGSL counts modulo 32

fn shift_left(x: u32, by: u32) -> u32 {
    return select(0u, x << (by & 31u), by < 32u);
}

fn shift_right(x: u32, by: u32) -> u32 {
    return select(0u, x >> (by & 31u), by < 32u);
}

/// Of a negative number nothing but signs is left.
fn shift_right_signed(x: i32, by: u32) -> i32 {
    return x >> min(by, 31u);
}
