// map.wgsl — y[i] = f(i) for each element of one or more results.
//
// Op        chains of pointwise operations and layout changes (StepKind::Map)
// Slot      fn map(i: u32)      (loads the operands, writes every result at i)
// Shape     results: [len], contiguous; operands as the slot indexes them
// Dispatch  ceil(len / 256) workgroups, folded over (x, y) past 65535
// Memory    each operand is read as the slot does, each result is written once

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = (wid.x + wid.y * groups.x) * 256u + lid.x;
    if i >= params.len { return; }
    map(i);
}
