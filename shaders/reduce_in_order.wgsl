// reduce_in_order.wgsl — sums over everything but one axis, term by term.
//
// Op        ops::SumInOrder
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [outer, rows, inner], y: [rows]; several of y, one after another, where terms are in
//           parts
// Dispatch  ceil(rows · parts / 256) workgroups of 256 invocations, folded over (x, y)
// Memory    an element is read once; neighbors read neighbors where inner is 1
// Numerics  f32, one addition a term in the order of outer and inner, as kernels of several gradients sum
// Source    the definition

struct Params {
    rows: u32,
    inner: u32,
    terms: u32,
    part: u32, // terms of a part
    len: u32, // rows · parts
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (wid.x + wid.y * groups.x) * 256u + local;
    if index >= params.len { return; }
    let row = index % params.rows;
    let begin = index / params.rows * params.part;
    let end = min(begin + params.part, params.terms);
    var sum = Acc();
    for (var term = begin; term < end; term += 1u) {
        let outer = term / params.inner;
        sum += Acc(x[(outer * params.rows + row) * params.inner + term - outer * params.inner]);
    }
    y[index] = epilogue(sum, index);
}
