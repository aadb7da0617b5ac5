// convolution_depthwise.wgsl — y = x * w for small groups, four neighbors per invocation.
//
// Op        ops::Convolution, with so few outputs per group that most of a tile would be idle;
//           ops::ConvolutionInputGrad of such groups with stride 1, of which y is the result and x the
//           cotangent
// Lib       unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], w: [groups · outputs, inputs, ..window],
//           y: [batch, groups · outputs, ..y]; for the gradient outputs and inputs of a group are
//           transposed in w
// Dispatch  ceil(fours / WG_SIZE) workgroups, folded over (x, y) past 65535
// Memory    an invocation loads three elements more than a line of the window has taps, if the window
//           moves by one pixel; other reads are shared through the cache
// Numerics  f32, one fma per term in the order of channel and tap; of the gradient, a weight is not
//           multiplied where it meets no position, since 0 times infinity is NaN

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    inputs: u32, // channels of x per group
    y: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    w_input: u32, // from an input to the next in w
    dilation: vec3<u32>,
    w_output: u32, // from an output to the next
    low: vec3<u32>, // zeros before x; negative numbers wrap
    groups: u32,
    quads: vec3<u32>, // depth, height and fours of neighbors in a line of y
    fours: u32, // of neighbors, in all lines
    quad_multiplier: vec3<u32>,
    planes: u32, // of the window
    quad_shift: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> w: array<Elem>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup.
override WG_SIZE: u32 = 256u;
/// Lines and columns of the window: with constant numbers several loads are in flight.
override WINDOW_ROWS: u32 = 3u;
override WINDOW_COLUMNS: u32 = 3u;
/// Whether the window moves by one pixel along a line: of what four neighbors read at a tap, three have
/// read three at the tap before.
override IS_SLIDING: bool = false;
/// Whether the window is flipped, as it is in the gradient.
override IS_FLIPPED: bool = false;

/// How far from the first pixel of the window a tap reads, along an axis.
fn offset(tap: u32, window: u32, dilation: u32) -> u32 {
    return select(tap, window - 1u - tap, IS_FLIPPED) * dilation;
}

/// An element of a line of x, or 0 outside of it.
fn x_at(line: u32, column: u32, is_inside: bool) -> Acc {
    let is_read = is_inside & (column < params.x.z);
    return select(Acc(), Acc(x[select(0u, line + column, is_read)]), is_read);
}

/// Stores one of four neighbors, unless the line ends before it.
fn store(first: u32, column: u32, acc: Acc) {
    if column >= params.y.z { return; }
    y[first + column] = epilogue(acc, first + column);
}

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let number = (wid.x + wid.y * groups.x) * WG_SIZE + lid.x;
    if number >= params.fours { return; }
    let at = unravel(number, params.quads, params.quad_multiplier, params.quad_shift);
    let position = vec3<u32>(at.xy, 4u * at.z);
    // Negative numbers wrap, and so lie past every extent.
    let origin = position * params.stride - params.low;
    let product = at.w / params.outputs;
    let taps = params.planes * WINDOW_ROWS * WINDOW_COLUMNS;
    let w_group = product % params.groups * params.inputs * params.outputs * taps;
    let w_first = w_group + at.w % params.outputs * params.w_output;
    var acc = vec4<Acc>();
    for (var input = 0u; input < params.inputs; input += 1u) {
        let channel = (product * params.inputs + input) * params.x.x;
        var tap = w_first + input * params.w_input;
        for (var d = 0u; d < params.planes; d += 1u) {
            let plane = origin.x + offset(d, params.planes, params.dilation.x);
            for (var h = 0u; h < WINDOW_ROWS; h += 1u) {
                let row = origin.y + offset(h, WINDOW_ROWS, params.dilation.y);
                let is_inside = (plane < params.x.x) & (row < params.x.y);
                let line = ((channel + plane) * params.x.y + row) * params.x.z;
                // Three of the four that the first tap reads.
                let three = origin.z + offset(0u, WINDOW_COLUMNS, 1u) + u32(IS_FLIPPED);
                var read = vec4<Acc>();
                if IS_SLIDING {
                    let first = x_at(line, three, is_inside);
                    let second = x_at(line, three + 1u, is_inside);
                    let third = x_at(line, three + 2u, is_inside);
                    read = vec4<Acc>(first, second, third, Acc());
                    if !IS_FLIPPED { read = read.wxyz; }
                }
                for (var v = 0u; v < WINDOW_COLUMNS; v += 1u) {
                    let column = origin.z + offset(v, WINDOW_COLUMNS, params.dilation.z);
                    let columns = column + params.stride.z * vec4<u32>(0u, 1u, 2u, 3u);
                    if !IS_SLIDING {
                        read = vec4<Acc>(
                            x_at(line, columns.x, is_inside),
                            x_at(line, columns.y, is_inside),
                            x_at(line, columns.z, is_inside),
                            x_at(line, columns.w, is_inside),
                        );
                    } else if IS_FLIPPED {
                        read = vec4<Acc>(x_at(line, column, is_inside), read.xyz);
                    } else {
                        read = vec4<Acc>(read.yzw, x_at(line, column + 3u, is_inside));
                    }
                    let sum = fma(vec4<Acc>(Acc(w[tap])), read, acc);
                    let are_met = vec4<bool>(is_inside) & (columns < vec4<u32>(params.x.z));
                    // Padding is a factor like any other in a convolution, not in its gradient.
                    acc = select(acc, sum, are_met | vec4<bool>(!IS_FLIPPED));
                    tap += 1u;
                }
            }
        }
    }
    let first = ((at.w * params.y.x + at.x) * params.y.y + at.y) * params.y.z;
    store(first, position.z, acc.x);
    store(first, position.z + 1u, acc.y);
    store(first, position.z + 2u, acc.z);
    store(first, position.z + 3u, acc.w);
}
