// tile_4x4.wgsl — the sums of an invocation: four rows of four columns, in named vec4s.
//
// Numerics  one sum per element, of its terms in order
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles)

/// Rows and columns of an invocation.
const TM = 4u;
const TN = 4u;
/// Invocations for the same elements.
const SLICES = 1u;

/// Four columns of each row.
struct Sums {
    row0: vec4<Acc>,
    row1: vec4<Acc>,
    row2: vec4<Acc>,
    row3: vec4<Acc>,
}

/// Adds the products of a stage, of the rows from vec4 `rows` of the tiles on, and the columns from
/// `columns` on.
fn add_step(before: Sums, rows: u32, columns: u32) -> Sums {
    var sums = before;
    for (var i = 0u; i < BK / SLICES; i += 1u) {
        let row = rows + i * (BM / 4u + 1u);
        let column = columns + i * (BN / 4u + 1u);
        let a0 = tiles[row];
        let b0 = tiles[column];
        sums.row0 = add_products(vec4<Acc>(a0.x), b0, sums.row0);
        sums.row1 = add_products(vec4<Acc>(a0.y), b0, sums.row1);
        sums.row2 = add_products(vec4<Acc>(a0.z), b0, sums.row2);
        sums.row3 = add_products(vec4<Acc>(a0.w), b0, sums.row3);
    }
    return sums;
}

/// Stores the sums to the matrix that begins at index `first`, from this row and column on. There is
/// one slice, whose sums are complete.
fn store_sums(sums: Sums, first: u32, row0: u32, col0: u32, share: Share) {
    let row = row0 + share.row;
    let col = col0 + share.col;
    store(first, row, col, sums.row0);
    store(first, row + 1u, col, sums.row1);
    store(first, row + 2u, col, sums.row2);
    store(first, row + 3u, col, sums.row3);
}
