// units_4x2.wgsl — the sums of a subgroup: four matrices down, two across.
//
// Numerics  those of units.wgsl

/// Rows and columns of a tile.
const TILE = 8u * EDGE;

struct Sums {
    s00: Sum,
    s01: Sum,
    s10: Sum,
    s11: Sum,
    s20: Sum,
    s21: Sum,
    s30: Sum,
    s31: Sum,
}

/// Adds the products of a step.
fn add_matrices(before: Sums, stage: u32, block: Block) -> Sums {
    var sums = before;
    for (var second = 0u; second < 2u; second += 1u) {
        let right0 = right(stage, block.col, second);
        let right1 = right(stage, block.col + 1u, second);
        let left0 = left(stage, block.row, second);
        sums.s00 = add(sums.s00, left0, right0);
        sums.s01 = add(sums.s01, left0, right1);
        let left1 = left(stage, block.row + 1u, second);
        sums.s10 = add(sums.s10, left1, right0);
        sums.s11 = add(sums.s11, left1, right1);
        let left2 = left(stage, block.row + 2u, second);
        sums.s20 = add(sums.s20, left2, right0);
        sums.s21 = add(sums.s21, left2, right1);
        let left3 = left(stage, block.row + 3u, second);
        sums.s30 = add(sums.s30, left3, right0);
        sums.s31 = add(sums.s31, left3, right1);
    }
    return sums;
}

/// Stores the sums of the tile from this row and column on.
fn store_matrices(sums: Sums, first: u32, row0: u32, col0: u32, block: Block) {
    store_matrix(sums.s00, 0u, 0u, first, row0, col0, block);
    store_matrix(sums.s01, 0u, 1u, first, row0, col0, block);
    store_matrix(sums.s10, 1u, 0u, first, row0, col0, block);
    store_matrix(sums.s11, 1u, 1u, first, row0, col0, block);
    store_matrix(sums.s20, 2u, 0u, first, row0, col0, block);
    store_matrix(sums.s21, 2u, 1u, first, row0, col0, block);
    store_matrix(sums.s30, 3u, 0u, first, row0, col0, block);
    store_matrix(sums.s31, 3u, 1u, first, row0, col0, block);
}
