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
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory; the matrix of terms is never written
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

/// The state of an invocation's loads, of terms, which are neighbors in memory.
struct Loader {
    row: Source,
    row2: Source,
    /// Indices of term 0 of w.
    w_index: u32,
    w_index2: u32,
    /// Terms from here on are 0.
    end: u32,
}

fn loader(part: Part, quads: Quads, row0: u32, col0: u32) -> Loader {
    let group = part.product;
    let w_first = group * params.outputs;
    // A column past the last one reads that; it is not stored.
    let last = params.outputs - 1u;
    return Loader(
        source_of(row0 + quads.rows.line, group),
        source_of(row0 + quads.rows2.line, group),
        (w_first + min(col0 + quads.columns.line, last)) * params.terms,
        (w_first + min(col0 + quads.columns2.line, last)) * params.terms,
        part.end,
    );
}

/// Terms of a column of w, those from `term` on.
fn fetch_w(index: u32, term: u32, end: u32) -> vec4<Acc> {
    return vec4<Acc>(load_b(index + term, term, end));
}

/// The quads of the step from term k0 on.
fn load(own: Loader, quads: Quads, k0: u32) -> Loaded {
    let x_term = k0 + quads.rows.term;
    let w_term = k0 + quads.columns.term;
    var loaded = Loaded();
    loaded.rows = fetch_x(own.row, x_term, own.end);
    loaded.columns = fetch_w(own.w_index, w_term, own.end);
    if are_two(BM) { loaded.rows2 = fetch_x(own.row2, x_term, own.end); }
    if are_two(BN) { loaded.columns2 = fetch_w(own.w_index2, w_term, own.end); }
    return loaded;
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
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.columns || col0 >= params.outputs { return; }
    let share = share_of(local);
    let quads = quads_of(local, true, true);
    let own = loader(part, quads, row0, col0);
    let sums = sum_terms(own, quads, share, part.begin, part.end);
    let partial = part.number * params.columns * params.groups * params.outputs;
    let first = partial + part.product * params.outputs;
    store_sums(sums, first, row0, col0, share);
}
