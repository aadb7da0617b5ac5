// window.wgsl — shared code of pooling kernels: shapes, and the cells of a window.
//
// Numerics  exact: the host keeps padded extents below 2^31, so that nothing wraps except a cell
//           before an axis, which lands past its end

/// Cells per window along the three axes, and the distances of windows and of their cells.
override EXTENT_D: u32 = 1u;
override EXTENT_H: u32 = 1u;
override EXTENT_W: u32 = 1u;
override STRIDE_D: u32 = 1u;
override STRIDE_H: u32 = 1u;
override STRIDE_W: u32 = 1u;
override DILATION_D: u32 = 1u;
override DILATION_H: u32 = 1u;
override DILATION_W: u32 = 1u;

struct Params {
    /// Extents of x; those of missing axes are 1.
    x_dims: vec3<u32>,
    /// Elements of the result.
    len: u32,
    /// Extents of y: the numbers of windows.
    y_dims: vec3<u32>,
    /// Elements per plane of x.
    x_plane: u32,
    /// Cells of padding before x.
    low: vec3<u32>,
    /// Elements per plane of y.
    y_plane: u32,
    /// The first cell that counts in a mean, in coordinates of the padded x.
    counted_low: vec3<u32>,
    /// The first one after it that does not.
    counted_high: vec3<u32>,
    /// Multipliers and shifts that divide by the extents of the result.
    multipliers: vec3<u32>,
    shifts: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;

fn extents() -> vec3<u32> { return vec3<u32>(EXTENT_D, EXTENT_H, EXTENT_W); }

fn strides() -> vec3<u32> { return vec3<u32>(STRIDE_D, STRIDE_H, STRIDE_W); }

fn dilations() -> vec3<u32> { return vec3<u32>(DILATION_D, DILATION_H, DILATION_W); }

/// Coordinates of an element of a result with these extents, and its plane as w.
fn coordinates(index: u32, dims: vec3<u32>) -> vec4<u32> {
    let rows = divide(index, params.multipliers.z, params.shifts.z);
    let layers = divide(rows, params.multipliers.y, params.shifts.y);
    let planes = divide(layers, params.multipliers.x, params.shifts.x);
    let outer = vec3<u32>(planes, layers, rows);
    return vec4<u32>(vec3<u32>(layers, rows, index) - outer * dims, planes);
}

/// Index within a plane of these extents.
fn offset(c: vec3<u32>, dims: vec3<u32>) -> u32 {
    return (c.x * dims.y + c.y) * dims.z + c.z;
}

/// Cell j of window o, which lies in x if it is less than x_dims.
fn cell(o: vec3<u32>, j: vec3<u32>) -> vec3<u32> {
    return o * strides() + j * dilations() - params.low;
}

/// The window of which c is cell j; not less than y_dims if there is none.
fn window_of(c: vec3<u32>, j: vec3<u32>) -> vec3<u32> {
    let end = c + params.low;
    let back = j * dilations();
    let o = (end - back) / strides();
    return select(params.y_dims, o, (back <= end) & (o * strides() == end - back));
}

/// Number of cells of window o before this coordinate of the padded x.
fn cells_before(o: vec3<u32>, end: vec3<u32>) -> vec3<u32> {
    let first = o * strides();
    return min((max(end, first) - first + dilations() - 1u) / dilations(), extents());
}

/// The divisor of a sum over window o.
fn divisor(o: vec3<u32>) -> f32 {
    let counted = cells_before(o, params.counted_high) - cells_before(o, params.counted_low);
    return f32(max(counted.x * counted.y * counted.z, 1u));
}
