// bias.wgsl — the gradient of a bias, a second result of the kernel of a weight's.
//
// Numerics  those of the epilogue

/// Whether the kernel has this result.
override HAS_BIAS: bool = false;

/// Which invocations of a workgroup sum four rows of its tile each: the first of the first column of tiles.
fn sums_rows(local: u32, col0: u32) -> bool {
    return HAS_BIAS & (col0 == 0u) & (local < BM / 4u);
}

/// Stores the sums of four rows, of which `rows` exist from the element at index `first` on.
fn store_rows(first: u32, row: u32, rows: u32, sums: vec4<Acc>) {
    if row < rows { write_bias(sums.x, first + row); }
    if row + 1u < rows { write_bias(sums.y, first + row + 1u); }
    if row + 2u < rows { write_bias(sums.z, first + row + 2u); }
    if row + 3u < rows { write_bias(sums.w, first + row + 3u); }
}
