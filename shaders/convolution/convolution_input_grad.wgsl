// convolution_input_grad.wgsl — x = wᵀ * ct as implicit products, one tile per workgroup.
//
// Op        ops::ConvolutionInputGrad
// Lib       first_tap, grid, inside, parts, stages, tile_4x4, tile_4x4_sliced, tile_8x4, tile_8x8,
//           unravel, wild
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     w: [groups · outputs, inputs, ..window], ct: [batch, groups · outputs, ..y],
//           x: [batch, groups · inputs, ..x]. Pixels a stride apart meet the same taps: such a
//           phase of a group is a product of [inputs, terms] and [terms, columns], where
//           terms = outputs · (taps of the phase) and columns = batch · ceil(x / stride); several of
//           x, one after another, where terms are in parts
// Dispatch  ceil(inputs / BM) × ceil(columns / BN) × phases · groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory
// Numerics  f32, one fma per term in the order of output and tap, whatever the tile is; a weight is
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
    grid_x: u32,
    count_multiplier: vec3<u32>,
    grid_y: u32,
    count_shift: vec3<u32>,
    step: vec3<u32>, // between taps of a phase
    back: vec3<u32>, // between the positions that such taps belong to
    // Along an axis a phase has floor(window / step) taps, or one more.
    few_multiplier: vec3<u32>,
    terms: u32, // most of a phase
    few_shift: vec3<u32>,
    part: u32, // terms of a part
    many_multiplier: vec3<u32>,
    len: u32, // elements of x
    many_shift: vec3<u32>,
    w_len: u32, // elements of w
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> x: array<Out>;

/// Whether the stride is 1: there is one phase, which meets every tap.
override IS_DENSE: bool = false;

/// A phase of a group.
struct Phase {
    /// Coordinates of its first pixel.
    pixel: vec3<u32>,
    /// The first tap that its pixels meet, the number of taps, and what divides by them.
    first: vec3<u32>,
    taps: vec3<u32>,
    multipliers: vec3<u32>,
    shifts: vec3<u32>,
    /// The position that meets the first pixel at the first tap.
    nearest: vec3<u32>,
    group: u32,
    /// The terms that the workgroup sums: begin .. end, none if end comes first.
    begin: u32,
    end: u32,
}

fn phase(part: Part) -> Phase {
    let number = part.product;
    if IS_DENSE {
        let none = vec3<u32>();
        return Phase(
            none,
            none,
            params.window,
            params.few_multiplier,
            params.few_shift,
            params.low,
            number,
            part.begin,
            part.end,
        );
    }
    let group = number % params.groups;
    let row = number / params.groups;
    let plane = row / params.phases.z;
    let pixel =
        vec3<u32>(plane / params.phases.y, plane % params.phases.y, row % params.phases.z);
    // Taps first, first + step, .. of the window, along each axis.
    let first = first_taps(pixel + params.low);
    let taps = (params.window - first + params.step - 1u) / params.step;
    let is_many = taps > params.window / params.step;
    // Divisible, though it may be negative.
    let reach = vec3<i32>(pixel + params.low) - vec3<i32>(first * params.dilation);
    return Phase(
        pixel,
        first,
        taps,
        select(params.few_multiplier, params.many_multiplier, is_many),
        select(params.few_shift, params.many_shift, is_many),
        vec3<u32>(reach / vec3<i32>(params.stride)),
        group,
        part.begin,
        min(part.end, params.outputs * taps.x * taps.y * taps.z),
    );
}

/// Index of an element within a channel of ct.
fn position(at: vec3<u32>) -> u32 {
    return (at.x * params.y.y + at.y) * params.y.z + at.z;
}

/// A pixel of one image.
struct Column {
    /// The position that meets it at the phase's first tap; negative numbers wrap.
    nearest: vec3<u32>,
    /// Index of that position in the group's first channel of ct, wherever it lies.
    first: u32,
}

