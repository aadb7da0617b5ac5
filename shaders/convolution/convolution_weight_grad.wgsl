// convolution_weight_grad.wgsl — w = ct * x as an implicit product, one tile per workgroup.
//
// Op        ops::ConvolutionWeightGrad; ops::ConvolutionGrads, with the gradient of the bias
// Lib       bias, grid, parts, positions, stages, tile_4x4, tile_4x4_sliced, tile_8x4, tile_8x8, weight,
//           weight_and_bias
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], ct: [batch, groups · outputs, ..y],
//           w: [groups · outputs, inputs, ..window]; for each group a product of [outputs, terms]
//           and [terms, inputs · taps], where terms = batch · positions; several of w, one after
//           another, where terms are in parts
// Dispatch  ceil(outputs / BM) × ceil(inputs · taps / BN) × groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory
// Numerics  f32, one fma per term in the order of image and position, whatever the tile is; the host
//           splits long sums by images, which become groups
// Source    as convolution.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;

fn ct_at(p: Position, row: u32) -> Acc {
    // A row past the last one reads that; it is not stored.
    let index = p.ct + min(row, params.outputs - 1u) * params.positions;
    return select(Acc(), Acc(ct[index]), p.exists);
}

/// Four rows of a term. Past the last term they are 0, as the columns are, which adds nothing.
fn fetch_ct(p: Position, row: u32) -> vec4<Acc> {
    return vec4<Acc>(ct_at(p, row), ct_at(p, row + 1u), ct_at(p, row + 2u), ct_at(p, row + 3u));
}

/// The state of an invocation's loads, all of one position in a step.
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
    group: u32,
    /// Terms from here on are 0.
    end: u32,
}

fn loader(part: Part, quads: Quads, row0: u32, col0: u32) -> Loader {
    let col = col0 + quads.columns.line;
    let col2 = col0 + quads.columns2.line;
    return Loader(
        row0 + quads.rows.line,
        row0 + quads.rows2.line,
        column(col),
        column(col + 1u),
        column(col + 2u),
        column(col + 3u),
        column(col2),
        column(col2 + 1u),
        column(col2 + 2u),
        column(col2 + 3u),
        part.product,
        part.end,
    );
}

/// The quads of the step from term k0 on.
fn load(own: Loader, quads: Quads, k0: u32) -> Loaded {
    let p = position(k0 + quads.rows.term, own.end, own.group);
    var loaded = Loaded();
    loaded.rows = fetch_ct(p, own.row);
    loaded.columns =
        vec4<Acc>(x_at(p, own.of0), x_at(p, own.of1), x_at(p, own.of2), x_at(p, own.of3));
    if are_two(BM) { loaded.rows2 = fetch_ct(p, own.row2); }
    if are_two(BN) {
        loaded.columns2 =
            vec4<Acc>(x_at(p, own.of4), x_at(p, own.of5), x_at(p, own.of6), x_at(p, own.of7));
    }
    return loaded;
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.outputs { return; }
    let index = first + row * params.columns + col;
    if col < params.columns { write_weight(acc.x, index); }
    if col + 1u < params.columns { write_weight(acc.y, index + 1u); }
    if col + 2u < params.columns { write_weight(acc.z, index + 2u); }
    if col + 3u < params.columns { write_weight(acc.w, index + 3u); }
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
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.outputs || col0 >= params.columns { return; }
    var share = share_of(local);
    share.sums_rows = sums_rows(local, col0);
    let quads = quads_of_term(local);
    let own = loader(part, quads, row0, col0);
    let sums = sum_terms(own, quads, share, part.begin, part.end);
    store_sums(sums, at.z * params.outputs * params.columns, row0, col0, share);
    if share.sums_rows {
        store_rows(at.z * params.outputs, row0 + 4u * local, params.outputs, row_sums);
    }
}
