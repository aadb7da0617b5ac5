// normalize.wgsl — y[r, :] = (x[r, :] - m) / sqrt(v + eps), one workgroup per row.
//
// Op        ops::Normalize along the last axes
// Lib       rows
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, y: [rows, cols], both contiguous
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Memory    4 bytes per invocation; a row is read three times, the last two from the cache
// Numerics  m is the mean of differences from x[r, 0], and v that of (x - m)^2, after m is known: no
//           cancellation; f32 sums, strided over invocations, then by halves

struct Params {
    rows: u32,
    cols: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

/// Whether m is the mean of the row, or 0.
override CENTERED: bool = true;

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let row = wid.x + wid.y * groups.x;
    if row >= params.rows { return; } // the same for the whole workgroup: no barrier is skipped
    let first = row * params.cols;
    let count = Acc(params.cols);

    // 1. The mean, less the first element.
    var origin = Acc(0.0);
    var m = Acc(0.0);
    if CENTERED {
        origin = Acc(x[first]);
        var own = Acc(0.0);
        for (var i = lid.x; i < params.cols; i += WG_SIZE) {
            own += Acc(x[first + i]) - origin;
        }
        m = sum_over_lanes(own, lid.x) / count;
    }

    // 2. The mean square of the differences.
    var own = Acc(0.0);
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        let d = (Acc(x[first + i]) - origin) - m;
        own += d * d;
    }
    let scale = inverseSqrt(sum_over_lanes(own, lid.x) / count + params.eps);

    // 3. The quotients.
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        let index = first + i;
        y[index] = epilogue(((Acc(x[index]) - origin) - m) * scale, index);
    }
}
