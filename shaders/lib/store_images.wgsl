// store_images.wgsl — the result of a convolution, whose channels come first.
//
// Shape     y: [batch, groups · outputs, ..y]
// Numerics  those of the epilogue

@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Stores a position of the batch, of the channel whose first element of image 0 has index `first`.
fn store_position(first: u32, col: u32, acc: Acc) {
    if col >= params.columns { return; }
    let image = col / params.positions;
    let channels = image * (params.groups * params.outputs - 1u);
    let index = first + channels * params.positions + col;
    y[index] = epilogue(acc, index);
}

/// Stores columns col .. col + 3 of a row of the group whose first channel begins at index `first`.
fn store_positions(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.outputs { return; }
    let channel = first + row * params.positions;
    store_position(channel, col, acc.x);
    store_position(channel, col + 1u, acc.y);
    store_position(channel, col + 2u, acc.z);
    store_position(channel, col + 3u, acc.w);
}
