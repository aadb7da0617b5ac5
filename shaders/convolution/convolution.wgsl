// convolution.wgsl — y = x * w as an implicit product, one tile of BM × BN per workgroup.
//
// Op        ops::Convolution
// Lib       grid, inside, load_b_scalar, load_b_vec4, parts, stages, store_images, tile_4x4,
//           tile_4x4_sliced, tile_8x4, tile_8x8, unfolded, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], b: [groups · outputs, inputs, ..window], the weight,
//           y: [batch, groups · outputs, ..y]; for each group a product of [outputs, terms] and
//           [terms, batch · positions], where terms = inputs · taps; several of y, one after another,
//           where terms are in parts
// Dispatch  ceil(outputs / BM) × ceil(batch · positions / BN) × groups · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory; the matrix of terms is never written
// Numerics  f32, one fma per term in the order of channel and tap, whatever the tile is
// Source    Chetlur et al. 2014, "cuDNN: efficient primitives for deep learning" (tiles of the
//           unfolded input are formed on chip); the tiles are those of matmul.wgsl

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;

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

/// The state of an invocation's loads: of terms of two rows of w, which are neighbors in memory, and of
/// always the same columns of x.
struct Loader {
    /// Indices of term 0.
    w_index: u32,
    w_index2: u32,
    of0: Column,
    of1: Column,
    of2: Column,
    of3: Column,
    /// Terms from here on are 0.
    end: u32,
}

fn loader(part: Part, quads: Quads, row0: u32, col0: u32) -> Loader {
    let group = part.product;
    let w_first = group * params.outputs;
    // A row past the last one reads that; it is not stored.
    let last = params.outputs - 1u;
    let col = col0 + quads.columns.line;
    return Loader(
        (w_first + min(row0 + quads.rows.line, last)) * params.terms,
        (w_first + min(row0 + quads.rows2.line, last)) * params.terms,
        column(col, group),
        column(col + 1u, group),
        column(col + 2u, group),
        column(col + 3u, group),
        part.end,
    );
}

/// Terms of a row of w, those from `term` on.
fn fetch_w(index: u32, term: u32, end: u32) -> vec4<Acc> {
    return vec4<Acc>(load_b(index + term, term, end));
}

/// The elements that the columns of an invocation read in a term; 0 if it is none.
fn fetch_x(own: Loader, term: u32) -> vec4<Acc> {
    let at = unravel(term, params.window, params.window_multiplier, params.window_shift);
    let tap = at.xyz * params.dilation;
    let offset = at.w * params.pixels + pixel(tap);
    let is_term = term < own.end;
    return vec4<Acc>(
        x_at(own.of0, tap, offset, is_term),
        x_at(own.of1, tap, offset, is_term),
        x_at(own.of2, tap, offset, is_term),
        x_at(own.of3, tap, offset, is_term),
    );
}

/// The quads of the step from term k0 on.
fn load(own: Loader, quads: Quads, k0: u32) -> Loaded {
    var loaded = Loaded();
    loaded.rows = fetch_w(own.w_index, k0 + quads.rows.term, own.end);
    loaded.columns = fetch_x(own, k0 + quads.columns.term);
    if are_two(BM) { loaded.rows2 = fetch_w(own.w_index2, k0 + quads.rows2.term, own.end); }
    if are_two(BN) { loaded.columns2 = fetch_x(own, k0 + quads.columns2.term); }
    return loaded;
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    store_positions(first, row, col, acc);
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
    let share = share_of(local);
    let quads = quads_of(local, true, false);
    let own = loader(part, quads, row0, col0);
    let sums = sum_terms(own, quads, share, part.begin, part.end);
    let partial = part.number * params.groups * params.outputs * params.columns;
    let first = partial + part.product * params.outputs * params.positions;
    store_sums(sums, first, row0, col0, share);
}
