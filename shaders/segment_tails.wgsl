// segment_tails.wgsl — y[r, b, c] = sum of x[r, order[r, j], c] over the last run of block b.
//
// Op        ops::SegmentTails
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [rows, count, cols]; keys, order: [rows, count], the keys sorted;
//           y: [rows, blocks, cols]; all contiguous
// Dispatch  ceil(rows · blocks · cols / 64) workgroups, folded over (x, y) past 65535
// Memory    each key is read once per column; neighbors read neighboring columns
// Numerics  one rounding per element, in the order of j

struct Params {
    /// Number of elements of y.
    len: u32,
    extent: u32, // of y along its middle axis: the number of blocks
    count: u32,
    cols: u32,
    /// Keys per block; the last one may be shorter.
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 64u + lid.x;
    if index >= params.len { return; }
    let line = index / params.cols;
    let c = index - line * params.cols;
    let row = line / params.extent;
    let number = line - row * params.extent;

    let first = row * params.count;
    let start = number * params.block;
    let end = min(start + params.block, params.count);
    let last = keys[first + end - 1u];
    var acc = Acc();
    for (var j = start; j < end; j += 1u) {
        if keys[first + j] == last {
            acc += Acc(x[(first + min(order[first + j], params.count - 1u)) * params.cols + c]);
        }
    }
    y[index] = epilogue(acc, index);
}
