// normalize_grad.wgsl — dx = (ct - mean ct - y mean (ct y)) / sqrt(v + eps), one workgroup per row.
//
// Op        ops::NormalizeGrad along the last axes
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, ct, dx: [rows, cols], all contiguous
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Memory    8 bytes per invocation; a row is read three times, the last two from the cache
// Numerics  y = (x - m) / sqrt(v + eps), with m and v as in normalize.wgsl; f32 sums, strided over
//           invocations, then by halves

struct Params {
    rows: u32,
    cols: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> dx: array<Out>;

/// Invocations per workgroup; a power of two, chosen by the host.
override WG_SIZE: u32 = 256u;
/// Whether m is the mean of the row, or 0, and with it the mean of ct.
override CENTERED: bool = true;

var<workgroup> partial: array<vec2<Acc>, WG_SIZE>;

/// The sums over the workgroup.
fn sum(own: vec2<Acc>, lane: u32) -> vec2<Acc> {
    workgroupBarrier(); // the sums before have been read
    partial[lane] = own;
    for (var stride = WG_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier(); // the upper half is written
        if lane < stride { partial[lane] += partial[lane + stride]; }
    }
    workgroupBarrier(); // the sums are written
    return partial[0];
}

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

    // 1. The means of x, less its first element, and of ct.
    var origin = Acc(0.0);
    var means = vec2<Acc>();
    if CENTERED {
        origin = Acc(x[first]);
        var own = vec2<Acc>();
        for (var i = lid.x; i < params.cols; i += WG_SIZE) {
            own += vec2<Acc>(Acc(x[first + i]) - origin, Acc(ct[first + i]));
        }
        means = sum(own, lid.x) / count;
    }

    // 2. With d = x - m, the means of d^2 and of ct d.
    var own = vec2<Acc>();
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        let d = (Acc(x[first + i]) - origin) - means.x;
        own += d * vec2<Acc>(d, Acc(ct[first + i]));
    }
    let moments = sum(own, lid.x) / count;
    let scale = inverseSqrt(moments.x + params.eps);

    // 3. The three terms; y is d times the scale.
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        let index = first + i;
        let y = ((Acc(x[index]) - origin) - means.x) * scale;
        let acc = scale * (Acc(ct[index]) - means.y - y * (scale * moments.y));
        dx[index] = epilogue(acc, index);
    }
}
