// matmul_i8.wgsl — c = a · bᵀ of bytes, one tile of 4 EDGE × 4 EDGE sums per workgroup.
//
// Op        ops::MatmulI8
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     a: [batches, m, words], b: [batches, n, words], four bytes per word, the first in the
//           lowest bits; c: [batches, m, n]; any extents
// Dispatch  batches · ceil(m / 4 EDGE) · ceil(n / 4 EDGE) workgroups of EDGE² invocations, numbered
//           row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory
// Numerics  32-bit integers, which wrap
// Source    the tiles of matmul.wgsl; dot4I8Packed adds four products of bytes at once

struct Params {
    batches: u32,
    m: u32,
    n: u32,
    words: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> c: array<Out>;

/// Edge of the square of invocations, and words per step.
override EDGE: u32 = 8u;

// Element [p · (EDGE + 1) + q] holds rows 4q .. 4q + 3 of word p.
var<workgroup> a_tile: array<vec4<u32>, EDGE * (EDGE + 1u)>;
var<workgroup> b_tile: array<vec4<u32>, EDGE * (EDGE + 1u)>;

/// Zero outside of the matrix, which adds nothing.
fn a_at(first: u32, row: u32, word: u32) -> u32 {
    if row < params.m && word < params.words { return a[first + row * params.words + word]; }
    return 0u;
}

fn b_at(first: u32, row: u32, word: u32) -> u32 {
    if row < params.n && word < params.words { return b[first + row * params.words + word]; }
    return 0u;
}

/// One row of four columns.
fn dots(row: u32, columns: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(row, columns.x),
        dot4I8Packed(row, columns.y),
        dot4I8Packed(row, columns.z),
        dot4I8Packed(row, columns.w),
    );
}

fn store(first: u32, row: u32, col: u32, acc: vec4<i32>) {
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
    let a0 = batch * params.m * params.words;
    let b0 = batch * params.n * params.words;

    var acc0 = vec4<i32>();
    var acc1 = vec4<i32>();
    var acc2 = vec4<i32>();
    var acc3 = vec4<i32>();
    for (var w0 = 0u; w0 < params.words; w0 += EDGE) {
        // Neighboring invocations load neighboring words.
        let word = w0 + lid.x;
        let place = lid.x * (EDGE + 1u) + lid.y;
        let a_row = row0 + 4u * lid.y;
        a_tile[place] = vec4<u32>(
            a_at(a0, a_row, word),
            a_at(a0, a_row + 1u, word),
            a_at(a0, a_row + 2u, word),
            a_at(a0, a_row + 3u, word),
        );
        let b_row = col0 + 4u * lid.y;
        b_tile[place] = vec4<u32>(
            b_at(b0, b_row, word),
            b_at(b0, b_row + 1u, word),
            b_at(b0, b_row + 2u, word),
            b_at(b0, b_row + 3u, word),
        );
        workgroupBarrier(); // the tiles are complete
        for (var i = 0u; i < EDGE; i += 1u) {
            let rows = a_tile[i * (EDGE + 1u) + lid.y];
            let columns = b_tile[i * (EDGE + 1u) + lid.x];
            acc0 += dots(rows.x, columns);
            acc1 += dots(rows.y, columns);
            acc2 += dots(rows.z, columns);
            acc3 += dots(rows.w, columns);
        }
        workgroupBarrier(); // the tiles may be overwritten
    }

    let c0 = batch * params.m * params.n;
    let row = row0 + 4u * lid.y;
    let col = col0 + 4u * lid.x;
    store(c0, row, col, acc0);
    store(c0, row + 1u, col, acc1);
    store(c0, row + 2u, col, acc2);
    store(c0, row + 3u, col, acc3);
}
