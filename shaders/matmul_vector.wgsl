// matmul_vector.wgsl — c = a · b, one of which is a matrix and the other one to four vectors.
//
// Op        ops::Matmul and ops::MatmulI8 where m or n is at most 4 and k is long
// Lib       add_products, add_products_i8, grid, load_a_scalar, load_a_vec4, load_b_scalar,
//           load_b_vec4, parts, store_grads, store_scalar, store_vec4
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     that of matmul.wgsl
// Dispatch  ceil(lines / 32) × 1 × batches · parts workgroups of 256 invocations, where the lines are
//           the columns of b or the rows of a; numbered and folded over (x, y) if an axis is longer
//           than 65535
// Memory    4 KiB of workgroup memory for each vector; the matrix is read once, 128 bytes side by
//           side and more
// Numerics  f32; of every 128 terms each of 32 lanes takes four, one fma each in order, and the lanes
//           are added in a tree, wherever the matrix lies in memory
// Source    Bell & Garland 2009, "Implementing sparse matrix-vector multiplication on
//           throughput-oriented processors" (several lanes a row, so that accesses coalesce)

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

/// How many vectors there are: rows of a, or columns of b.
override VECTORS: u32 = 1u;
/// The matrix is a, and the vectors are columns of b; otherwise they are rows of a.
override IS_MATRIX_A: bool = false;
/// a is stored as [m, k]; b is stored as [n, k].
override A_ALONG_K: bool = true;
override B_ALONG_K: bool = false;

/// Invocations for the same lines, and quads of lines of a workgroup.
const LANES = 32u;
const QUADS = 8u;

/// Four lines of an operand and four terms: the lines of each term.
struct Block {
    term0: vec4<Acc>,
    term1: vec4<Acc>,
    term2: vec4<Acc>,
    term3: vec4<Acc>,
}

/// Four terms of a line of an operand that is stored along k, or else four lines of a term. A line past
/// the last one is that, or 0; it is not stored. Terms from `end` on are 0 in both operands, which adds
/// nothing.
fn load_quad(of_a: bool, first: u32, line: u32, term: u32, end: u32) -> vec4<Acc> {
    let lines = select(params.n, params.m, of_a);
    var index = first + term * lines + line;
    var at = line;
    var bound = select(0u, lines, term < end);
    if select(B_ALONG_K, A_ALONG_K, of_a) {
        index = first + min(line, lines - 1u) * params.k + term;
        at = term;
        bound = end;
    }
    if of_a { return vec4<Acc>(load_a(index, at, bound)); }
    return vec4<Acc>(load_b(index, at, bound));
}

/// Lines line .. line + 3 of an operand, of which the first `count` matter, and terms term .. term + 3.
fn load_block(of_a: bool, first: u32, line: u32, count: u32, term: u32, end: u32) -> Block {
    var b = Block();
    if !select(B_ALONG_K, A_ALONG_K, of_a) {
        b.term0 = load_quad(of_a, first, line, term, end);
        b.term1 = load_quad(of_a, first, line, term + 1u, end);
        b.term2 = load_quad(of_a, first, line, term + 2u, end);
        b.term3 = load_quad(of_a, first, line, term + 3u, end);
        return b;
    }
    b.term0 = load_quad(of_a, first, line, term, end);
    if count > 1u { b.term1 = load_quad(of_a, first, line + 1u, term, end); }
    if count > 2u { b.term2 = load_quad(of_a, first, line + 2u, term, end); }
    if count > 3u { b.term3 = load_quad(of_a, first, line + 3u, term, end); }
    return Block(
        vec4<Acc>(b.term0.x, b.term1.x, b.term2.x, b.term3.x),
        vec4<Acc>(b.term0.y, b.term1.y, b.term2.y, b.term3.y),
        vec4<Acc>(b.term0.z, b.term1.z, b.term2.z, b.term3.z),
        vec4<Acc>(b.term0.w, b.term1.w, b.term2.w, b.term3.w),
    );
}

/// The sums of four lines with a vector, after four terms.
fn add_block(before: vec4<Acc>, matrix: Block, vector: vec4<Acc>) -> vec4<Acc> {
    var acc = add_products(vec4<Acc>(vector.x), matrix.term0, before);
    acc = add_products(vec4<Acc>(vector.y), matrix.term1, acc);
    acc = add_products(vec4<Acc>(vector.z), matrix.term2, acc);
    return add_products(vec4<Acc>(vector.w), matrix.term3, acc);
}

