// matmul.wgsl — c = a · b for each batch, one tile of 4 EDGE × 4 EDGE elements per workgroup.
//
// Op        ops::Matmul, every combination of transposed operands
// Lib       tile
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches, m, k], b: [batches, k, n], each matrix with the strides of Params;
//           c: [batches, m, n], row-major; any extents
// Dispatch  batches · ceil(m / 4 EDGE) · ceil(n / 4 EDGE) workgroups of EDGE² invocations,
//           numbered row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory, 8.5 KiB for EDGE = 16; a tile
//           reads its rows or columns of each operand once
// Numerics  f32, one fma per term in the order of k, whatever EDGE is
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles)

struct Params {
    batches: u32,
    m: u32,
    n: u32,
    k: u32,
    a_batch: u32,
    a_row: u32,
    a_col: u32,
    b_batch: u32,
    b_row: u32,
    b_col: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Elem>;
@group(0) @binding(2) var<storage, read> b: array<Elem>;
@group(0) @binding(3) var<storage, read_write> c: array<Out>;

/// Zero outside of the matrix, which adds nothing.
fn a_at(first: u32, row: u32, term: u32) -> Acc {
    if row < params.m && term < params.k {
        return Acc(a[first + row * params.a_row + term * params.a_col]);
    }
    return Acc(0);
}

fn b_at(first: u32, term: u32, col: u32) -> Acc {
    if term < params.k && col < params.n {
        return Acc(b[first + term * params.b_row + col * params.b_col]);
    }
    return Acc(0);
}

fn store(first: u32, row: u32, col: u32, acc: vec4<Acc>) {
    if row >= params.m { return; }
    let index = first + row * params.n + col;
    if col < params.n { c[index] = epilogue(acc.x, index); }
    if col + 1u < params.n { c[index + 1u] = epilogue(acc.y, index + 1u); }
    if col + 2u < params.n { c[index + 2u] = epilogue(acc.z, index + 2u); }
    if col + 3u < params.n { c[index + 3u] = epilogue(acc.w, index + 3u); }
}

@compute @workgroup_size(EDGE, EDGE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let tile = 4u * EDGE;
    let across = (params.n + tile - 1u) / tile;
    let down = (params.m + tile - 1u) / tile;
    let number = wid.x + wid.y * groups.x;
    // The same for the whole workgroup: no barrier is skipped.
    if number >= params.batches * down * across { return; }
    let batch = number / (down * across);
    let row0 = number / across % down * tile;
    let col0 = number % across * tile;
    let a0 = batch * params.a_batch;
    let b0 = batch * params.b_batch;

    // Neighboring invocations load along the axis that is contiguous in memory.
    let a_along_k = params.a_col == 1u;
    let a_term = select(lid.y, lid.x, a_along_k);
    let a_quad = select(lid.x, lid.y, a_along_k);
    let b_along_k = params.b_col != 1u;
    let b_term = select(lid.y, lid.x, b_along_k);
    let b_quad = select(lid.x, lid.y, b_along_k);
    let a_row = row0 + 4u * a_quad;
    let b_col = col0 + 4u * b_quad;

    var sums = Sums();
    for (var k0 = 0u; k0 < params.k; k0 += EDGE) {
        let p = k0 + a_term;
        put_rows(a_term, a_quad, vec4<Acc>(
            a_at(a0, a_row, p),
            a_at(a0, a_row + 1u, p),
            a_at(a0, a_row + 2u, p),
            a_at(a0, a_row + 3u, p),
        ));
        let q = k0 + b_term;
        put_columns(b_term, b_quad, vec4<Acc>(
            b_at(b0, q, b_col),
            b_at(b0, q, b_col + 1u),
            b_at(b0, q, b_col + 2u),
            b_at(b0, q, b_col + 3u),
        ));
        sums = add_products(sums, lid);
    }

    let c0 = batch * params.m * params.n;
    let row = row0 + 4u * lid.y;
    let col = col0 + 4u * lid.x;
    store(c0, row, col, sums.row0);
    store(c0, row + 1u, col, sums.row1);
    store(c0, row + 2u, col, sums.row2);
    store(c0, row + 3u, col, sums.row3);
}
