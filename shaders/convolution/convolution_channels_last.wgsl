// convolution_channels_last.wgsl — y = x * w, channels last, as an implicit product by tiles.
//
// Op        ops::ConvolutionI8, whose channels are words of four bytes
// Lib       channels_last, grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts,
//           stages, tile_4x4, tile_4x4_sliced, tile_8x4, tile_8x8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batch, ..x, groups · inputs], the images, b: [groups · outputs, ..window, inputs], the
//           weight, y: [batch, ..y, groups · outputs]; for each group a product of
//           [batch · positions, terms] and [terms, outputs], where terms = taps · inputs; several of y,
//           one after another, where terms are in parts
// Dispatch  ceil(batch · positions / BM) × ceil(outputs / BN) × groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory; the matrix of terms is never written
// Numerics  32-bit integers, which wrap; floats would have one fma per term, in the order of tap and
//           channel
// Source    as convolution.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Channels are whole quads: four terms from a multiple of 4 on belong to the same tap.
override HAS_QUADS: bool = false;

/// An element of a term of a row.
fn x_at(row: Source, term: Term) -> Acc {
    let place = select(0u, row.first + term.offset, is_read(row, term));
    return select(Acc(), Acc(a_at(place)), is_read(row, term));
}

/// Four terms of a row.
fn fetch_x(row: Source, number: u32, end: u32) -> vec4<Acc> {
    let term = term_at(number, end);
    if HAS_QUADS {
        let count = select(0u, 4u, is_read(row, term));
        return vec4<Acc>(load_a(row.first + term.offset, 0u, count));
    }
    return vec4<Acc>(
        x_at(row, term),
        x_at(row, term_at(number + 1u, end)),
        x_at(row, term_at(number + 2u, end)),
        x_at(row, term_at(number + 3u, end)),
    );
}

/// Stores columns col .. col + 3 of a row of the group whose first element has index `first`.
fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.columns { return; }
    let index = first + row * params.groups * params.outputs + col;
    if col < params.outputs { y[index] = epilogue(acc.x, index); }
    if col + 1u < params.outputs { y[index + 1u] = epilogue(acc.y, index + 1u); }
    if col + 2u < params.outputs { y[index + 2u] = epilogue(acc.z, index + 2u); }
    if col + 3u < params.outputs { y[index + 3u] = epilogue(acc.w, index + 3u); }
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
    if !part.exists || row0 >= params.columns || col0 >= params.outputs { return; }
    let share = share_of(local);

    // Each invocation loads one or two quads of either operand, of terms, which are neighbors in
    // memory.
    let count = BN / TN * (BM / TM) * SLICES;
    let x_is_two = BM * BK > 4u * count;
    let w_is_two = BN * BK > 4u * count;
    let x_quad = quad(local, BM, true);
    let x_quad2 = quad(local + count, BM, true);
    let w_quad = quad(local, BN, true);
    let w_quad2 = quad(local + count, BN, true);
    let row = source_of(row0 + x_quad.line, group);
    let row2 = source_of(row0 + x_quad2.line, group);
    // A column past the last one reads that; it is not stored.
    let last = params.outputs - 1u;
    let w_first = group * params.outputs;
    let w_index = (w_first + min(col0 + w_quad.line, last)) * params.terms;
    let w_index2 = (w_first + min(col0 + w_quad2.line, last)) * params.terms;

    var sums = Sums();
    var taken = vec4<Acc>();
    var taken2 = vec4<Acc>();
    var w = vec4<Acc>();
    var w2 = vec4<Acc>();
    if begin < end {
        let w_term = begin + w_quad.term;
        let w_term2 = begin + w_quad2.term;
        taken = fetch_x(row, begin + x_quad.term, end);
        w = vec4<Acc>(load_b(w_index + w_term, w_term, end));
        if x_is_two { taken2 = fetch_x(row2, begin + x_quad2.term, end); }
        if w_is_two { w2 = vec4<Acc>(load_b(w_index2 + w_term2, w_term2, end)); }
    }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_rows(stage, x_quad, true, taken);
        keep_columns(stage, w_quad, true, w);
        if x_is_two { keep_rows(stage, x_quad2, true, taken2); }
        if w_is_two { keep_columns(stage, w_quad2, true, w2); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        let next = k0 + BK;
        let w_term = next + w_quad.term;
        let w_term2 = next + w_quad2.term;
        taken = fetch_x(row, next + x_quad.term, end);
        w = vec4<Acc>(load_b(w_index + w_term, w_term, end));
        if x_is_two { taken2 = fetch_x(row2, next + x_quad2.term, end); }
        if w_is_two { w2 = vec4<Acc>(load_b(w_index2 + w_term2, w_term2, end)); }
        sums = add_step(sums, stage + share.rows, stage + share.columns);
        stage = other_stage(stage);
    }
    let partial = part.number * params.columns * params.groups * params.outputs;
    let first = partial + group * params.outputs;
    store_sums(sums, first, row0 + share.row, col0 + share.col, share.slice, share.lane);
}
