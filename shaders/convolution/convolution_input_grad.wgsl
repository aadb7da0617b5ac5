// convolution_input_grad.wgsl — x = wᵀ * ct as implicit products, one tile per workgroup.
//
// Op        ops::ConvolutionInputGrad
// Lib       tile, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     w: [groups · outputs, inputs, ..window], ct: [batch, groups · outputs, ..y],
//           x: [batch, groups · inputs, ..x]. Pixels a stride apart meet the same taps: such a
//           phase of a group is a product of [inputs, terms] and [terms, columns], where
//           terms = outputs · (taps of the phase) and columns = batch · ceil(x / stride)
// Dispatch  phases · groups · ceil(inputs / 4 EDGE) · ceil(columns / 4 EDGE) workgroups of EDGE²
//           invocations, numbered row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory, 8.5 KiB for EDGE = 16
// Numerics  f32, one fma per term in the order of output and tap, whatever EDGE is; a weight is
//           not multiplied where it meets no position, since 0 times infinity is NaN
// Source    Shi et al. 2016, "Is the deconvolution layer the same as a convolutional layer?"
//           (phases); the rest as convolution.wgsl

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    groups: u32,
    y: vec3<u32>,
    inputs: u32, // channels of x per group
    window: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    columns: u32,
    dilation: vec3<u32>,
    positions: u32, // elements of a channel of y
    low: vec3<u32>, // zeros before x
    pixels: u32, // elements of a channel of x
    phases: vec3<u32>,
    taps: u32, // elements of the window
    counts: vec3<u32>, // ceil(x / stride)
    count_multiplier: vec3<u32>,
    count_shift: vec3<u32>,
    step: vec3<u32>, // between taps of a phase
    back: vec3<u32>, // between the positions that such taps belong to
    // Along an axis a phase has floor(window / step) taps, or one more.
    few_multiplier: vec3<u32>,
    few_shift: vec3<u32>,
    many_multiplier: vec3<u32>,
    many_shift: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> x: array<Out>;

/// The first tap that pixels of a phase meet along an axis, where `rest` is the remainder of their
/// padded coordinates modulo the stride; the window's end if there is none.
fn first_tap(rest: u32, stride: u32, dilation: u32, step: u32, window: u32) -> u32 {
    let end = min(step, window);
    var tap = 0u;
    while tap < end && tap * dilation % stride != rest { tap += 1u; }
    return select(window, tap, tap < end);
}

/// A pixel of one image.
struct Column {
    /// The position that meets it at the phase's first tap.
    position: vec3<u32>,
    /// The group's first channel of the image, in ct and in x.
    ct: u32,
    x: u32,
    exists: bool,
}

fn column(number: u32, group: u32, phase: vec3<u32>, nearest: vec3<u32>) -> Column {
    let at = unravel(number, params.counts, params.count_multiplier, params.count_shift);
    let pixel = phase + at.xyz * params.stride;
    let channels = at.w * params.groups + group;
    return Column(
        nearest + at.xyz,
        channels * params.outputs * params.positions,
        channels * params.inputs * params.pixels
            + (pixel.x * params.x.y + pixel.y) * params.x.z + pixel.z,
        number < params.columns && all(pixel < params.x),
    );
}

/// Set when a weight of the tile is infinite or NaN; then each product is looked at.
var<workgroup> is_wild: atomic<u32>;

/// Zero outside of the matrices, which adds nothing.
fn w_at(first: u32, row: u32, is_term: bool) -> Acc {
    if is_term && row < params.inputs {
        let weight = Acc(w[first + row * params.taps]);
        if (bitcast<u32>(weight) & 0x7f800000u) == 0x7f800000u { atomicStore(&is_wild, 1u); }
        return weight;
    }
    return Acc(0);
}

/// Whether a pixel meets a position at a tap; negative numbers wrap, and so lie past every extent.
fn meets(c: Column, back: vec3<u32>, channel: u32) -> bool {
    return c.exists && channel < params.outputs && all(c.position - back < params.y);
}

fn ct_at(c: Column, back: vec3<u32>, channel: u32) -> Acc {
    if meets(c, back, channel) {
        let at = c.position - back;
        let position = (at.x * params.y.y + at.y) * params.y.z + at.z;
        return Acc(ct[c.ct + channel * params.positions + position]);
    }
    return Acc(0);
}

/// Adds products where they exist.
fn add_met(weight: Acc, columns: vec4<Acc>, sums: vec4<Acc>, met: vec4<bool>) -> vec4<Acc> {
    return select(sums, fma(vec4<Acc>(weight), columns, sums), met);
}

