// matmul.wgsl — c = a · b for each batch, one tile of BM × BN elements per workgroup.
//
// Op        ops::Matmul, every combination of transposed operands; ops::MatmulI8, whose terms are
//           words of four bytes; ops::LinearGrads, where a is the cotangent, and the sums of its rows
//           are the gradient of the bias; ops::Convolution and ops::ConvolutionInputGrad with a window
//           of one tap, where a is the weight and b an image for each batch
// Lib       bias, grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts, stages, tile_4x4,
//           tile_4x4_sliced, tile_8x4, tile_8x8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches_of_a, m, k] or [batches_of_a, k, m], of which there are fewer if they repeat,
//           b: [batches, k, n] or [batches, n, k], c: [batches, m, n], or [parts, batches, m, n] where
//           terms are in parts; any extents
// Dispatch  PANEL · ceil(n / BN) × ceil(m / (BM PANEL)) × batches · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    4 STAGES BK (BM + BN + 8) bytes of workgroup memory, 16.5 KiB for tiles of 128 × 128 × 8; a
//           tile reads its rows or columns of each operand once
// Numerics  f32, one fma per term in the order of k, whatever the tile is; for words of bytes,
//           32-bit integers, which wrap
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles); Nath, Tomov & Dongarra 2010, "An improved MAGMA GEMM for Fermi GPUs" (the next
//           step is loaded during the arithmetic)

struct Params {
    batches: u32,
    batches_of_a: u32,
    m: u32,
    n: u32,
    k: u32,
    /// Terms of a part.
    part: u32,
    grid_x: u32,
    grid_y: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

/// Rows of tiles whose workgroups are next to each other, so that a cache holds what they share.
override PANEL: u32 = 1u;
/// a is stored as [m, k]; b is stored as [n, k].
override A_ALONG_K: bool = true;
override B_ALONG_K: bool = false;

/// The state of an invocation's loads: rows and columns of its quads, and the indices of their first
/// elements at term 0.
struct Loader {
    row: u32,
    row2: u32,
    col: u32,
    col2: u32,
    a_index: u32,
    a_index2: u32,
    b_index: u32,
    b_index2: u32,
    /// Terms from here on are 0.
    end: u32,
}

/// The index of a quad's first element at a term. A row past m reads the last one; it is not stored.
fn start_of_a(first: u32, row: u32, term: u32) -> u32 {
    if A_ALONG_K { return first + min(row, params.m - 1u) * params.k + term; }
    return first + term * params.m + row;
}

fn start_of_b(first: u32, col: u32, term: u32) -> u32 {
    if B_ALONG_K { return first + min(col, params.n - 1u) * params.k + term; }
    return first + term * params.n + col;
}

fn loader(part: Part, quads: Quads, row0: u32, col0: u32) -> Loader {
    let row = row0 + quads.rows.line;
    let row2 = row0 + quads.rows2.line;
    let col = col0 + quads.columns.line;
    let col2 = col0 + quads.columns2.line;
    let a_first = part.product % params.batches_of_a * params.m * params.k;
    let b_first = part.product * params.k * params.n;
    return Loader(
        row,
        row2,
        col,
        col2,
        start_of_a(a_first, row, quads.rows.term),
        start_of_a(a_first, row2, quads.rows2.term),
        start_of_b(b_first, col, quads.columns.term),
        start_of_b(b_first, col2, quads.columns2.term),
        part.end,
    );
}

/// A quad of a. Terms from `end` on are 0.
fn fetch_a(index: u32, row: u32, term: u32, end: u32) -> vec4<Acc> {
    if A_ALONG_K { return vec4<Acc>(load_a(index, term, end)); }
    return vec4<Acc>(load_a(index, row, select(0u, params.m, term < end)));
}

fn fetch_b(index: u32, col: u32, term: u32, end: u32) -> vec4<Acc> {
    if B_ALONG_K { return vec4<Acc>(load_b(index, term, end)); }
    return vec4<Acc>(load_b(index, col, select(0u, params.n, term < end)));
}

/// The quads of the step from term k0 on.
fn load(own: Loader, quads: Quads, k0: u32) -> Loaded {
    let a = k0 * select(params.m, 1u, A_ALONG_K);
    let b = k0 * select(params.n, 1u, B_ALONG_K);
    var loaded = Loaded();
    loaded.rows = fetch_a(own.a_index + a, own.row, k0 + quads.rows.term, own.end);
    loaded.columns = fetch_b(own.b_index + b, own.col, k0 + quads.columns.term, own.end);
    if are_two(BM) {
        loaded.rows2 = fetch_a(own.a_index2 + a, own.row2, k0 + quads.rows2.term, own.end);
    }
    if are_two(BN) {
        loaded.columns2 = fetch_b(own.b_index2 + b, own.col2, k0 + quads.columns2.term, own.end);
    }
    return loaded;
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
    let part = own_part(at.z, params.batches, params.k, params.part);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.m || col0 >= params.n { return; }
    var share = share_of(local);
    share.sums_rows = sums_rows(local, col0);
    let quads = quads_of(local, A_ALONG_K, B_ALONG_K);
    let own = loader(part, quads, row0, col0);
    let sums = sum_terms(own, quads, share, part.begin, part.end);
    store_sums(sums, at.z * params.m * params.n, row0, col0, share);
    if share.sums_rows { store_rows(at.z * params.m, row0 + 4u * local, params.m, row_sums); }
}
