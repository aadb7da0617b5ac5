// reduce_serial.wgsl — y[o] = the elements of o combined, one invocation per o or part of it.
//
// Op        ops::Reduce for few elements, or if neighbors in the outer space are neighbors in
//           memory (StepKind::Reduce)
// Slot      fn element(outer: u32, inner: u32) -> Acc
//           fn combine(a: Acc, b: Acc) -> Acc
//           fn identity() -> Acc
//           fn epilogue(acc: Acc, index: u32) -> Out
// Shape     elements: [outer, inner], any extents; y: [parts, outer]
// Dispatch  ceil(outer · parts / 64) workgroups, folded over (x, y) past 65535
// Memory    each element is read once; neighboring invocations read neighboring outer indices
// Numerics  results of up to 64 elements in order, combined in order

struct Params {
    outer: u32,
    inner: u32,
    /// Number of parts of each inner space.
    parts: u32,
    /// Length of a part; the last one may be shorter.
    chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<Out>;

/// Elements combined separately before the rest: rounding errors grow with the longest chain.
const BLOCK = 64u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 64u + lid.x;
    if index >= params.outer * params.parts { return; }
    let part = index / params.outer;
    let outer = index - part * params.outer;
    let first = part * params.chunk;
    let end = min(first + params.chunk, params.inner);

    var acc = identity();
    for (var start = first; start < end; start += BLOCK) {
        let stop = min(start + BLOCK, end);
        var block = identity();
        for (var i = start; i < stop; i += 1u) {
            block = combine(block, element(outer, i));
        }
        acc = combine(acc, block);
    }
    y[index] = epilogue(acc, index);
}
