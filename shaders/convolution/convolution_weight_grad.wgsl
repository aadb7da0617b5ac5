// convolution_weight_grad.wgsl — w = ct * x as an implicit product, one tile per workgroup.
//
// Op        ops::ConvolutionWeightGrad
// Lib       grid, parts, positions, stages, tile_4x4, tile_4x4_sliced, tile_8x4, tile_8x8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], ct: [batch, groups · outputs, ..y],
//           w: [groups · outputs, inputs, ..window]; for each group a product of [outputs, terms]
//           and [terms, inputs · taps], where terms = batch · positions; several of w, one after
//           another, where terms are in parts
// Dispatch  ceil(outputs / BM) × ceil(inputs · taps / BN) × groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory
// Numerics  f32, one fma per term in the order of image and position, whatever the tile is; the host
//           splits long sums by images, which become groups
// Source    as convolution.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> w: array<Out>;

fn ct_at(p: Position, row: u32) -> Acc {
    // A row past the last one reads that; it is not stored.
    let index = p.ct + min(row, params.outputs - 1u) * params.positions;
    return select(Acc(), Acc(ct[index]), p.exists);
}

/// Four rows of a term. Past the last term they are 0, as the columns are, which adds nothing.
fn fetch_ct(p: Position, row: u32) -> vec4<Acc> {
    return vec4<Acc>(ct_at(p, row), ct_at(p, row + 1u), ct_at(p, row + 2u), ct_at(p, row + 3u));
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.outputs { return; }
    let index = first + row * params.columns + col;
    if col < params.columns { w[index] = epilogue(acc.x, index); }
    if col + 1u < params.columns { w[index + 1u] = epilogue(acc.y, index + 1u); }
    if col + 2u < params.columns { w[index + 2u] = epilogue(acc.z, index + 2u); }
    if col + 3u < params.columns { w[index + 3u] = epilogue(acc.w, index + 3u); }
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

    // Each invocation loads one or two quads of either operand, of the same term. Neighbors load
    // neighboring positions.
    let count = BN / TN * (BM / TM) * SLICES;
    let ct_is_two = BM * BK > 4u * count;
    let x_is_two = BN * BK > 4u * count;
    let quad = Quad(local % BK, local / BK * 4u);
    let quad2 = Quad(quad.term, (local + count) / BK * 4u);
    let row = row0 + quad.line;
    let row2 = row0 + quad2.line;
    let of0 = column(col0 + quad.line);
    let of1 = column(col0 + quad.line + 1u);
    let of2 = column(col0 + quad.line + 2u);
    let of3 = column(col0 + quad.line + 3u);
    let of4 = column(col0 + quad2.line);
    let of5 = column(col0 + quad2.line + 1u);
    let of6 = column(col0 + quad2.line + 2u);
    let of7 = column(col0 + quad2.line + 3u);

    var sums = Sums();
    var taken = vec4<Acc>();
    var taken2 = vec4<Acc>();
    var from_x = vec4<Acc>();
    var from_x2 = vec4<Acc>();
    if begin < end {
        let p = position(begin + quad.term, end, group);
        taken = fetch_ct(p, row);
        from_x = vec4<Acc>(x_at(p, of0), x_at(p, of1), x_at(p, of2), x_at(p, of3));
        if ct_is_two { taken2 = fetch_ct(p, row2); }
        if x_is_two {
            from_x2 = vec4<Acc>(x_at(p, of4), x_at(p, of5), x_at(p, of6), x_at(p, of7));
        }
    }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_rows(stage, quad, false, taken);
        keep_columns(stage, quad, false, from_x);
        if ct_is_two { keep_rows(stage, quad2, false, taken2); }
        if x_is_two { keep_columns(stage, quad2, false, from_x2); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        let p = position(k0 + BK + quad.term, end, group);
        taken = fetch_ct(p, row);
        from_x = vec4<Acc>(x_at(p, of0), x_at(p, of1), x_at(p, of2), x_at(p, of3));
        if ct_is_two { taken2 = fetch_ct(p, row2); }
        if x_is_two {
            from_x2 = vec4<Acc>(x_at(p, of4), x_at(p, of5), x_at(p, of6), x_at(p, of7));
        }
        sums = add_step(sums, stage + share.rows, stage + share.columns);
        stage = other_stage(stage);
    }
    let first = at.z * params.outputs * params.columns;
    store_sums(sums, first, row0 + share.row, col0 + share.col, share.slice, share.lane);
}
