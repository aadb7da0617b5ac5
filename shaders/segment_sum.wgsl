// segment_sum.wgsl — y[r, e, c] = sum of x[r, order[r, j], c] over keys[r, j] = e.
//
// Op        ops::SegmentSum
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [rows, count, cols]; keys, order: [rows, count], the keys sorted;
//           tails: [rows, ceil(count / block), cols]; y: [rows, extent, cols]; all contiguous
// Dispatch  ceil(rows · extent · cols / 64) workgroups, folded over (x, y) past 65535
// Memory    a run is found in 2 log2(count) reads, the same for all columns
// Numerics  the tails of the blocks that end in the run, then the elements after them, one
//           rounding each

struct Params {
    /// Number of elements of y.
    len: u32,
    extent: u32,
    count: u32,
    cols: u32,
    /// Keys per block; the last one may be shorter.
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> tails: array<Elem>;
@group(0) @binding(5) var<storage, read_write> y: array<Out>;

/// Number of keys below `key` in the row that starts at `first`.
fn below(first: u32, key: u32) -> u32 {
    var low = 0u;
    var high = params.count;
    while low < high {
        let middle = (low + high) / 2u;
        if keys[first + middle] < key {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

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
    let e = line - row * params.extent;

    let first = row * params.count;
    let start = below(first, e);
    let end = below(first, e + 1u);
    let blocks = (params.count + params.block - 1u) / params.block;
    let behind = end / params.block;
    var acc = Acc();
    for (var number = start / params.block; number < behind; number += 1u) {
        acc += Acc(tails[(row * blocks + number) * params.cols + c]);
    }
    for (var j = max(start, behind * params.block); j < end; j += 1u) {
        acc += Acc(x[(first + min(order[first + j], params.count - 1u)) * params.cols + c]);
    }
    y[index] = epilogue(acc, index);
}
