// stages.wgsl — the tiles of a product in workgroup memory, step by step.
//
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory
// Numerics  exact: it moves elements

/// Rows and columns of a tile.
override BM: u32 = 64u;
override BN: u32 = 64u;
/// Terms per step.
override BK: u32 = 16u;
/// With two stages, one is filled while the other is read, for workgroups that are alone on their
/// processor. One stage leaves room for more workgroups, and some compute while others load.
override STAGES: u32 = 2u;

// Each stage has, for every term, the rows, and behind those of all terms the columns, four in a
// vec4. One vec4 more per term keeps stores along the terms off one memory bank.
var<workgroup> tiles: array<vec4<Acc>, STAGES * BK * (BM / 4u + BN / 4u + 2u)>;

/// Four neighbors in memory: terms of one row (column), or rows (columns) of one term.
struct Quad {
    term: u32,
    line: u32,
}

/// The quads that an invocation loads of a step: one or two of rows, and of columns.
struct Quads {
    rows: Quad,
    rows2: Quad,
    columns: Quad,
    columns2: Quad,
    /// Whether a quad of them is terms of one.
    rows_along_k: bool,
    columns_along_k: bool,
}

/// The elements of a step that an invocation has loaded, a vec4 for each quad.
struct Loaded {
    rows: vec4<Acc>,
    rows2: vec4<Acc>,
    columns: vec4<Acc>,
    columns2: vec4<Acc>,
}

/// Invocations of a workgroup.
fn invocations() -> u32 {
    return BN / TN * (BM / TM) * SLICES;
}

/// Whether an invocation loads two quads of this many rows (columns).
fn are_two(lines: u32) -> bool {
    return lines * BK > 4u * invocations();
}

/// Quad `number` of a tile with this many rows (columns).
fn quad(number: u32, lines: u32, along_k: bool) -> Quad {
    if along_k { return Quad(number % (BK / 4u) * 4u, number / (BK / 4u)); }
    return Quad(number / (lines / 4u), number % (lines / 4u) * 4u);
}

/// The second quad of an invocation: of the same terms, or of the same rows (columns).
fn second(first: Quad, lines: u32, along_k: bool) -> Quad {
    if along_k { return Quad(first.term, first.line + invocations() / (BK / 4u)); }
    return Quad(first.term + invocations() / (lines / 4u), first.line);
}

/// The quads of an invocation, where its neighbors load neighbors in memory.
fn quads_of(local: u32, rows_along_k: bool, columns_along_k: bool) -> Quads {
    let rows = quad(local, BM, rows_along_k);
    let columns = quad(local, BN, columns_along_k);
    return Quads(
        rows,
        second(rows, BM, rows_along_k),
        columns,
        second(columns, BN, columns_along_k),
        rows_along_k,
        columns_along_k,
    );
}

/// The quads of an invocation, all of the same term, where neighbors have neighboring terms.
fn quads_of_term(local: u32) -> Quads {
    let first = Quad(local % BK, local / BK * 4u);
    let other = Quad(first.term, (local + invocations()) / BK * 4u);
    return Quads(first, other, first, other, false, false);
}

/// Writes a quad to the tile from `first` on, whose terms are `pitch` vec4s apart.
fn keep(first: u32, pitch: u32, along_k: bool, quad: Quad, elements: vec4<Acc>) {
    let place = first + quad.term * pitch + quad.line / 4u;
    if !along_k {
        tiles[place] = elements;
        return;
    }
    let part = quad.line % 4u;
    tiles[place][part] = elements.x;
    tiles[place + pitch][part] = elements.y;
    tiles[place + 2u * pitch][part] = elements.z;
    tiles[place + 3u * pitch][part] = elements.w;
}

/// Writes what was loaded to a stage.
fn keep_step(stage: u32, quads: Quads, loaded: Loaded) {
    let pitch = BM / 4u + 1u;
    let columns = stage + BK * pitch;
    let columns_pitch = BN / 4u + 1u;
    keep(stage, pitch, quads.rows_along_k, quads.rows, loaded.rows);
    keep(columns, columns_pitch, quads.columns_along_k, quads.columns, loaded.columns);
    if are_two(BM) { keep(stage, pitch, quads.rows_along_k, quads.rows2, loaded.rows2); }
    if are_two(BN) {
        keep(columns, columns_pitch, quads.columns_along_k, quads.columns2, loaded.columns2);
    }
}

/// The stage after one.
fn other_stage(stage: u32) -> u32 {
    return (STAGES - 1u) * BK * (BM / 4u + BN / 4u + 2u) - stage;
}

/// The rows, columns and terms of a tile that one invocation sums.
struct Share {
    /// The first row and column in the tile.
    row: u32,
    col: u32,
    /// Where they begin in a stage, in vec4s.
    rows: u32,
    columns: u32,
    /// The slice of the terms, and the invocation's number among those of the slice.
    slice: u32,
    lane: u32,
    /// Whether it also sums four rows of the tile as they are, for a gradient of a bias.
    sums_rows: bool,
}

/// These four sums: of the first rows for the first invocation, and so on.
var<private> row_sums: vec4<Acc>;

/// The share of an invocation. 32 neighbors take a rectangle of 8 × 4: fewer different vec4s are read
/// at once.
fn share_of(local: u32) -> Share {
    let across = BN / TN;
    let lanes = across * (BM / TM);
    let lane = local % lanes;
    let slice = local / lanes;
    let x = lane % 8u + lane / 32u % (across / 8u) * 8u;
    let y = lane / 8u % 4u + lane / 32u / (across / 8u) * 4u;
    let rows = y + slice * (BK / SLICES) * (BM / 4u + 1u);
    let columns = x + slice * (BK / SLICES) * (BN / 4u + 1u) + BK * (BM / 4u + 1u);
    return Share(4u * y, 4u * x, rows, columns, slice, lane, false);
}

/// Adds the terms of a stage to the sums of rows, those of all slices.
fn add_rows(stage: u32, local: u32) {
    for (var i = 0u; i < BK; i += 1u) { row_sums += tiles[stage + i * (BM / 4u + 1u) + local]; }
}

/// Sums terms `begin` .. `end` of an invocation's share. `load` returns the elements of its quads in the
/// step of a term; terms that do not exist are 0 in both operands, which adds nothing.
fn sum_terms(loader: Loader, quads: Quads, share: Share, begin: u32, end: u32) -> Sums {
    var sums = Sums();
    var loaded = Loaded();
    if STAGES == 2u && begin < end { loaded = load(loader, quads, begin); }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        if STAGES == 1u {
            loaded = load(loader, quads, k0);
            workgroupBarrier(); // the step before was read
        }
        keep_step(stage, quads, loaded);
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        if STAGES == 2u { loaded = load(loader, quads, k0 + BK); }
        sums = add_step(sums, stage + share.rows, stage + share.columns);
        if share.sums_rows { add_rows(stage, share.lane); }
        stage = other_stage(stage);
    }
    return sums;
}
