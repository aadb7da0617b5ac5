// grid.wgsl — the tile of a workgroup, on a grid whose axes may be too long for a device.
//
// Numerics  exact: indices

/// An axis of the grid would be longer than devices accept: workgroups are numbered, and folded over
/// (x, y).
override IS_FOLDED: bool = false;

/// Coordinates on a grid of grid_x × grid_y × any.
fn place(wid: vec3<u32>, groups: vec3<u32>) -> vec3<u32> {
    if !IS_FOLDED { return wid; }
    let number = wid.x + wid.y * groups.x;
    let row = number / params.grid_x;
    return vec3<u32>(number % params.grid_x, row % params.grid_y, row / params.grid_y);
}
