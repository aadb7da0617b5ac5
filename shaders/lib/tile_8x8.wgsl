// tile_8x8.wgsl — the sums of an invocation: eight rows of eight columns, in named vec4s.
//
// Numerics  one sum per element, of its terms in order
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles)

/// Rows and columns of an invocation.
const TM = 8u;
const TN = 8u;
/// Invocations for the same elements.
const SLICES = 1u;

/// Four columns of each row, twice. The second four rows are half a tile below the first, and the
/// second four columns half a tile to the right.
struct Sums {
    row0_0: vec4<Acc>,
    row0_1: vec4<Acc>,
    row1_0: vec4<Acc>,
    row1_1: vec4<Acc>,
    row2_0: vec4<Acc>,
    row2_1: vec4<Acc>,
    row3_0: vec4<Acc>,
    row3_1: vec4<Acc>,
    row4_0: vec4<Acc>,
    row4_1: vec4<Acc>,
    row5_0: vec4<Acc>,
    row5_1: vec4<Acc>,
    row6_0: vec4<Acc>,
    row6_1: vec4<Acc>,
    row7_0: vec4<Acc>,
    row7_1: vec4<Acc>,
}

/// Adds the products of a stage, of the rows from vec4 `rows` of the tiles on, and the columns from
/// `columns` on.
fn add_step(before: Sums, rows: u32, columns: u32) -> Sums {
    var sums = before;
    for (var i = 0u; i < BK / SLICES; i += 1u) {
        let row = rows + i * (BM / 4u + 1u);
        let column = columns + i * (BN / 4u + 1u);
        let a0 = tiles[row];
        let a1 = tiles[row + BM / 8u];
        let b0 = tiles[column];
        let b1 = tiles[column + BN / 8u];
        sums.row0_0 = add_products(vec4<Acc>(a0.x), b0, sums.row0_0);
        sums.row0_1 = add_products(vec4<Acc>(a0.x), b1, sums.row0_1);
        sums.row1_0 = add_products(vec4<Acc>(a0.y), b0, sums.row1_0);
        sums.row1_1 = add_products(vec4<Acc>(a0.y), b1, sums.row1_1);
        sums.row2_0 = add_products(vec4<Acc>(a0.z), b0, sums.row2_0);
        sums.row2_1 = add_products(vec4<Acc>(a0.z), b1, sums.row2_1);
        sums.row3_0 = add_products(vec4<Acc>(a0.w), b0, sums.row3_0);
        sums.row3_1 = add_products(vec4<Acc>(a0.w), b1, sums.row3_1);
        sums.row4_0 = add_products(vec4<Acc>(a1.x), b0, sums.row4_0);
        sums.row4_1 = add_products(vec4<Acc>(a1.x), b1, sums.row4_1);
        sums.row5_0 = add_products(vec4<Acc>(a1.y), b0, sums.row5_0);
        sums.row5_1 = add_products(vec4<Acc>(a1.y), b1, sums.row5_1);
        sums.row6_0 = add_products(vec4<Acc>(a1.z), b0, sums.row6_0);
        sums.row6_1 = add_products(vec4<Acc>(a1.z), b1, sums.row6_1);
        sums.row7_0 = add_products(vec4<Acc>(a1.w), b0, sums.row7_0);
        sums.row7_1 = add_products(vec4<Acc>(a1.w), b1, sums.row7_1);
    }
    return sums;
}

/// Stores the sums to the matrix that begins at index `first`, from this row and column on. There is
/// one slice, whose sums are complete.
fn store_sums(sums: Sums, first: u32, row: u32, col: u32, slice: u32, lane: u32) {
    let lower = row + BM / 2u;
    let right = col + BN / 2u;
    store(first, row, col, sums.row0_0);
    store(first, row, right, sums.row0_1);
    store(first, row + 1u, col, sums.row1_0);
    store(first, row + 1u, right, sums.row1_1);
    store(first, row + 2u, col, sums.row2_0);
    store(first, row + 2u, right, sums.row2_1);
    store(first, row + 3u, col, sums.row3_0);
    store(first, row + 3u, right, sums.row3_1);
    store(first, lower, col, sums.row4_0);
    store(first, lower, right, sums.row4_1);
    store(first, lower + 1u, col, sums.row5_0);
    store(first, lower + 1u, right, sums.row5_1);
    store(first, lower + 2u, col, sums.row6_0);
    store(first, lower + 2u, right, sums.row6_1);
    store(first, lower + 3u, col, sums.row7_0);
    store(first, lower + 3u, right, sums.row7_1);
}
