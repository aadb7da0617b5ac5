// unravel.wgsl — coordinates of a row-major index into a box, and the index of the box.
//
// Numerics  exact for indices below 2^31; multipliers and shifts are those of `divide`

fn unravel(
    index: u32,
    extents: vec3<u32>,
    multipliers: vec3<u32>,
    shifts: vec3<u32>,
) -> vec4<u32> {
    let rows = divide(index, multipliers.z, shifts.z);
    let planes = divide(rows, multipliers.y, shifts.y);
    let boxes = divide(planes, multipliers.x, shifts.x);
    return vec4<u32>(
        planes - boxes * extents.x,
        rows - planes * extents.y,
        index - rows * extents.z,
        boxes,
    );
}