fn column(number: u32, in_phase: Phase) -> Column {
    // Past the last column nothing is met.
    if number >= params.columns { return Column(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.counts, params.count_multiplier, params.count_shift);
    let nearest = in_phase.nearest + at.xyz;
    let channel = (at.w * params.groups + in_phase.group) * params.outputs;
    return Column(nearest, channel * params.positions + position(nearest));
}

/// A tap of one channel of ct.
struct Term {
    /// How far before the position at the first tap the one at this tap lies; as an index, from
    /// the first channel of the group on.
    back: vec3<u32>,
    offset: u32,
    /// Index in w for the first row; 0 if there is no such term.
    w: u32,
    exists: bool,
}

fn term(number: u32, in_phase: Phase) -> Term {
    let at = unravel(number, in_phase.taps, in_phase.multipliers, in_phase.shifts);
    let tap = in_phase.first + at.xyz * params.step;
    let back = at.xyz * params.back;
    let output = in_phase.group * params.outputs + at.w;
    let in_window = (tap.x * params.window.y + tap.y) * params.window.z + tap.z;
    let exists = number < in_phase.end;
    return Term(
        back,
        at.w * params.positions - position(back),
        select(0u, output * params.inputs * params.taps + in_window, exists),
        exists,
    );
}

fn w_at(p: Term, row: u32) -> Acc {
    // A row past the last one reads that; it is not stored.
    let index = p.w + min(row, params.inputs - 1u) * params.taps;
    return select(Acc(), Acc(w[index]), p.exists);
}

/// Four rows of a term. Past the last term they are 0, as the columns are, which adds nothing. Of rows
/// past the last one it reads anything; they are not stored.
fn fetch_w(p: Term, row: u32) -> vec4<Acc> {
    let first = p.w + row * params.taps;
    let last = params.w_len - 1u;
    let weights = vec4<Acc>(
        Acc(w[min(first, last)]),
        Acc(w[min(first + params.taps, last)]),
        Acc(w[min(first + 2u * params.taps, last)]),
        Acc(w[min(first + 3u * params.taps, last)]),
    );
    return select(vec4<Acc>(), weights, p.exists);
}

/// Whether a pixel meets a position at a tap.
fn meets(c: Column, p: Term) -> bool {
    return p.exists & is_inside(c.nearest - p.back, params.y);
}

fn ct_at(c: Column, p: Term) -> Acc {
    let is_met = meets(c, p);
    return select(Acc(), Acc(ct[select(0u, c.first + p.offset, is_met)]), is_met);
}

/// The state of an invocation's loads, all of one term in a step.
struct Loader {
    row: u32,
    row2: u32,
    of0: Column,
    of1: Column,
    of2: Column,
    of3: Column,
    of4: Column,
    of5: Column,
    of6: Column,
    of7: Column,
    in_phase: Phase,
}

fn loader(in_phase: Phase, quads: Quads, row0: u32, col0: u32) -> Loader {
    let col = col0 + quads.columns.line;
    let col2 = col0 + quads.columns2.line;
    return Loader(
        row0 + quads.rows.line,
        row0 + quads.rows2.line,
        column(col, in_phase),
        column(col + 1u, in_phase),
        column(col + 2u, in_phase),
        column(col + 3u, in_phase),
        column(col2, in_phase),
        column(col2 + 1u, in_phase),
        column(col2 + 2u, in_phase),
        column(col2 + 3u, in_phase),
        in_phase,
    );
}

/// The largest of the weights that an invocation has loaded, without its sign.
var<private> wild: u32;

/// The quads of the step from term k0 on.
fn load(own: Loader, quads: Quads, k0: u32) -> Loaded {
    let p = term(k0 + quads.rows.term, own.in_phase);
    var loaded = Loaded();
    loaded.rows = fetch_w(p, own.row);
    loaded.columns =
        vec4<Acc>(ct_at(own.of0, p), ct_at(own.of1, p), ct_at(own.of2, p), ct_at(own.of3, p));
    if are_two(BM) { loaded.rows2 = fetch_w(p, own.row2); }
    if are_two(BN) {
        loaded.columns2 =
            vec4<Acc>(ct_at(own.of4, p), ct_at(own.of5, p), ct_at(own.of6, p), ct_at(own.of7, p));
    }
    wild = wildest(wildest(wild, loaded.rows), loaded.rows2);
    return loaded;
}

/// Where the tile's phase begins, which stores need.
var<private> of_phase: vec3<u32>;

fn store_one(first: u32, col: u32, acc: Acc) {
    let at = unravel(col, params.counts, params.count_multiplier, params.count_shift);
    // Columns of one phase are pixels.
    var pixel = col - at.w * params.pixels;
    var exists = col < params.columns;
    if !IS_DENSE {
        let coordinates = of_phase + at.xyz * params.stride;
        pixel = (coordinates.x * params.x.y + coordinates.y) * params.x.z + coordinates.z;
        exists &= is_inside(coordinates, params.x);
    }
    if !exists { return; }
    let index = first + at.w * params.groups * params.inputs * params.pixels + pixel;
    x[index] = epilogue(acc, index);
}

/// Stores columns col .. col + 3 of a row of the group whose first channel begins at index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.inputs { return; }
    let channel = first + row * params.pixels;
    store_one(channel, col, acc.x);
    store_one(channel, col + 1u, acc.y);
    store_one(channel, col + 2u, acc.z);
    store_one(channel, col + 3u, acc.w);
}

/// Adds a product where there is one.
fn add_met(c: Column, p: Term, weight: Acc, sum: Acc) -> Acc {
    return select(sum, fma(weight, ct_at(c, p), sum), meets(c, p));
}

/// Stores four columns of a row after adding only products that exist.
fn store_met(first: u32, row: u32, col: u32, in_phase: Phase) {
    if row >= params.inputs || col >= params.columns { return; }
    let of0 = column(col, in_phase);
    let of1 = column(col + 1u, in_phase);
    let of2 = column(col + 2u, in_phase);
    let of3 = column(col + 3u, in_phase);
    var acc = vec4<Acc>();
    for (var k = in_phase.begin; k < in_phase.end; k += 1u) {
        let p = term(k, in_phase);
        let weight = w_at(p, row);
        acc = vec4<Acc>(
            add_met(of0, p, weight, acc.x),
            add_met(of1, p, weight, acc.y),
            add_met(of2, p, weight, acc.z),
            add_met(of3, p, weight, acc.w),
        );
    }
    store(first, row, col, acc);
}

@compute @workgroup_size(BN / TN, BM / TM)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let row0 = at.x * BM;
    let col0 = at.y * BN;
    let phases = params.phases.x * params.phases.y * params.phases.z * params.groups;
    let part = own_part(at.z, phases, params.terms, params.part);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.inputs || col0 >= params.columns { return; }
    let in_phase = phase(part);
    of_phase = in_phase.pixel;
    let share = share_of(local);
    let quads = quads_of_term(local);
    let own = loader(in_phase, quads, row0, col0);
    let sums = sum_terms(own, quads, share, in_phase.begin, in_phase.end);
    let group = in_phase.group * params.inputs * params.pixels;
    let first = part.number * params.len + group;
    // Rare, and the same for the whole workgroup.
    if is_wild(wild, local, invocations()) {
        for (var quad = local; quad < BM * BN / 4u; quad += invocations()) {
            store_met(first, row0 + quad / (BN / 4u), col0 + quad % (BN / 4u) * 4u, in_phase);
        }
    } else {
        store_sums(sums, first, row0, col0, share);
    }
}
