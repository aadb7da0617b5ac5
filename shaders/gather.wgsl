// gather.wgsl — y[o, k, i] = x[o, indices[k], i], one invocation per element of y.
//
// Op        ops::Gather
// Lib       divide, nan
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [outer, extent, inner], y: [outer, count, inner]; indices: [count], or the shape
//           of y with PER_LINE; all contiguous
// Dispatch  ceil(outer · count · inner / 256) workgroups, folded over (x, y) past 65535
// Numerics  exact; 0 or NaN where the index is not below the extent, without reading memory

struct Params {
    /// Number of elements of y.
    len: u32,
    extent: u32,
    count: u32,
    inner: u32,
    /// Multipliers and shifts that divide by count and by inner.
    count_multiplier: u32,
    count_shift: u32,
    inner_multiplier: u32,
    inner_shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Whether each element of y has its own index.
override PER_LINE: bool = false;
/// Whether an index that is not below the extent gives NaN, and not 0.
override NAN_OUTSIDE: bool = false;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 256u + lid.x;
    if index >= params.len { return; }
    let pair = divide(index, params.inner_multiplier, params.inner_shift);
    let i = index - pair * params.inner;
    let outer = divide(pair, params.count_multiplier, params.count_shift);
    let k = pair - outer * params.count;

    let chosen = indices[select(k, index, PER_LINE)];
    var value = Acc();
    if chosen < params.extent {
        value = Acc(x[(outer * params.extent + chosen) * params.inner + i]);
    } else if NAN_OUTSIDE {
        value = Acc(not_a_number());
    }
    y[index] = epilogue(value, index);
}
