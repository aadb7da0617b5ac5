// scatter_add.wgsl — y[o, e, i] = sum of x[o, k, i] over indices[k] = e, one invocation per element.
//
// Op        ops::ScatterAdd with few indices
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [outer, count, inner], y: [outer, extent, inner]; indices: [count], or the shape
//           of x with PER_LINE; all contiguous
// Dispatch  ceil(outer · extent · inner / 64) workgroups, folded over (x, y) past 65535
// Memory    every element of y walks all of its indices, neighbors walk the same ones
// Numerics  one rounding per update, in the order of k; no atomics

struct Params {
    /// Number of elements of y.
    len: u32,
    extent: u32,
    count: u32,
    inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Whether each element of x has its own index.
override PER_LINE: bool = false;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 64u + lid.x;
    if index >= params.len { return; }
    let row = index / params.inner;
    let i = index - row * params.inner;
    let outer = row / params.extent;
    let e = row - outer * params.extent;

    var acc = Acc();
    var place = outer * params.count * params.inner + i;
    for (var k = 0u; k < params.count; k += 1u) {
        if indices[select(k, place, PER_LINE)] == e {
            acc += Acc(x[place]);
        }
        place += params.inner;
    }
    y[index] = epilogue(acc, index);
}
