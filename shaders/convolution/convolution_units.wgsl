// convolution_units.wgsl — y = w * x on matrix units, a tile of TILE × TILE per workgroup.
//
// Op        ops::UnitConvolution
// Lib       channels_last, grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts,
//           units, units_2x1, units_4x2
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [groups · outputs, ..window, inputs], the weight, b: [batch, ..x, groups · inputs], the
//           images, of f16; where IS_SPLIT two of each, the high halves and then the low ones;
//           y: [batch, groups · outputs, ..y]; for each group a product of [outputs, terms] and
//           [terms, batch · positions], where terms = taps · inputs; several of y, one after another,
//           where terms are in parts
// Dispatch  ceil(outputs / TILE) × ceil(batch · positions / TILE) × groups · parts workgroups of
//           8 LANES invocations; numbered and folded over (x, y) if an axis is longer than 65535
// Memory    48 KiB of workgroup memory for 16 × 16 matrices and tiles of 128 × 128; the matrix of
//           terms is never written
// Numerics  those of matmul_units.wgsl
// Source    as matmul_units.wgsl, and convolution.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Channels are whole quads: four terms from a multiple of 4 on belong to the same tap.
override HAS_QUADS: bool = false;

/// The sources of the columns of an invocation's quads.
struct Columns {
    q0: Source,
    q1: Source,
    q2: Source,
    q3: Source,
}

/// The terms of an invocation's quads, the same for all of them; only the first where HAS_QUADS.
struct Terms {
    t0: Term,
    t1: Term,
    t2: Term,
    t3: Term,
}

fn terms_from(number: u32, end: u32) -> Terms {
    var terms = Terms();
    terms.t0 = term_at(number, end);
    if !HAS_QUADS {
        terms.t1 = term_at(number + 1u, end);
        terms.t2 = term_at(number + 2u, end);
        terms.t3 = term_at(number + 3u, end);
    }
    return terms;
}

/// An element of a term of a column, of the images that begin at `first`.
fn x_at(first: u32, column: Source, term: Term) -> Elem {
    let place = select(0u, first + column.first + term.offset, is_read(column, term));
    return select(Elem(), b_at(place), is_read(column, term));
}

/// Four terms of a column.
fn fetch_x(first: u32, column: Source, terms: Terms) -> vec4<Elem> {
    if HAS_QUADS {
        let count = select(0u, 4u, is_read(column, terms.t0));
        return load_b(first + column.first + terms.t0.offset, 0u, count);
    }
    return vec4<Elem>(
        x_at(first, column, terms.t0),
        x_at(first, column, terms.t1),
        x_at(first, column, terms.t2),
        x_at(first, column, terms.t3),
    );
}

/// The quads of an invocation, of the images that begin at `first`.
fn fetch_all_of_x(first: u32, columns: Columns, terms: Terms) -> Quads {
    var quads = Quads();
    quads.q0 = fetch_x(first, columns.q0, terms);
    if QUADS > 1u { quads.q1 = fetch_x(first, columns.q1, terms); }
    if QUADS > 2u { quads.q2 = fetch_x(first, columns.q2, terms); }
    if QUADS > 3u { quads.q3 = fetch_x(first, columns.q3, terms); }
    return quads;
}

/// The quads of an invocation from term `number` on, of rows of the weight that begin at these indices.
fn fetch_all_of_w(rows: vec4<u32>, number: u32, end: u32) -> Quads {
    var quads = Quads();
    quads.q0 = load_a(rows.x + number, number, end);
    if QUADS > 1u { quads.q1 = load_a(rows.y + number, number, end); }
    if QUADS > 2u { quads.q2 = load_a(rows.z + number, number, end); }
    if QUADS > 3u { quads.q3 = load_a(rows.w + number, number, end); }
    return quads;
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

@compute @workgroup_size(SUBGROUPS * LANES)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let row0 = at.x * TILE;
    let col0 = at.y * TILE;
    let part = own_part(at.z, params.groups, params.terms, params.part);
    let group = part.product;
    let begin = part.begin;
    let end = part.end;
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.outputs || col0 >= params.columns { return; }

    // Quads of an invocation are of the same terms. A row past the last one reads that; it is not
    // stored.
    let quad = quad_of(local, 0u, true);
    let gap = SUBGROUPS * LANES / (BK / 4u);
    let lines = vec4<u32>(quad.line) + vec4<u32>(0u, 1u, 2u, 3u) * gap;
    let rows = min(row0 + lines, vec4<u32>(params.outputs - 1u));
    let w_high = (group * params.outputs + rows) * params.terms;
    let w_low = w_high + params.groups * params.outputs * params.terms;
    let batch = params.columns / max(params.positions, 1u);
    let x_low = batch * params.pixels * params.groups * params.inputs;
    let columns = Columns(
        source_of(col0 + lines.x, group),
        source_of(col0 + lines.y, group),
        source_of(col0 + lines.z, group),
        source_of(col0 + lines.w, group),
    );
    let block = block_of(local);

    var sums = Sums();
    var w = Quads();
    var x = Quads();
    var w2 = Quads();
    var x2 = Quads();
    if begin < end {
        let number = begin + quad.term;
        let terms = terms_from(number, end);
        w = fetch_all_of_w(w_high, number, end);
        x = fetch_all_of_x(0u, columns, terms);
        if IS_SPLIT { w2 = fetch_all_of_w(w_low, number, end); }
        if IS_SPLIT { x2 = fetch_all_of_x(x_low, columns, terms); }
    }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_quads(stage * OTHER, w, local, true);
        keep_quads(stage * OTHER + OPERAND, x, local, true);
        if IS_SPLIT { keep_quads(OTHER, w2, local, true); }
        if IS_SPLIT { keep_quads(OTHER + OPERAND, x2, local, true); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        let number = k0 + BK + quad.term;
        let terms = terms_from(number, end);
        w = fetch_all_of_w(w_high, number, end);
        x = fetch_all_of_x(0u, columns, terms);
        if IS_SPLIT { w2 = fetch_all_of_w(w_low, number, end); }
        if IS_SPLIT { x2 = fetch_all_of_x(x_low, columns, terms); }
        sums = add_matrices(sums, stage, block);
        if IS_SPLIT {
            workgroupBarrier(); // the low halves are where the other stage would be
        } else {
            stage = 1u - stage;
        }
    }
    let partial = part.number * params.groups * params.outputs * params.columns;
    let first = partial + group * params.outputs * params.positions;
    store_matrices(sums, first, row0, col0, block);
}
