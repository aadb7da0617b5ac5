// matmul.wgsl — c = a · b for each batch, one tile of BM × BN elements per workgroup.
//
// Op        ops::Matmul, every combination of transposed operands; ops::MatmulI8, whose terms are
//           words of four bytes; ops::Convolution and ops::ConvolutionInputGrad with a window of one
//           tap, where a is the weight and b an image for each batch
// Lib       grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts, stages, tile_4x4,
//           tile_4x4_sliced, tile_8x4, tile_8x8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches_of_a, m, k] or [batches_of_a, k, m], of which there are fewer if they repeat,
//           b: [batches, k, n] or [batches, n, k], c: [batches, m, n], or [parts, batches, m, n] where
//           terms are in parts; any extents
// Dispatch  PANEL · ceil(n / BN) × ceil(m / (BM PANEL)) × batches · parts workgroups of
//           BN / TN × BM / TM invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    8 BK (BM + BN + 8) bytes of workgroup memory, 16.5 KiB for tiles of 128 × 128 × 8; a
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

/// A quad of a. Terms from `end` on are 0 in both operands, which adds nothing.
fn fetch_a(index: u32, row: u32, term: u32, end: u32) -> vec4<Acc> {
    if A_ALONG_K { return vec4<Acc>(load_a(index, term, end)); }
    return vec4<Acc>(load_a(index, row, select(0u, params.m, term < end)));
}

fn fetch_b(index: u32, col: u32, term: u32, end: u32) -> vec4<Acc> {
    if B_ALONG_K { return vec4<Acc>(load_b(index, term, end)); }
    return vec4<Acc>(load_b(index, col, select(0u, params.n, term < end)));
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
    let share = share_of(local);

    // Each invocation loads one or two quads of either operand.
    let count = BN / TN * (BM / TM) * SLICES;
    let a_is_two = BM * BK > 4u * count;
    let b_is_two = BN * BK > 4u * count;
    let a_quad = quad(local, BM, A_ALONG_K);
    let a_quad2 = quad(local + count, BM, A_ALONG_K);
    let b_quad = quad(local, BN, B_ALONG_K);
    let b_quad2 = quad(local + count, BN, B_ALONG_K);
    let a_row = row0 + a_quad.line;
    let a_row2 = row0 + a_quad2.line;
    let b_col = col0 + b_quad.line;
    let b_col2 = col0 + b_quad2.line;
    let begin = part.begin;
    let end = part.end;
    let a_first = part.product % params.batches_of_a * params.m * params.k;
    let b_first = part.product * params.k * params.n;
    var a_index = start_of_a(a_first, a_row, begin + a_quad.term);
    var a_index2 = start_of_a(a_first, a_row2, begin + a_quad2.term);
    var b_index = start_of_b(b_first, b_col, begin + b_quad.term);
    var b_index2 = start_of_b(b_first, b_col2, begin + b_quad2.term);
    let a_step = select(BK * params.m, BK, A_ALONG_K);
    let b_step = select(BK * params.n, BK, B_ALONG_K);

    var sums = Sums();
    var a = vec4<Acc>();
    var a2 = vec4<Acc>();
    var b = vec4<Acc>();
    var b2 = vec4<Acc>();
    if begin < end {
        a = fetch_a(a_index, a_row, begin + a_quad.term, end);
        b = fetch_b(b_index, b_col, begin + b_quad.term, end);
        if a_is_two { a2 = fetch_a(a_index2, a_row2, begin + a_quad2.term, end); }
        if b_is_two { b2 = fetch_b(b_index2, b_col2, begin + b_quad2.term, end); }
    }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_rows(stage, a_quad, A_ALONG_K, a);
        keep_columns(stage, b_quad, B_ALONG_K, b);
        if a_is_two { keep_rows(stage, a_quad2, A_ALONG_K, a2); }
        if b_is_two { keep_columns(stage, b_quad2, B_ALONG_K, b2); }
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        a_index += a_step;
        a_index2 += a_step;
        b_index += b_step;
        b_index2 += b_step;
        let next = k0 + BK;
        a = fetch_a(a_index, a_row, next + a_quad.term, end);
        b = fetch_b(b_index, b_col, next + b_quad.term, end);
        if a_is_two { a2 = fetch_a(a_index2, a_row2, next + a_quad2.term, end); }
        if b_is_two { b2 = fetch_b(b_index2, b_col2, next + b_quad2.term, end); }
        sums = add_step(sums, stage + share.rows, stage + share.columns);
        stage = other_stage(stage);
    }
    let first = at.z * params.m * params.n;
    store_sums(sums, first, row0 + share.row, col0 + share.col, share.slice, share.lane);
}
