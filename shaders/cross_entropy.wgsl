// cross_entropy.wgsl — y[r] = log(sum exp(x[r, :])) - x[r, label[r]], one workgroup per row.
//
// Op        ops::CrossEntropy
// Lib       exp, log, nan, rows
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [rows, cols], contiguous; labels, y: [rows]
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Memory    4 bytes per invocation; a row is read twice, the second time from the cache
// Numerics  subtracts the maximum of the row; f32 sum, strided over invocations, then by halves;
//           NaN where the label is not below cols

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let row = wid.x + wid.y * groups.x;
    if row >= params.rows { return; } // the same for the whole workgroup: no barrier is skipped
    let first = row * params.cols;

    // 1. The maximum.
    var acc = LEAST;
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        acc = max(acc, Acc(x[first + i]));
    }
    let m = max_over_lanes(acc, lid.x);

    // 2. The sum of the exponentials.
    acc = 0.0;
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        acc += exponential(Acc(x[first + i]) - m);
    }
    let sum = sum_over_lanes(acc, lid.x);

    // 3. The loss.
    if lid.x == 0u {
        let label = labels[row];
        var loss = Acc(not_a_number());
        if label < params.cols {
            loss = logarithm(sum) - (Acc(x[first + label]) - m);
        }
        y[row] = epilogue(loss, row);
    }
}
