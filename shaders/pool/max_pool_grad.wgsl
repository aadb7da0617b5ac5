// max_pool_grad.wgsl — dx[i] = the sum of ct over the windows with largest cell i.
//
// Op        ops::MaxPoolGrad
// Lib       nan, window
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, dx: [planes, x_dims], ct: [planes, y_dims], with three axes each
// Dispatch  ceil(len / 256) workgroups, one invocation per element of dx, folded over (x, y)
//           past 65535
// Memory    each element reads all windows it is in, until a larger cell is found
// Numerics  f32 sum over windows in row-major order; the first of equal cells counts, the last of
//           several NaN

@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> dx: array<Out>;

/// Whether c is the largest cell of window o: the last to replace the best so far.
fn is_chosen(o: vec3<u32>, c: vec3<u32>, first: u32) -> bool {
    let own = offset(c, params.x_dims);
    let value = Acc(x[first + own]);
    for (var a = 0u; a < EXTENT_D; a++) {
        for (var b = 0u; b < EXTENT_H; b++) {
            for (var d = 0u; d < EXTENT_W; d++) {
                let other = cell(o, vec3<u32>(a, b, d));
                if all(other < params.x_dims) {
                    let i = offset(other, params.x_dims);
                    let rival = Acc(x[first + i]);
                    if i < own && !takes_over(value, rival) { return false; }
                    if i > own && takes_over(rival, value) { return false; }
                }
            }
        }
    }
    return true;
}

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
                if all(o < params.y_dims) && is_chosen(o, c.xyz, c.w * params.x_plane) {
                    acc += Acc(ct[c.w * params.y_plane + offset(o, params.y_dims)]);
                }
            }
        }
    }
    dx[index] = epilogue(acc, index);
}
