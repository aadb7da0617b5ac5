// convolution_units.wgsl — y = w * x on matrix units, a tile of TILE × TILE per workgroup.
//
// Op        ops::UnitConvolution
// Lib       channels_last, grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts,
//           store_images, units, units_2x1, units_4x2
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

/// The state of an invocation's loads, all of the same terms.
struct Loader {
    /// Indices of term 0 of the rows of the weight, in both halves.
    w_high: vec4<u32>,
    w_low: vec4<u32>,
    columns: Columns,
    /// Where the low halves of the images begin.
    x_low: u32,
    /// The first term in a step.
    term: u32,
    /// Terms from here on are 0.
    end: u32,
}

fn loader(part: Part, local: u32, row0: u32, col0: u32) -> Loader {
    let group = part.product;
    let quad = quad_of(local, 0u, true);
    let gap = SUBGROUPS * LANES / (BK / 4u);
    let lines = vec4<u32>(quad.line) + vec4<u32>(0u, 1u, 2u, 3u) * gap;
    // A row past the last one reads that; it is not stored.
    let rows = min(row0 + lines, vec4<u32>(params.outputs - 1u));
    let w_high = (group * params.outputs + rows) * params.terms;
    let batch = params.columns / max(params.positions, 1u);
    let columns = Columns(
        source_of(col0 + lines.x, group),
        source_of(col0 + lines.y, group),
        source_of(col0 + lines.z, group),
        source_of(col0 + lines.w, group),
    );
    return Loader(
        w_high,
        w_high + params.groups * params.outputs * params.terms,
        columns,
        batch * params.pixels * params.groups * params.inputs,
        quad.term,
        part.end,
    );
}

/// The quads of the step from term k0 on.
fn load(own: Loader, local: u32, k0: u32) -> Loaded {
    let number = k0 + own.term;
    let terms = terms_from(number, own.end);
    var loaded = Loaded();
    loaded.a = fetch_all_of_w(own.w_high, number, own.end);
    loaded.b = fetch_all_of_x(0u, own.columns, terms);
    if IS_SPLIT {
        loaded.a_low = fetch_all_of_w(own.w_low, number, own.end);
        loaded.b_low = fetch_all_of_x(own.x_low, own.columns, terms);
    }
    return loaded;
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    store_positions(first, row, col, acc);
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
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.outputs || col0 >= params.columns { return; }

    let block = block_of(local);
    let own = loader(part, local, row0, col0);
    let sums = sum_matrices(own, local, block, part.begin, part.end);
    let partial = part.number * params.groups * params.outputs * params.columns;
    let first = partial + part.product * params.outputs * params.positions;
    store_matrices(sums, first, row0, col0, block);
}
