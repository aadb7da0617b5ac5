// convolution.wgsl — y = x * w as an implicit product, one tile of 4 EDGE × 4 EDGE per workgroup.
//
// Op        ops::Convolution
// Lib       tile, unfolded, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], w: [groups · outputs, inputs, ..window],
//           y: [batch, groups · outputs, ..y]; for each group a product of [outputs, terms] and
//           [terms, batch · positions], where terms = inputs · taps
// Dispatch  groups · ceil(outputs / 4 EDGE) · ceil(batch · positions / 4 EDGE) workgroups of EDGE²
//           invocations, numbered row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory, 8.5 KiB for EDGE = 16; the
//           matrix of terms is never written
// Numerics  f32, one fma per term in the order of channel and tap, whatever EDGE is
// Source    Chetlur et al. 2014, "cuDNN: efficient primitives for deep learning" (tiles of the
//           unfolded input are formed on chip); the tile is that of matmul.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> w: array<Elem>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// A position of one image.
struct Column {
    /// Coordinates of tap 0; negative numbers wrap, and so lie past every extent.
    origin: vec3<u32>,
    /// The group's first channel of the image, in x and in y.
    x: u32,
    y: u32,
}

fn column(number: u32, group: u32) -> Column {
    // Past the last column everything lies outside of x.
    if number >= params.columns { return Column(vec3<u32>(0x80000000u), 0u, 0u); }
    let at = unravel(number, params.y, params.y_multiplier, params.y_shift);
    let channels = at.w * params.groups + group;
    let position = number - at.w * params.positions;
    return Column(
        at.xyz * params.stride - params.low,
        channels * params.inputs * params.pixels,
        channels * params.outputs * params.positions + position,
    );
}

/// Zero outside of the matrices, which adds nothing.
fn w_at(group: u32, row: u32, term: u32) -> Acc {
    if row < params.outputs && term < params.terms {
        return Acc(w[(group * params.outputs + row) * params.terms + term]);
    }
    return Acc(0);
}

fn x_at(c: Column, tap: vec3<u32>, channel: u32) -> Acc {
    let at = c.origin + tap;
    if channel < params.inputs && all(at < params.x) {
        return Acc(x[c.x + channel * params.pixels + pixel(at)]);
    }
    return Acc(0);
}

fn store(row: u32, number: u32, first: u32, acc: Acc) {
    if row < params.outputs && number < params.columns {
        let index = first + row * params.positions;
        y[index] = epilogue(acc, index);
    }
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

    // Neighbors load terms of w and positions of x, which are contiguous in memory.
    let w_row = row0 + 4u * lid.y;
    let col = col0 + 4u * lid.x;
    let of0 = column(col, group);
    let of1 = column(col + 1u, group);
    let of2 = column(col + 2u, group);
    let of3 = column(col + 3u, group);

    var sums = Sums();
    for (var k0 = 0u; k0 < params.terms; k0 += EDGE) {
        let p = k0 + lid.x;
        put_rows(lid.x, lid.y, vec4<Acc>(
            w_at(group, w_row, p),
            w_at(group, w_row + 1u, p),
            w_at(group, w_row + 2u, p),
            w_at(group, w_row + 3u, p),
        ));
        let at =
            unravel(k0 + lid.y, params.window, params.window_multiplier, params.window_shift);
        let tap = at.xyz * params.dilation;
        put_columns(lid.y, lid.x, vec4<Acc>(
            x_at(of0, tap, at.w),
            x_at(of1, tap, at.w),
            x_at(of2, tap, at.w),
            x_at(of3, tap, at.w),
        ));
        sums = add_products(sums, lid);
    }

    store(w_row, col, of0.y, sums.row0.x);
    store(w_row, col + 1u, of1.y, sums.row0.y);
    store(w_row, col + 2u, of2.y, sums.row0.z);
    store(w_row, col + 3u, of3.y, sums.row0.w);
    store(w_row + 1u, col, of0.y, sums.row1.x);
    store(w_row + 1u, col + 1u, of1.y, sums.row1.y);
    store(w_row + 1u, col + 2u, of2.y, sums.row1.z);
    store(w_row + 1u, col + 3u, of3.y, sums.row1.w);
    store(w_row + 2u, col, of0.y, sums.row2.x);
    store(w_row + 2u, col + 1u, of1.y, sums.row2.y);
    store(w_row + 2u, col + 2u, of2.y, sums.row2.z);
    store(w_row + 2u, col + 3u, of3.y, sums.row2.w);
    store(w_row + 3u, col, of0.y, sums.row3.x);
    store(w_row + 3u, col + 1u, of1.y, sums.row3.y);
    store(w_row + 3u, col + 2u, of2.y, sums.row3.z);
    store(w_row + 3u, col + 3u, of3.y, sums.row3.w);
}
