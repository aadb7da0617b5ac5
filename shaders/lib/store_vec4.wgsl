// store_vec4.wgsl — four neighbors of a row of c at once, whose rows are whole vec4s.
//
// Shape     n is a multiple of 4
// Numerics  those of the epilogue

@group(0) @binding(3) var<storage, read_write> c: array<vec4<Out>>;

/// Stores columns col .. col + 3 of a row of the matrix that begins at index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.m || col >= params.n { return; }
    let index = first + row * params.n + col;
    c[index / 4u] = vec4<Out>(
        epilogue(acc.x, index),
        epilogue(acc.y, index + 1u),
        epilogue(acc.z, index + 2u),
        epilogue(acc.w, index + 3u),
    );
}

/// The product is the only result.
fn write_bias(acc: Acc, index: u32) {}