@compute @workgroup_size(LANES * QUADS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let line0 = at.x * 4u * QUADS;
    let part = own_part(at.z, params.batches, params.k, params.part);
    let lines = select(params.n, params.m, IS_MATRIX_A);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || at.y > 0u || line0 >= lines { return; }

    // Neighbors load what is next to each other in memory: terms of a line, or lines of a term.
    let is_along_k = select(B_ALONG_K, A_ALONG_K, IS_MATRIX_A);
    let lane = select(local / QUADS, local % LANES, is_along_k);
    let quad = select(local % QUADS, local / LANES, is_along_k);
    let line = line0 + 4u * quad;
    let matrix = part.product * lines * params.k;
    let vectors = part.product * VECTORS * params.k;
    let is_a = IS_MATRIX_A;
    let end = part.end;

    var acc0 = vec4<Acc>();
    var acc1 = vec4<Acc>();
    var acc2 = vec4<Acc>();
    var acc3 = vec4<Acc>();
    // With few vectors there are registers for two blocks, which are on their way at once.
    let are_two = VECTORS <= 2u;
    let step = 4u * LANES;
    for (var term = part.begin + 4u * lane; term < end; term += select(step, 2u * step, are_two)) {
        let m = load_block(is_a, matrix, line, 4u, term, end);
        let v = load_block(!is_a, vectors, 0u, VECTORS, term, end);
        var m2 = Block();
        var v2 = Block();
        if are_two {
            m2 = load_block(is_a, matrix, line, 4u, term + step, end);
            v2 = load_block(!is_a, vectors, 0u, VECTORS, term + step, end);
        }
        acc0 = add_block(acc0, m, vec4<Acc>(v.term0.x, v.term1.x, v.term2.x, v.term3.x));
        if VECTORS > 1u {
            acc1 = add_block(acc1, m, vec4<Acc>(v.term0.y, v.term1.y, v.term2.y, v.term3.y));
        }
        if VECTORS > 2u {
            acc2 = add_block(acc2, m, vec4<Acc>(v.term0.z, v.term1.z, v.term2.z, v.term3.z));
        }
        if VECTORS > 3u {
            acc3 = add_block(acc3, m, vec4<Acc>(v.term0.w, v.term1.w, v.term2.w, v.term3.w));
        }
        if are_two {
            acc0 = add_block(acc0, m2, vec4<Acc>(v2.term0.x, v2.term1.x, v2.term2.x, v2.term3.x));
            acc1 = add_block(acc1, m2, vec4<Acc>(v2.term0.y, v2.term1.y, v2.term2.y, v2.term3.y));
        }
    }

    // The sums of a vector, then those of a lane, then those of a quad lie next to each other.
    let own = lane * QUADS + quad;
    let pitch = LANES * QUADS;
    sums[own] = acc0;
    if VECTORS > 1u { sums[own + pitch] = acc1; }
    if VECTORS > 2u { sums[own + 2u * pitch] = acc2; }
    if VECTORS > 3u { sums[own + 3u * pitch] = acc3; }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the sums of twice as many lanes are complete
        if lane < half {
            for (var vector = 0u; vector < VECTORS; vector += 1u) {
                let place = vector * pitch + own;
                sums[place] += sums[place + half * QUADS];
            }
        }
    }
    workgroupBarrier(); // lane 0 has the sums of all
    let first = at.z * params.m * params.n;
    if !is_a {
        if lane < VECTORS { store(first, lane, line, sums[lane * pitch + quad]); }
        return;
    }
    // A line of c at a time has its columns side by side.
    if lane >= 4u { return; }
    var row = vec4<Acc>(sums[quad][lane], 0, 0, 0);
    if VECTORS > 1u { row.y = sums[pitch + quad][lane]; }
    if VECTORS > 2u { row.z = sums[2u * pitch + quad][lane]; }
    if VECTORS > 3u { row.w = sums[3u * pitch + quad][lane]; }
    store(first, line + lane, 0u, row);
}

// Four lines of each vector's sums, for every lane of every quad. Behind everything else: naga takes an
// override for another one if it meets it after an extent that depends on one.
var<workgroup> sums: array<vec4<Acc>, VECTORS * LANES * QUADS>;
