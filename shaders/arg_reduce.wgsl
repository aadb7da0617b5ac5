// arg_reduce.wgsl — y[r] = index of the first extremum of x[r, :], one workgroup per row.
//
// Op        ops::ArgReduce
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [rows, cols], contiguous, cols >= 1; y: [rows]
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Numerics  exact; NaN counts as the extremum and is found by its bits
// Memory    8 bytes per invocation

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup; a power of two, chosen by the host.
override WG_SIZE: u32 = 256u;
/// Whether to find the largest element, or the smallest.
override LARGEST: bool = true;

struct Candidate {
    value: Wide,
    index: u32,
}

/// Index of no candidate, for an invocation that had no element.
const NONE = 0xffffffffu;

var<workgroup> best: array<Candidate, WG_SIZE>;

/// Integers convert to finite numbers, so this is false for all of them.
fn is_not_a_number(value: Wide) -> bool {
    return (bitcast<u32>(f32(value)) & 0x7fffffffu) > 0x7f800000u;
}

/// Associative and commutative, since the order by NaN, value and index is total.
fn merge(a: Candidate, b: Candidate) -> Candidate {
    if a.index == NONE { return b; }
    if b.index == NONE { return a; }
    let a_nan = is_not_a_number(a.value);
    let b_nan = is_not_a_number(b.value);
    let less = a.value < b.value;
    let greater = a.value > b.value;
    var first = a.index < b.index;
    if a_nan != b_nan {
        first = a_nan;
    } else if !a_nan && (less || greater) {
        first = select(less, greater, LARGEST);
    }
    if first { return a; }
    return b;
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

    // 1. Each invocation strides over the row.
    var own = Candidate(Wide(0), NONE);
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        own = merge(own, Candidate(Wide(x[first + i]), i));
    }
    best[lid.x] = own;

    // 2. The extrema of pairs, by halves.
    for (var stride = WG_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier(); // the upper half is written
        if lid.x < stride {
            best[lid.x] = merge(best[lid.x], best[lid.x + stride]);
        }
    }
    if lid.x == 0u {
        y[row] = epilogue(best[0].index, row); // invocation 0 wrote it itself
    }
}
