// matmul_units.wgsl — c = a · b for each batch on matrix units, a tile of TILE × TILE per workgroup.
//
// Op        ops::UnitMatmul, every combination of transposed operands
// Lib       grid, load_a_scalar, load_a_vec4, load_b_scalar, load_b_vec4, parts, units, units_2x1,
//           units_4x2
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches, m, k] or [batches, k, m], b: [batches, k, n] or [batches, n, k], of f16; where
//           IS_SPLIT two of each, the high halves of all batches and then the low ones;
//           c: [batches, m, n], or [parts, batches, m, n] where terms are in parts; any extents
// Dispatch  PANEL · ceil(n / TILE) × ceil(m / (TILE PANEL)) × batches · parts workgroups of 8 LANES
//           invocations; numbered and folded over (x, y) if an axis is longer than 65535
// Memory    48 KiB of workgroup memory for 16 × 16 matrices and tiles of 128 × 128; a tile reads its
//           rows or columns of each operand once
// Numerics  products of halves are exact; a unit sums EDGE of them at once and may truncate. Of a
//           split product, every EDGE terms start with 0 and are added to the sum as f32; the
//           product of two low halves is left out
// Source    Ootomo & Yokota 2022, "Recovering single precision accuracy from Tensor Cores while
//           surpassing the FP32 theoretical peak performance" (high and low halves, sums outside of
//           the unit)

struct Params {
    batches: u32,
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

/// The index of a quad's first element in the first step. A row past m reads the last one; it is
/// not stored.
fn start_of_a(row0: u32, quad: Quad) -> u32 {
    let row = row0 + quad.line;
    if A_ALONG_K { return min(row, params.m - 1u) * params.k + quad.term; }
    return quad.term * params.m + row;
}

fn start_of_b(col0: u32, quad: Quad) -> u32 {
    let col = col0 + quad.line;
    if B_ALONG_K { return min(col, params.n - 1u) * params.k + quad.term; }
    return quad.term * params.n + col;
}

/// A quad of a, of the step that begins with term `k0`. Terms from `end` on are 0 in both operands,
/// which adds nothing.
fn fetch_a(start: u32, row0: u32, k0: u32, end: u32, quad: Quad) -> vec4<Elem> {
    let term = k0 + quad.term;
    if A_ALONG_K { return load_a(start + k0, term, end); }
    let lines = select(0u, params.m, term < end);
    return load_a(start + k0 * params.m, row0 + quad.line, lines);
}

fn fetch_b(start: u32, col0: u32, k0: u32, end: u32, quad: Quad) -> vec4<Elem> {
    let term = k0 + quad.term;
    if B_ALONG_K { return load_b(start + k0, term, end); }
    let lines = select(0u, params.n, term < end);
    return load_b(start + k0 * params.n, col0 + quad.line, lines);
}

/// The quads of an invocation, of the operand that begins at `first`.
fn fetch_all_of_a(first: u32, starts: vec4<u32>, row0: u32, k0: u32, end: u32, local: u32) -> Quads {
    var quads = Quads();
    quads.q0 = fetch_a(first + starts.x, row0, k0, end, quad_of(local, 0u, A_ALONG_K));
    if QUADS > 1u {
        quads.q1 = fetch_a(first + starts.y, row0, k0, end, quad_of(local, 1u, A_ALONG_K));
    }
    if QUADS > 2u {
        quads.q2 = fetch_a(first + starts.z, row0, k0, end, quad_of(local, 2u, A_ALONG_K));
    }
    if QUADS > 3u {
        quads.q3 = fetch_a(first + starts.w, row0, k0, end, quad_of(local, 3u, A_ALONG_K));
    }
    return quads;
}

fn fetch_all_of_b(first: u32, starts: vec4<u32>, col0: u32, k0: u32, end: u32, local: u32) -> Quads {
    var quads = Quads();
    quads.q0 = fetch_b(first + starts.x, col0, k0, end, quad_of(local, 0u, B_ALONG_K));
    if QUADS > 1u {
        quads.q1 = fetch_b(first + starts.y, col0, k0, end, quad_of(local, 1u, B_ALONG_K));
    }
    if QUADS > 2u {
        quads.q2 = fetch_b(first + starts.z, col0, k0, end, quad_of(local, 2u, B_ALONG_K));
    }
    if QUADS > 3u {
        quads.q3 = fetch_b(first + starts.w, col0, k0, end, quad_of(local, 3u, B_ALONG_K));
    }
    return quads;
}

/// The state of an invocation's loads: where the operands of its product begin, and its quads in them.
struct Loader {
    a_high: u32,
    b_high: u32,
    a_low: u32,
    b_low: u32,
    a_starts: vec4<u32>,
    b_starts: vec4<u32>,
    row0: u32,
    col0: u32,
    /// Terms from here on are 0.
    end: u32,
}

fn loader(part: Part, local: u32, row0: u32, col0: u32) -> Loader {
    let a_high = part.product * params.m * params.k;
    let b_high = part.product * params.k * params.n;
    return Loader(
        a_high,
        b_high,
        a_high + params.batches * params.m * params.k,
        b_high + params.batches * params.k * params.n,
        vec4<u32>(
            start_of_a(row0, quad_of(local, 0u, A_ALONG_K)),
            start_of_a(row0, quad_of(local, 1u, A_ALONG_K)),
            start_of_a(row0, quad_of(local, 2u, A_ALONG_K)),
            start_of_a(row0, quad_of(local, 3u, A_ALONG_K)),
        ),
        vec4<u32>(
            start_of_b(col0, quad_of(local, 0u, B_ALONG_K)),
            start_of_b(col0, quad_of(local, 1u, B_ALONG_K)),
            start_of_b(col0, quad_of(local, 2u, B_ALONG_K)),
            start_of_b(col0, quad_of(local, 3u, B_ALONG_K)),
        ),
        row0,
        col0,
        part.end,
    );
}

/// The quads of the step from term k0 on.
fn load(own: Loader, local: u32, k0: u32) -> Loaded {
    var loaded = Loaded();
    loaded.a = fetch_all_of_a(own.a_high, own.a_starts, own.row0, k0, own.end, local);
    loaded.b = fetch_all_of_b(own.b_high, own.b_starts, own.col0, k0, own.end, local);
    if IS_SPLIT {
        loaded.a_low = fetch_all_of_a(own.a_low, own.a_starts, own.row0, k0, own.end, local);
        loaded.b_low = fetch_all_of_b(own.b_low, own.b_starts, own.col0, k0, own.end, local);
    }
    return loaded;
}

@compute @workgroup_size(SUBGROUPS * LANES)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let row0 = (at.y * PANEL + at.x % PANEL) * TILE;
    let col0 = at.x / PANEL * TILE;
    let part = own_part(at.z, params.batches, params.k, params.part);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || row0 >= params.m || col0 >= params.n { return; }

    let block = block_of(local);
    let own = loader(part, local, row0, col0);
    let sums = sum_matrices(own, local, block, part.begin, part.end);
    store_matrices(sums, at.z * params.m * params.n, row0, col0, block);
}
