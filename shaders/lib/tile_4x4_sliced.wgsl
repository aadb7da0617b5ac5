// tile_4x4_sliced.wgsl — the sums of an invocation over a quarter of the terms, four rows of four.
//
// Memory    BM BN · 16 bytes of the tiles for the sums of all slices
// Numerics  each slice takes a quarter of the terms of every step, one fma each in order, and
//           the sums of the four slices are added in order
// Source    NVIDIA, "CUTLASS" (sliced K: one tile, shared by invocations with terms of their own)

/// Rows and columns of an invocation.
const TM = 4u;
const TN = 4u;
/// Invocations for the same elements.
const SLICES = 4u;

/// Four columns of each row.
struct Sums {
    row0: vec4<Acc>,
    row1: vec4<Acc>,
    row2: vec4<Acc>,
    row3: vec4<Acc>,
}

/// Adds the products of a slice of a stage, of the rows from vec4 `rows` of the tiles on, and the
/// columns from `columns` on.
fn add_step(before: Sums, rows: u32, columns: u32) -> Sums {
    var sums = before;
    for (var i = 0u; i < BK / SLICES; i += 1u) {
        let a = tiles[rows + i * (BM / 4u + 1u)];
        let b = tiles[columns + i * (BN / 4u + 1u)];
        sums.row0 = add_products(vec4<Acc>(a.x), b, sums.row0);
        sums.row1 = add_products(vec4<Acc>(a.y), b, sums.row1);
        sums.row2 = add_products(vec4<Acc>(a.z), b, sums.row2);
        sums.row3 = add_products(vec4<Acc>(a.w), b, sums.row3);
    }
    return sums;
}

/// Adds up the slices and stores the sums to the matrix that begins at index `first`, from this row
/// and column on: each slice stores one row.
fn store_sums(sums: Sums, first: u32, row0: u32, col0: u32, share: Share) {
    let lanes = BM * BN / 16u;
    let own = share.slice * 4u * lanes + share.lane;
    workgroupBarrier(); // the last stage was read
    tiles[own] = sums.row0;
    tiles[own + lanes] = sums.row1;
    tiles[own + 2u * lanes] = sums.row2;
    tiles[own + 3u * lanes] = sums.row3;
    workgroupBarrier(); // every slice has written its sums
    let place = share.slice * lanes + share.lane;
    var total = tiles[place];
    for (var other = 1u; other < SLICES; other += 1u) {
        total += tiles[place + other * 4u * lanes];
    }
    store(first, row0 + share.row + share.slice, col0 + share.col, total);
}
