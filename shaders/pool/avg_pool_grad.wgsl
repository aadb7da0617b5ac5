// avg_pool_grad.wgsl — dx[i] = the sum of ct / divisor over the windows of cell i.
//
// Op        ops::AvgPoolGrad
// Lib       window
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     ct: [planes, y_dims], dx: [planes, x_dims], with three axes each
// Dispatch  ceil(len / 256) workgroups, one invocation per element of dx, folded over (x, y)
//           past 65535
// Numerics  one division per window, f32 sum over windows in row-major order

@group(0) @binding(1) var<storage, read> ct: array<Elem>;
@group(0) @binding(2) var<storage, read_write> dx: array<Out>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * 256u + lid.x;
    if index >= params.len { return; }
    let c = coordinates(index, params.x_dims);
    var acc = Acc(0.0);
    // Backward through the window is forward through the windows.
    for (var a = EXTENT_D; a > 0u; a--) {
        for (var b = EXTENT_H; b > 0u; b--) {
            for (var d = EXTENT_W; d > 0u; d--) {
                let o = window_of(c.xyz, vec3<u32>(a - 1u, b - 1u, d - 1u));
                if all(o < params.y_dims) {
                    acc += Acc(ct[c.w * params.y_plane + offset(o, params.y_dims)]) / divisor(o);
                }
            }
        }
    }
    dx[index] = epilogue(acc, index);
}
