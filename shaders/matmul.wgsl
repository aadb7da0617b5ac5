// matmul.wgsl — c = a · b for each batch, one tile of BM × BN elements per workgroup.
//
// Op        ops::Matmul, every combination of transposed operands
// Lib       load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, tile_4x4, tile_4x4_sliced,
//           tile_8x4, tile_8x8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches, m, k] or [batches, k, m], b: [batches, k, n] or [batches, n, k],
//           c: [batches, m, n]; any extents
// Dispatch  PANEL · ceil(n / BN) × ceil(m / (BM PANEL)) × batches workgroups of BN / TN × BM / TM
//           invocations; numbered and folded over (x, y) if an axis is longer than 65535
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory, 16.5 KiB for tiles of 128 × 128 × 8; a
//           tile reads its rows or columns of each operand once
// Numerics  f32, one fma per term in the order of k, whatever the tile is
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles); Nath, Tomov & Dongarra 2010, "An improved MAGMA GEMM for Fermi GPUs" (the next
//           step is loaded during the arithmetic)

struct Params {
    batches: u32,
    m: u32,
    n: u32,
    k: u32,
    grid_x: u32,
    grid_y: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

/// Rows and columns of a tile.
override BM: u32 = 64u;
override BN: u32 = 64u;
/// Terms per step.
override BK: u32 = 16u;
/// Rows of tiles whose workgroups are next to each other, so that a cache holds what they share.
override PANEL: u32 = 1u;
/// a is stored as [m, k]; b is stored as [n, k].
override A_ALONG_K: bool = true;
override B_ALONG_K: bool = false;
/// An axis of the grid would be longer than devices accept.
override IS_FOLDED: bool = false;

// Two stages: one is read while the other is filled. Each has, for every term, the rows of a, and
// behind those of all terms the columns of b, four in a vec4. One vec4 more per term keeps stores
// along k off one memory bank.
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

/// The index of a quad's first element in the first step. A row past m reads the last one; it is
/// not stored.
fn start_of_a(first: u32, row: u32, term: u32) -> u32 {
    if A_ALONG_K { return first + min(row, params.m - 1u) * params.k + term; }
    return first + term * params.m + row;
}

fn start_of_b(first: u32, col: u32, term: u32) -> u32 {
    if B_ALONG_K { return first + min(col, params.n - 1u) * params.k + term; }
    return first + term * params.n + col;
}

/// A quad of a. Terms past k are 0 in both operands, which adds nothing.
fn fetch_a(index: u32, row: u32, term: u32) -> vec4<Acc> {
    if A_ALONG_K { return load_a(index, term, params.k); }
    return load_a(index, row, select(0u, params.m, term < params.k));
}

fn fetch_b(index: u32, col: u32, term: u32) -> vec4<Acc> {
    if B_ALONG_K { return load_b(index, term, params.k); }
    return load_b(index, col, select(0u, params.n, term < params.k));
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

fn keep_a(stage: u32, quad: Quad, elements: vec4<Acc>) {
    keep(stage, BM / 4u + 1u, A_ALONG_K, quad, elements);
}

fn keep_b(stage: u32, quad: Quad, elements: vec4<Acc>) {
    keep(stage + BK * (BM / 4u + 1u), BN / 4u + 1u, B_ALONG_K, quad, elements);
}

/// Panel and column of tiles, panel of tiles, batch.
fn place(wid: vec3<u32>, groups: vec3<u32>) -> vec3<u32> {
    if !IS_FOLDED { return wid; }
    let number = wid.x + wid.y * groups.x;
    let row = number / params.grid_x;
    return vec3<u32>(number % params.grid_x, row % params.grid_y, row / params.grid_y);
}

@compute @workgroup_size(BN / TN, BM / TM, SLICES)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let row0 = (at.y * PANEL + at.x % PANEL) * BM;
    let col0 = at.x / PANEL * BN;
    // The same for the whole workgroup: no barrier is skipped.
    if at.z >= params.batches || row0 >= params.m || col0 >= params.n { return; }
    // 32 neighbors take a rectangle of 8 × 4: fewer different vec4s are read at once.
    let across = BN / TN;
    let lanes = across * (BM / TM);
    let lane = local % lanes;
    let slice = local / lanes;
    let x = lane % 8u + lane / 32u % (across / 8u) * 8u;
    let y = lane / 8u % 4u + lane / 32u / (across / 8u) * 4u;
    let rows = y + slice * (BK / SLICES) * (BM / 4u + 1u);
    let columns = x + slice * (BK / SLICES) * (BN / 4u + 1u) + BK * (BM / 4u + 1u);

    // Each invocation loads one or two quads of either operand.
    let count = lanes * SLICES;
    let a_is_two = BM * BK > 4u * count;
    let b_is_two = BN * BK > 4u * count;
    let a_quad = quad(local, BM, A_ALONG_K);
    let a_quad2 = quad(local + count, BM, A_ALONG_K);
    let b_quad = quad(local, BN, B_ALONG_K);
    let b_quad2 = quad(local + count, BN, B_ALONG_K);
    let a_first = at.z * params.m * params.k;
    let b_first = at.z * params.k * params.n;
    var a_index = start_of_a(a_first, row0 + a_quad.line, a_quad.term);
    var a_index2 = start_of_a(a_first, row0 + a_quad2.line, a_quad2.term);
    var b_index = start_of_b(b_first, col0 + b_quad.line, b_quad.term);
    var b_index2 = start_of_b(b_first, col0 + b_quad2.line, b_quad2.term);
    let a_step = select(BK * params.m, BK, A_ALONG_K);
    let b_step = select(BK * params.n, BK, B_ALONG_K);

    var sums = Sums();
    var a = vec4<Acc>();
    var a2 = vec4<Acc>();
    var b = vec4<Acc>();
    var b2 = vec4<Acc>();
    if params.k > 0u {
        a = fetch_a(a_index, row0 + a_quad.line, a_quad.term);
        b = fetch_b(b_index, col0 + b_quad.line, b_quad.term);
        if a_is_two { a2 = fetch_a(a_index2, row0 + a_quad2.line, a_quad2.term); }
        if b_is_two { b2 = fetch_b(b_index2, col0 + b_quad2.line, b_quad2.term); }
    }
    let other = BK * (BM / 4u + BN / 4u + 2u);
    var stage = 0u;
    for (var k0 = 0u; k0 < params.k; k0 += BK) {
        keep_a(stage, a_quad, a);
        keep_b(stage, b_quad, b);
        if a_is_two { keep_a(stage, a_quad2, a2); }
        if b_is_two { keep_b(stage, b_quad2, b2); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        a_index += a_step;
        a_index2 += a_step;
        b_index += b_step;
        b_index2 += b_step;
        let next = k0 + BK;
        a = fetch_a(a_index, row0 + a_quad.line, next + a_quad.term);
        b = fetch_b(b_index, col0 + b_quad.line, next + b_quad.term);
        if a_is_two { a2 = fetch_a(a_index2, row0 + a_quad2.line, next + a_quad2.term); }
        if b_is_two { b2 = fetch_b(b_index2, col0 + b_quad2.line, next + b_quad2.term); }
        sums = add_step(sums, stage + rows, stage + columns);
        stage = other - stage;
    }
    store_sums(sums, at.z * params.m * params.n, row0 + 4u * y, col0 + 4u * x, slice, lane);
}
