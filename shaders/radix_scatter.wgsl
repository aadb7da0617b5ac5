// radix_scatter.wgsl — the order so far, each block stably moved to the positions of its digits.
//
// Op        ops::RadixScatter
// Lib       sort_key
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, order, y: [rows, cols]; starts: [rows, 16, blocks]; all contiguous
// Dispatch  one workgroup per block of 1024 elements of a row, numbered row by row and folded over
//           (x, y) past 65535
// Memory    4 KiB of workgroup memory
// Numerics  exact and stable: an element comes after those of its digit that precede it
// Source    Satish, Harris & Garland 2009, "Designing efficient sorting algorithms for manycore
//           GPUs" (ranks by a scan over invocations)

struct Params {
    rows: u32,
    cols: u32,
    blocks: u32,
    shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

/// The type of the elements, as numbered by `sort_key`.
override KIND: u32 = 2u;
override DESCENDING: bool = false;

const BLOCK = 1024u;
const INVOCATIONS = 128u;
/// Neighbors per invocation.
const ITEMS = 8u;

/// Occurrences of each digit: word [w · INVOCATIONS + t] counts digits 2w and 2w + 1 of
/// invocation t in its halves, which 1024 elements do not fill.
var<workgroup> counts: array<u32, 8u * INVOCATIONS>;

fn digit_of(index: u32) -> u32 {
    return (sort_key(bitcast<u32>(Wide(x[index])), KIND, DESCENDING) >> params.shift) & 15u;
}

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

    // 1. Each invocation counts its neighbors, in separate words.
    let start = min(block * BLOCK + lid.x * ITEMS, params.cols);
    let end = min(start + ITEMS, params.cols);
    for (var w = 0u; w < 8u; w += 1u) {
        counts[w * INVOCATIONS + lid.x] = 0u;
    }
    for (var i = start; i < end; i += 1u) {
        let digit = digit_of(first + min(order[first + i], params.cols - 1u));
        counts[(digit >> 1u) * INVOCATIONS + lid.x] += 1u << (16u * (digit & 1u));
    }

    // 2. The counts of all invocations up to each.
    for (var reach = 1u; reach < INVOCATIONS; reach *= 2u) {
        workgroupBarrier(); // the counts over half the reach are written
        var before: array<u32, 8>;
        if lid.x >= reach {
            for (var w = 0u; w < 8u; w += 1u) {
                before[w] = counts[w * INVOCATIONS + lid.x - reach];
            }
        }
        workgroupBarrier(); // they have been read
        for (var w = 0u; w < 8u; w += 1u) {
            counts[w * INVOCATIONS + lid.x] += before[w];
        }
    }

    // 3. Backwards, each element is the last of its digit among the remaining ones. The counts that
    // an invocation uses are its own, so no barrier is in front.
    for (var i = end; i > start; i -= 1u) {
        let index = min(order[first + i - 1u], params.cols - 1u);
        let digit = digit_of(first + index);
        let word = (digit >> 1u) * INVOCATIONS + lid.x;
        let half = 16u * (digit & 1u);
        counts[word] -= 1u << half;
        let rank = (counts[word] >> half) & 0xffffu;
        let place = first + min(starts[(row * 16u + digit) * params.blocks + block] + rank, params.cols - 1u);
        y[place] = epilogue(index, place);
    }
}
