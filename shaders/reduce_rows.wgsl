// reduce_rows.wgsl — y[r] = the elements of row r combined, one workgroup per row or part of it.
//
// Op        ops::Reduce for long rows (StepKind::Reduce)
// Slot      fn element(outer: u32, inner: u32) -> Acc
//           fn combine(a: Acc, b: Acc) -> Acc
//           fn identity() -> Acc
//           fn epilogue(acc: Acc, index: u32) -> Out
// Shape     elements: [outer, inner], any extents; y: [outer, parts]
// Dispatch  one workgroup per part of a row, the index folded over (x, y) past 65535
// Memory    each element is read once; 4 bytes of workgroup memory per invocation
// Numerics  four partial results per invocation, each over every 4 · WG_SIZE-th element, then a
//           tree: always in the same order

struct Params {
    outer: u32,
    inner: u32,
    /// Number of parts of each row.
    parts: u32,
    /// Length of a part; the last one may be shorter.
    chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup; a power of two, chosen by the host.
override WG_SIZE: u32 = 256u;

var<workgroup> partial: array<Acc, WG_SIZE>;

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = wid.x + wid.y * groups.x;
    if index >= params.outer * params.parts { return; } // the same for the whole workgroup
    let outer = index / params.parts;
    let first = (index - outer * params.parts) * params.chunk;
    let end = min(first + params.chunk, params.inner);

    // 1. Each invocation strides over the part.
    var a0 = identity();
    var a1 = identity();
    var a2 = identity();
    var a3 = identity();
    for (var i = first + lid.x; i < end; i += 4u * WG_SIZE) {
        a0 = combine(a0, element(outer, i));
        if i + WG_SIZE < end { a1 = combine(a1, element(outer, i + WG_SIZE)); }
        if i + 2u * WG_SIZE < end { a2 = combine(a2, element(outer, i + 2u * WG_SIZE)); }
        if i + 3u * WG_SIZE < end { a3 = combine(a3, element(outer, i + 3u * WG_SIZE)); }
    }
    partial[lid.x] = combine(combine(a0, a1), combine(a2, a3));

    // 2. Pairs, by halves.
    for (var stride = WG_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier(); // the upper half is written
        if lid.x < stride {
            partial[lid.x] = combine(partial[lid.x], partial[lid.x + stride]);
        }
    }
    if lid.x == 0u {
        y[index] = epilogue(partial[0], index); // invocation 0 wrote it itself
    }
}
