// convolution_depthwise.wgsl — y = x * w for small groups, one element per invocation.
//
// Op        ops::Convolution, with so few outputs per group that most of a tile would be idle
// Lib       unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], w: [groups · outputs, inputs, ..window],
//           y: [batch, groups · outputs, ..y]
// Dispatch  ceil(len / WG_SIZE) workgroups, len being the elements of y, folded over (x, y) past
//           65535
// Memory    neighbors share their reads of x, and mostly a channel of w, through the cache
// Numerics  f32, one fma per term in the order of channel and tap

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    len: u32,
    y: vec3<u32>,
    inputs: u32, // channels of x per group
    window: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    terms: u32,
    dilation: vec3<u32>,
    channels: u32, // of y, in all groups
    low: vec3<u32>, // zeros before x
    pixels: u32, // elements of a channel of x
    y_multiplier: vec3<u32>,
    y_shift: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> w: array<Elem>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup.
override WG_SIZE: u32 = 256u;

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let index = (wid.x + wid.y * groups.x) * WG_SIZE + lid.x;
    if index >= params.len { return; }
    let at = unravel(index, params.y, params.y_multiplier, params.y_shift);
    // Negative numbers wrap, and so lie past every extent.
    let origin = at.xyz * params.stride - params.low;
    var tap = at.w % params.channels * params.terms;
    var channel = at.w / params.outputs * params.inputs * params.pixels;
    var acc = Acc(0);
    for (var c = 0u; c < params.inputs; c += 1u) {
        for (var d = 0u; d < params.window.x; d += 1u) {
            let depth = origin.x + d * params.dilation.x;
            for (var h = 0u; h < params.window.y; h += 1u) {
                let row = origin.y + h * params.dilation.y;
                let is_inside = depth < params.x.x && row < params.x.y;
                let first = channel + (depth * params.x.y + row) * params.x.z;
                for (var v = 0u; v < params.window.z; v += 1u) {
                    let column = origin.z + v * params.dilation.z;
                    // Padding is a factor like any other.
                    var element = Acc(0);
                    if is_inside && column < params.x.z { element = Acc(x[first + column]); }
                    acc = fma(Acc(w[tap]), element, acc);
                    tap += 1u;
                }
            }
        }
        channel += params.pixels;
    }
    y[index] = epilogue(acc, index);
}
