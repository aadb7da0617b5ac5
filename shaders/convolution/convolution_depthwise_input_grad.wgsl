// convolution_depthwise_input_grad.wgsl — x = wᵀ * ct for small groups and any stride, one element each.
//
// Op        ops::ConvolutionInputGrad, with so few channels per group that most of a tile would be
//           idle, and strides of more than 1
// Lib       first_tap, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     w: [groups · outputs, inputs, ..window], ct: [batch, groups · outputs, ..y],
//           x: [batch, groups · inputs, ..x]
// Dispatch  ceil(len / WG_SIZE) workgroups, len being the elements of x, folded over (x, y) past
//           65535
// Memory    neighbors share their reads of ct, and mostly a channel of w, through the cache
// Numerics  f32, one fma per term in the order of output and tap; a weight is not multiplied where it
//           meets no position, since 0 times infinity is NaN

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    len: u32,
    y: vec3<u32>,
    inputs: u32, // channels of x per group
    window: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    groups: u32,
    dilation: vec3<u32>,
    positions: u32, // elements of a channel of y
    low: vec3<u32>, // zeros before x
    taps: u32, // elements of the window
    step: vec3<u32>, // between taps that meet a pixel
    back: vec3<u32>, // between the positions that such taps belong to
    x_multiplier: vec3<u32>,
    x_shift: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> x: array<Out>;

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
    let at = unravel(index, params.x, params.x_multiplier, params.x_shift);
    let padded = at.xyz + params.low;
    let first = first_taps(padded);
    // Divisible, though it may be negative; negative numbers wrap, and so lie past every extent.
    let reach = vec3<i32>(padded) - vec3<i32>(first * params.dilation);
    let nearest = vec3<u32>(reach / vec3<i32>(params.stride));
    let group = at.w / params.inputs;
    var output = group % params.groups * params.outputs;
    var channel = group * params.outputs * params.positions;
    var acc = Acc(0);
    for (var o = 0u; o < params.outputs; o += 1u) {
        let weights = (output * params.inputs + at.w % params.inputs) * params.taps;
        var plane = nearest.x;
        for (var d = first.x; d < params.window.x; d += params.step.x) {
            var row = nearest.y;
            for (var h = first.y; h < params.window.y; h += params.step.y) {
                let is_inside = plane < params.y.x && row < params.y.y;
                let line = channel + (plane * params.y.y + row) * params.y.z;
                let tap = weights + (d * params.window.y + h) * params.window.z;
                var column = nearest.z;
                for (var v = first.z; v < params.window.z; v += params.step.z) {
                    if is_inside && column < params.y.z {
                        acc = fma(Acc(w[tap + v]), Acc(ct[line + column]), acc);
                    }
                    column -= params.back.z;
                }
                row -= params.back.y;
            }
            plane -= params.back.x;
        }
        output += 1u;
        channel += params.positions;
    }
    x[index] = epilogue(acc, index);
}
