// store_scalar.wgsl — four neighbors of a row of c, one by one.
//
// Shape     any
// Numerics  those of the epilogue

@group(0) @binding(3) var<storage, read_write> c: array<Out>;

/// Stores columns col .. col + 3 of a row of the matrix that begins at index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.m { return; }
    let index = first + row * params.n + col;
    if col < params.n { c[index] = epilogue(acc.x, index); }
    if col + 1u < params.n { c[index + 1u] = epilogue(acc.y, index + 1u); }
    if col + 2u < params.n { c[index + 2u] = epilogue(acc.z, index + 2u); }
    if col + 3u < params.n { c[index + 3u] = epilogue(acc.w, index + 3u); }
}

/// The product is the only result.
fn write_bias(acc: Acc, index: u32) {}
