// stages.wgsl — two stages of the tiles of a product: one is read while the other is filled.
//
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory, 16.5 KiB for tiles of 128 × 128 × 8
// Numerics  exact: it moves elements

/// Rows and columns of a tile.
override BM: u32 = 64u;
override BN: u32 = 64u;
/// Terms per step.
override BK: u32 = 16u;

// Each stage has, for every term, the rows, and behind those of all terms the columns, four in a
// vec4. One vec4 more per term keeps stores along the terms off one memory bank.
var<workgroup> tiles: array<vec4<Acc>, 2u * BK * (BM / 4u + BN / 4u + 2u)>;

/// Four neighbors in memory: terms of one row (column), or rows (columns) of one term.
struct Quad {
    term: u32,
    line: u32,
}

/// Quad `number` of a tile with this many rows (columns).
fn quad(number: u32, lines: u32, along_k: bool) -> Quad {
    if along_k { return Quad(number % (BK / 4u) * 4u, number / (BK / 4u)); }
    return Quad(number / (lines / 4u), number % (lines / 4u) * 4u);
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

fn keep_rows(stage: u32, quad: Quad, along_k: bool, elements: vec4<Acc>) {
    keep(stage, BM / 4u + 1u, along_k, quad, elements);
}

fn keep_columns(stage: u32, quad: Quad, along_k: bool, elements: vec4<Acc>) {
    keep(stage + BK * (BM / 4u + 1u), BN / 4u + 1u, along_k, quad, elements);
}

/// The stage after one.
fn other_stage(stage: u32) -> u32 {
    return BK * (BM / 4u + BN / 4u + 2u) - stage;
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
}

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
    return Share(4u * y, 4u * x, rows, columns, slice, lane);
}
