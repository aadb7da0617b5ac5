// radix_count.wgsl — y[r, d, b] = number of elements of block b whose digit is d.
//
// Op        ops::RadixCount
// Lib       sort_key
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, order: [rows, cols]; y: [rows, 16, blocks]; all contiguous
// Dispatch  one workgroup per block of 1024 elements of a row, numbered row by row and folded over
//           (x, y) past 65535
// Memory    64 bytes of workgroup memory
// Numerics  exact: numbers are added in any order

struct Params {
    rows: u32,
    cols: u32,
    blocks: u32,
    shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// The type of the elements, as numbered by `sort_key`.
override KIND: u32 = 2u;
override DESCENDING: bool = false;

const BLOCK = 1024u;
const INVOCATIONS = 128u;

var<workgroup> counts: array<atomic<u32>, 16>;

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let number = wid.x + wid.y * groups.x;
    // The same for the whole workgroup: no barrier is skipped.
    if number >= params.rows * params.blocks { return; }
    let row = number / params.blocks;
    let block = number - row * params.blocks;
    let first = row * params.cols;

    if lid.x < 16u {
        atomicStore(&counts[lid.x], 0u);
    }
    workgroupBarrier(); // the counts are 0
    let end = min((block + 1u) * BLOCK, params.cols);
    for (var i = block * BLOCK + lid.x; i < end; i += INVOCATIONS) {
        let word = bitcast<u32>(Wide(x[first + min(order[first + i], params.cols - 1u)]));
        let digit = (sort_key(word, KIND, DESCENDING) >> params.shift) & 15u;
        atomicAdd(&counts[digit], 1u);
    }
    workgroupBarrier(); // all elements are counted
    if lid.x < 16u {
        let index = (row * 16u + lid.x) * params.blocks + block;
        y[index] = epilogue(atomicLoad(&counts[lid.x]), index);
    }
}
