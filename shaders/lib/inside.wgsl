// inside.wgsl — whether coordinates lie in a box.
//
// Numerics  exact: indices

/// Whether the first axis is one; else its coordinates are all 0.
override IS_DEEP: bool = true;

/// Negative numbers wrap, and so lie past every extent. Loaders join it to other conditions by `&`, since
/// `&&` would be a branch.
fn is_inside(at: vec3<u32>, extents: vec3<u32>) -> bool {
    if IS_DEEP { return all(at < extents); }
    return all(at.yz < extents.yz);
}
