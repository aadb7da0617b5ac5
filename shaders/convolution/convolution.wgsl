// convolution.wgsl — y = x * w as an implicit product, one tile of BM × BN per workgroup.
//
// Op        ops::Convolution
// Lib       grid, inside, load_b_scalar, load_b_vec4, parts, stages, tile_4x4, tile_4x4_sliced,
//           tile_8x4, tile_8x8, unfolded, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], b: [groups · outputs, inputs, ..window], the weight,
//           y: [batch, groups · outputs, ..y]; for each group a product of [outputs, terms] and
//           [terms, batch · positions], where terms = inputs · taps; several of y, one after another,
//           where terms are in parts
// Dispatch  ceil(outputs / BM) × ceil(batch · positions / BN) × groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory; the matrix of terms is never written
// Numerics  f32, one fma per term in the order of channel and tap, whatever the tile is
// Source    Chetlur et al. 2014, "cuDNN: efficient primitives for deep learning" (tiles of the
//           unfolded input are formed on chip); the tiles are those of matmul.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// A position of one image.
struct Column {
    /// Coordinates of tap 0 in x; negative numbers wrap.
    origin: vec3<u32>,
    /// Index of that element in the group's first channel, wherever it lies.
    first: u32,
}

fn column(number: u32, group: u32) -> Column {
    // Past the last column everything lies outside of x.
    if number >= params.columns { return Column(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.y, params.y_multiplier, params.y_shift);
    let origin = at.xyz * params.stride - params.low;
    let channel = (at.w * params.groups + group) * params.inputs;
    return Column(origin, channel * params.pixels + pixel(origin));
}

/// The element that a column reads `tap` from its origin, `offset` elements further on; 0 outside of x.
fn x_at(c: Column, tap: vec3<u32>, offset: u32, is_term: bool) -> Acc {
    let is_read = is_term & is_inside(c.origin + tap, params.x);
    return select(Acc(), Acc(x[select(0u, c.first + offset, is_read)]), is_read);
}

/// The elements that four columns read in a term; 0 if it is none, as the weight is, which adds nothing.
fn fetch_x(
    term: u32,
    is_term: bool,
    of0: Column,
    of1: Column,
    of2: Column,
    of3: Column,
) -> vec4<Acc> {
    let at = unravel(term, params.window, params.window_multiplier, params.window_shift);
    let tap = at.xyz * params.dilation;
    let offset = at.w * params.pixels + pixel(tap);
    return vec4<Acc>(
        x_at(of0, tap, offset, is_term),
        x_at(of1, tap, offset, is_term),
        x_at(of2, tap, offset, is_term),
        x_at(of3, tap, offset, is_term),
    );
}

fn store_one(first: u32, col: u32, acc: Acc) {
    if col >= params.columns { return; }
    let image = col / params.positions;
    let channels = image * (params.groups * params.outputs - 1u);
    let index = first + channels * params.positions + col;
    y[index] = epilogue(acc, index);
}

/// Stores columns col .. col + 3 of a row of the group whose first channel begins at index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.outputs { return; }
    let channel = first + row * params.positions;
    store_one(channel, col, acc.x);
    store_one(channel, col + 1u, acc.y);
    store_one(channel, col + 2u, acc.z);
    store_one(channel, col + 3u, acc.w);
}

@compute @workgroup_size(BN / TN, BM / TM, SLICES)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let row0 = at.x * BM;
    let col0 = at.y * BN;
    let part = own_part(at.z, params.groups, params.terms, params.part);
    let group = part.product;
    let begin = part.begin;
    let end = part.end;
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.outputs || col0 >= params.columns { return; }
    let share = share_of(local);

    // Each invocation loads one or two quads of either operand: of w terms of a row, which are
    // neighbors in memory, of x always the same columns.
    let count = BN / TN * (BM / TM) * SLICES;
    let w_is_two = BM * BK > 4u * count;
    let x_is_two = BN * BK > 4u * count;
    let w_quad = quad(local, BM, true);
    let w_quad2 = quad(local + count, BM, true);
    let x_quad = quad(local, BN, false);
    let x_quad2 = quad(local + count, BN, false);
    // A row past the last one reads that; it is not stored.
    let last = params.outputs - 1u;
    let w_first = group * params.outputs;
    let w_index = (w_first + min(row0 + w_quad.line, last)) * params.terms;
    let w_index2 = (w_first + min(row0 + w_quad2.line, last)) * params.terms;
    let col = col0 + x_quad.line;
    let of0 = column(col, group);
    let of1 = column(col + 1u, group);
    let of2 = column(col + 2u, group);
    let of3 = column(col + 3u, group);

    var sums = Sums();
    var w = vec4<Acc>();
    var w2 = vec4<Acc>();
    var taken = vec4<Acc>();
    var taken2 = vec4<Acc>();
    if begin < end {
        let w_term = begin + w_quad.term;
        let w_term2 = begin + w_quad2.term;
        let x_term = begin + x_quad.term;
        let x_term2 = begin + x_quad2.term;
        w = vec4<Acc>(load_b(w_index + w_term, w_term, end));
        taken = fetch_x(x_term, x_term < end, of0, of1, of2, of3);
        if w_is_two { w2 = vec4<Acc>(load_b(w_index2 + w_term2, w_term2, end)); }
        if x_is_two { taken2 = fetch_x(x_term2, x_term2 < end, of0, of1, of2, of3); }
    }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_rows(stage, w_quad, true, w);
        keep_columns(stage, x_quad, false, taken);
        if w_is_two { keep_rows(stage, w_quad2, true, w2); }
        if x_is_two { keep_columns(stage, x_quad2, false, taken2); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        let w_term = k0 + BK + w_quad.term;
        let w_term2 = k0 + BK + w_quad2.term;
        let x_term = k0 + BK + x_quad.term;
        let x_term2 = k0 + BK + x_quad2.term;
        w = vec4<Acc>(load_b(w_index + w_term, w_term, end));
        taken = fetch_x(x_term, x_term < end, of0, of1, of2, of3);
        if w_is_two { w2 = vec4<Acc>(load_b(w_index2 + w_term2, w_term2, end)); }
        if x_is_two { taken2 = fetch_x(x_term2, x_term2 < end, of0, of1, of2, of3); }
        sums = add_step(sums, stage + share.rows, stage + share.columns);
        stage = other_stage(stage);
    }
    let partial = part.number * params.groups * params.outputs * params.columns;
    let first = partial + group * params.outputs * params.positions;
    store_sums(sums, first, row0 + share.row, col0 + share.col, share.slice, share.lane);
}
