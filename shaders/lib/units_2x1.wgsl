// units_2x1.wgsl — the sums of a subgroup: two matrices, one below the other.
//
// Numerics  those of units.wgsl

/// Rows and columns of a tile.
const TILE = 4u * EDGE;

struct Sums {
    s0: Sum,
    s1: Sum,
}

/// Adds the products of a step.
fn add_matrices(before: Sums, stage: u32, block: Block) -> Sums {
    var sums = before;
    for (var second = 0u; second < 2u; second += 1u) {
        let right = right(stage, block.col, second);
        sums.s0 = add(sums.s0, left(stage, block.row, second), right);
        sums.s1 = add(sums.s1, left(stage, block.row + 1u, second), right);
    }
    return sums;
}

/// Stores the sums of the tile from this row and column on.
fn store_matrices(sums: Sums, first: u32, row0: u32, col0: u32, block: Block) {
    store_matrix(sums.s0, 0u, 0u, first, row0, col0, block);
    store_matrix(sums.s1, 1u, 0u, first, row0, col0, block);
}
