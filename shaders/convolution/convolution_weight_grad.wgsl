// convolution_weight_grad.wgsl — w = ct * x as an implicit product, one tile per workgroup.
//
// Op        ops::ConvolutionWeightGrad
// Lib       tile, unfolded, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], ct: [batch, groups · outputs, ..y],
//           w: [groups · outputs, inputs, ..window]; for each group a product of [outputs, terms]
//           and [terms, inputs · taps], where terms = batch · positions
// Dispatch  groups · ceil(outputs / 4 EDGE) · ceil(inputs · taps / 4 EDGE) workgroups of EDGE²
//           invocations, numbered row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory, 8.5 KiB for EDGE = 16
// Numerics  f32, one fma per term in the order of image and position, whatever EDGE is; the host
//           splits long sums by images, which become groups
// Source    as convolution.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> w: array<Out>;

/// A tap of one channel.
struct Column {
    /// Distance of the element it reads from that of tap 0.
    offset: vec3<u32>,
    /// The channel in x, from the first of its group.
    channel: u32,
}

fn column(number: u32) -> Column {
    // Past the last column everything lies outside of x.
    if number >= params.columns { return Column(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.window, params.window_multiplier, params.window_shift);
    return Column(at.xyz * params.dilation, at.w * params.pixels);
}

/// Zero outside of the matrices, which adds nothing.
fn ct_at(first: u32, row: u32, is_term: bool) -> Acc {
    if is_term && row < params.outputs {
        return Acc(ct[first + row * params.positions]);
    }
    return Acc(0);
}

/// Negative numbers wrap, and so lie past every extent.
fn x_at(c: Column, origin: vec3<u32>, first: u32, is_term: bool) -> Acc {
    let at = origin + c.offset;
    if is_term && all(at < params.x) {
        return Acc(x[first + c.channel + pixel(at)]);
    }
    return Acc(0);
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.outputs { return; }
    let index = first + row * params.columns + col;
    if col < params.columns { w[index] = epilogue(acc.x, index); }
    if col + 1u < params.columns { w[index + 1u] = epilogue(acc.y, index + 1u); }
    if col + 2u < params.columns { w[index + 2u] = epilogue(acc.z, index + 2u); }
    if col + 3u < params.columns { w[index + 3u] = epilogue(acc.w, index + 3u); }
}

@compute @workgroup_size(EDGE, EDGE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let tile = 4u * EDGE;
    let across = (params.columns + tile - 1u) / tile;
    let down = (params.outputs + tile - 1u) / tile;
    let number = wid.x + wid.y * groups.x;
    // The same for the whole workgroup: no barrier is skipped.
    if number >= params.groups * down * across { return; }
    let group = number / (down * across);
    let row0 = number / across % down * tile;
    let col0 = number % across * tile;

    // Neighbors load neighboring positions of either operand.
    let ct_row = row0 + 4u * lid.y;
    let x_col = col0 + 4u * lid.y;
    let of0 = column(x_col);
    let of1 = column(x_col + 1u);
    let of2 = column(x_col + 2u);
    let of3 = column(x_col + 3u);

    var sums = Sums();
    for (var k0 = 0u; k0 < params.terms; k0 += EDGE) {
        let p = k0 + lid.x;
        let is_term = p < params.terms;
        let at = unravel(p, params.y, params.y_multiplier, params.y_shift);
        let channels = at.w * params.groups + group;
        let position = p - at.w * params.positions;
        let of_ct = channels * params.outputs * params.positions + position;
        put_rows(lid.x, lid.y, vec4<Acc>(
            ct_at(of_ct, ct_row, is_term),
            ct_at(of_ct, ct_row + 1u, is_term),
            ct_at(of_ct, ct_row + 2u, is_term),
            ct_at(of_ct, ct_row + 3u, is_term),
        ));
        let origin = at.xyz * params.stride - params.low;
        let of_x = channels * params.inputs * params.pixels;
        put_columns(lid.x, lid.y, vec4<Acc>(
            x_at(of0, origin, of_x, is_term),
            x_at(of1, origin, of_x, is_term),
            x_at(of2, origin, of_x, is_term),
            x_at(of3, origin, of_x, is_term),
        ));
        sums = add_products(sums, lid);
    }

    let first = group * params.outputs * params.columns;
    let row = row0 + 4u * lid.y;
    let col = col0 + 4u * lid.x;
    store(first, row, col, sums.row0);
    store(first, row + 1u, col, sums.row1);
    store(first, row + 2u, col, sums.row2);
    store(first, row + 3u, col, sums.row3);
}
