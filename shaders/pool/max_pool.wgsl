// max_pool.wgsl — y[o] = the largest of the cells of window o.
//
// Op        ops::MaxPool
// Lib       nan, window
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [planes, x_dims], y: [planes, y_dims], with three axes each
// Dispatch  ceil(len / 256) workgroups, one invocation per element of y, folded over (x, y)
//           past 65535
// Numerics  exact; NaN is the largest, and the maximum of padding alone is -infinity

@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 256u + lid.x;
    if index >= params.len { return; }
    let o = coordinates(index, params.y_dims);
    let first = o.w * params.x_plane;
    var best = from_bits(0xff800000u); // -infinity
    for (var a = 0u; a < EXTENT_D; a++) {
        for (var b = 0u; b < EXTENT_H; b++) {
            for (var d = 0u; d < EXTENT_W; d++) {
                let c = cell(o.xyz, vec3<u32>(a, b, d));
                if all(c < params.x_dims) {
                    let value = Acc(x[first + offset(c, params.x_dims)]);
                    if takes_over(value, best) { best = value; }
                }
            }
        }
    }
    y[index] = epilogue(best, index);
}
