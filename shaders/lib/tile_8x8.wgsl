// tile_8x8.wgsl — the terms of a stage, summed to eight rows of eight columns an invocation.
//
// Numerics  one sum per element, of its terms in order

/// Rows and columns of an invocation. The second four rows are half a tile below the first, and the
/// second four columns half a tile to the right.
const TM = 8u;
const TN = 8u;
/// Invocations for the same elements.
const SLICES = 1u;

/// Adds the products of a stage, of the rows from vec4 `rows` of the tiles on, and the columns from
/// `columns` on.
fn add_step(before: Sums, rows: u32, columns: u32) -> Sums {
    var sums = before;
    for (var i = 0u; i < BK / SLICES; i += 1u) {
        let row = rows + i * (BM / 4u + 1u);
        let column = columns + i * (BN / 4u + 1u);
        sums = add_term(
            sums,
            tiles[row],
            tiles[row + BM / 8u],
            tiles[column],
            tiles[column + BN / 8u],
        );
    }
    return sums;
}

/// Stores the sums to the matrix that begins at index `first`, from this row and column on. There is
/// one slice, whose sums are complete.
fn store_sums(sums: Sums, first: u32, row0: u32, col0: u32, share: Share) {
    let row = row0 + share.row;
    let col = col0 + share.col;
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
