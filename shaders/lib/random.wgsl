// random.wgsl — elements of counter-based random tensors.
//
// Numerics  bits and uniforms are the same on all devices; normals agree to the accuracy of
//           logarithm, root, sine and cosine
// Source    Box & Muller 1958, "A note on the generation of random normal deviates"

/// The block of four words that contains element `index`.
fn random_block(key: vec2<u32>, counter: u32, stream: u32, index: u32) -> vec4<u32> {
    return philox(vec4<u32>(index >> 2u, counter, stream, 0u), key);
}

fn random_bits(key: vec2<u32>, counter: u32, stream: u32, index: u32) -> u32 {
    return random_block(key, counter, stream, index)[index & 3u];
}

/// The upper 24 bits as a number in [0, 1).
fn unit_of_bits(bits: u32) -> f32 {
    return f32(bits >> 8u) * 0x1p-24f;
}

fn random_uniform(key: vec2<u32>, counter: u32, stream: u32, index: u32) -> f32 {
    return unit_of_bits(random_bits(key, counter, stream, index));
}

fn random_normal(key: vec2<u32>, counter: u32, stream: u32, index: u32) -> f32 {
    let block = random_block(key, counter, stream, index);
    // Each pair of words gives a pair of normals.
    let pair = select(block.zw, block.xy, (index & 2u) == 0u);
    let radius = sqrt(-2.0 * logarithm(1.0 - unit_of_bits(pair.x)));
    let angle = 6.2831855 * unit_of_bits(pair.y);
    return radius * select(sine(angle), cosine(angle), (index & 1u) == 0u);
}
