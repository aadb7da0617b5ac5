// store_grads.wgsl — four neighbors of a row of the gradient of a weight, beside that of a bias.
//
// Shape     any
// Numerics  those of the epilogues

/// Stores columns col .. col + 3 of a row of the matrix that begins at index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.m { return; }
    let index = first + row * params.n + col;
    if col < params.n { write_weight(acc.x, index); }
    if col + 1u < params.n { write_weight(acc.y, index + 1u); }
    if col + 2u < params.n { write_weight(acc.z, index + 2u); }
    if col + 3u < params.n { write_weight(acc.w, index + 3u); }
}
