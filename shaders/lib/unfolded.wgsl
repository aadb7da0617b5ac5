// unfolded.wgsl — shared code of products with the unfolded input of a convolution.
//
// Numerics  exact: indices

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    groups: u32,
    y: vec3<u32>,
    inputs: u32, // channels of x per group
    window: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    terms: u32, // of each sum
    dilation: vec3<u32>,
    columns: u32, // of the unfolded input: batch · positions, or inputs · taps
    low: vec3<u32>, // zeros before x
    positions: u32, // elements of a channel of y
    y_multiplier: vec3<u32>,
    pixels: u32, // elements of a channel of x
    y_shift: vec3<u32>,
    grid_x: u32,
    window_multiplier: vec3<u32>,
    grid_y: u32,
    window_shift: vec3<u32>,
    part: u32, // terms of a part
    inputs_multiplier: u32,
    inputs_shift: u32,
}

/// Index of an element within a channel of x.
fn pixel(at: vec3<u32>) -> u32 {
    return (at.x * params.x.y + at.y) * params.x.z + at.z;
}