fn store(row: u32, c: Column, acc: Acc) {
    if row < params.inputs && c.exists {
        let index = c.x + row * params.pixels;
        x[index] = epilogue(acc, index);
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
    let down = (params.inputs + tile - 1u) / tile;
    let number = wid.x + wid.y * groups.x;
    let phases = params.phases.x * params.phases.y * params.phases.z;
    // The same for the whole workgroup: no barrier is skipped.
    if number >= phases * params.groups * down * across { return; }
    let row0 = number / across % down * tile;
    let col0 = number % across * tile;
    let group = number / (across * down) % params.groups;
    let of_phases = number / (across * down * params.groups);
    let phase = vec3<u32>(
        of_phases / (params.phases.z * params.phases.y),
        of_phases / params.phases.z % params.phases.y,
        of_phases % params.phases.z,
    );

    // Taps first, first + step, .. of the window, along each axis.
    let size = params.stride;
    let gap = params.dilation;
    let rest = (phase + params.low) % size;
    let first = vec3<u32>(
        first_tap(rest.x, size.x, gap.x, params.step.x, params.window.x),
        first_tap(rest.y, size.y, gap.y, params.step.y, params.window.y),
        first_tap(rest.z, size.z, gap.z, params.step.z, params.window.z),
    );
    let taps = (params.window - first + params.step - 1u) / params.step;
    let terms = params.outputs * taps.x * taps.y * taps.z;
    let is_many = taps > params.window / params.step;
    let multipliers = select(params.few_multiplier, params.many_multiplier, is_many);
    let shifts = select(params.few_shift, params.many_shift, is_many);
    // Divisible, though it may be negative.
    let reach = vec3<i32>(phase + params.low) - vec3<i32>(first * gap);
    let nearest = vec3<u32>(reach / vec3<i32>(size));

    let row = row0 + 4u * lid.y;
    let load_row = row0 + 4u * lid.x;
    let col = col0 + 4u * lid.x;
    let of0 = column(col, group, phase, nearest);
    let of1 = column(col + 1u, group, phase, nearest);
    let of2 = column(col + 2u, group, phase, nearest);
    let of3 = column(col + 3u, group, phase, nearest);

    if lid.x == 0u && lid.y == 0u { atomicStore(&is_wild, 0u); }
    workgroupBarrier(); // it is cleared before anybody sets it

    var sums = Sums();
    for (var k0 = 0u; k0 < terms; k0 += EDGE) {
        // Neighbors load neighboring pixels of ct. For w they load rows, so that both loads need
        // the same term; the elements in between are read from the cache in the next steps.
        let p = k0 + lid.y;
        let at = unravel(p, taps, multipliers, shifts);
        let tap = first + at.xyz * params.step;
        let of_w = (group * params.outputs + at.w) * params.inputs * params.taps
            + (tap.x * params.window.y + tap.y) * params.window.z + tap.z;
        put_rows(lid.y, lid.x, vec4<Acc>(
            w_at(of_w, load_row, p < terms),
            w_at(of_w, load_row + 1u, p < terms),
            w_at(of_w, load_row + 2u, p < terms),
            w_at(of_w, load_row + 3u, p < terms),
        ));
        let back = at.xyz * params.back;
        put_columns(lid.y, lid.x, vec4<Acc>(
            ct_at(of0, back, at.w),
            ct_at(of1, back, at.w),
            ct_at(of2, back, at.w),
            ct_at(of3, back, at.w),
        ));
        sums = add_products(sums, lid);
    }
    // Rare, and the same for the whole workgroup, whose last store was before the last barrier.
    if atomicLoad(&is_wild) != 0u {
        sums = Sums();
        for (var p = 0u; p < terms; p += 1u) {
            let at = unravel(p, taps, multipliers, shifts);
            let tap = first + at.xyz * params.step;
            let of_w = (group * params.outputs + at.w) * params.inputs * params.taps
                + (tap.x * params.window.y + tap.y) * params.window.z + tap.z;
            let back = at.xyz * params.back;
            let columns = vec4<Acc>(
                ct_at(of0, back, at.w),
                ct_at(of1, back, at.w),
                ct_at(of2, back, at.w),
                ct_at(of3, back, at.w),
            );
            let met = vec4<bool>(
                meets(of0, back, at.w),
                meets(of1, back, at.w),
                meets(of2, back, at.w),
                meets(of3, back, at.w),
            );
            sums.row0 = add_met(w_at(of_w, row, true), columns, sums.row0, met);
            sums.row1 = add_met(w_at(of_w, row + 1u, true), columns, sums.row1, met);
            sums.row2 = add_met(w_at(of_w, row + 2u, true), columns, sums.row2, met);
            sums.row3 = add_met(w_at(of_w, row + 3u, true), columns, sums.row3, met);
        }
    }

    store(row, of0, sums.row0.x);
    store(row, of1, sums.row0.y);
    store(row, of2, sums.row0.z);
    store(row, of3, sums.row0.w);
    store(row + 1u, of0, sums.row1.x);
    store(row + 1u, of1, sums.row1.y);
    store(row + 1u, of2, sums.row1.z);
    store(row + 1u, of3, sums.row1.w);
    store(row + 2u, of0, sums.row2.x);
    store(row + 2u, of1, sums.row2.y);
    store(row + 2u, of2, sums.row2.z);
    store(row + 2u, of3, sums.row2.w);
    store(row + 3u, of0, sums.row3.x);
    store(row + 3u, of1, sums.row3.y);
    store(row + 3u, of2, sums.row3.z);
    store(row + 3u, of3, sums.row3.w);
}
