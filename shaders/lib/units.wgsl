// units.wgsl — tiles of two operands, and what a subgroup adds up of them on a matrix unit.
//
// Shape     EDGE and the types of matrices are those of units_8x8 or units_16x16
// Memory    32 TILE (EDGE / 2 + 2) bytes of workgroup memory for the tiles, 32 EDGE² for results
// Numerics  exact products of halves; a unit sums EDGE of them at once, and may truncate

/// Invocations of a subgroup.
override LANES: u32 = 32u;
/// a is stored as [m, k]; b is stored as [n, k].
override A_ALONG_K: bool = true;
override B_ALONG_K: bool = false;
/// Each operand is a sum of high and low halves.
override IS_SPLIT: bool = false;
/// Quads of each operand that an invocation moves in a step, four at most.
override QUADS: u32 = 4u;

/// Subgroups, and their rows.
const SUBGROUPS = 8u;
const DOWN = 2u;
/// Terms per step: two matrices.
const BK = 2u * EDGE;
/// Vec4s from a line of a tile to the next, or from a term to the next: two more than it has keep
/// neighbors off the same memory banks. Constants tell compilers how addresses are aligned, and they
/// load a matrix at once.
const LINE = BK / 4u + 2u;
const TERM = TILE / 4u + 2u;
/// Vec4s of the tile of an operand.
const OPERAND = TILE * LINE;
/// From a stage to the other, or from the high halves to the low ones.
const OTHER = 2u * OPERAND;

var<workgroup> tiles: array<vec4<Elem>, 2u * OTHER>;
/// A matrix of each subgroup, on its way to the epilogue.
var<workgroup> results: array<vec4<Acc>, SUBGROUPS * EDGE * EDGE / 4u>;

/// Four neighbors in memory: terms of one row (column), or rows (columns) of one term.
struct Quad {
    term: u32,
    line: u32,
}

/// Quad `index` of an invocation.
fn quad_of(local: u32, index: u32, along_k: bool) -> Quad {
    let number = local + index * SUBGROUPS * LANES;
    if along_k { return Quad(number % (BK / 4u) * 4u, number / (BK / 4u)); }
    return Quad(number / (TILE / 4u), number % (TILE / 4u) * 4u);
}

/// The quads of an operand that an invocation moves in a step: one, two or four.
struct Quads {
    q0: vec4<Elem>,
    q1: vec4<Elem>,
    q2: vec4<Elem>,
    q3: vec4<Elem>,
}

/// Where a quad lies in the tile of its operand.
fn place_of(quad: Quad, along_k: bool) -> u32 {
    if along_k { return quad.line * LINE + quad.term / 4u; }
    return quad.term * TERM + quad.line / 4u;
}

/// Writes quads to the tile from `first` on.
fn keep_quads(first: u32, quads: Quads, local: u32, along_k: bool) {
    tiles[first + place_of(quad_of(local, 0u, along_k), along_k)] = quads.q0;
    if QUADS > 1u { tiles[first + place_of(quad_of(local, 1u, along_k), along_k)] = quads.q1; }
    if QUADS > 2u { tiles[first + place_of(quad_of(local, 2u, along_k), along_k)] = quads.q2; }
    if QUADS > 3u { tiles[first + place_of(quad_of(local, 3u, along_k), along_k)] = quads.q3; }
}

/// The elements of a step that an invocation has loaded: quads of both operands, and of their low halves.
struct Loaded {
    a: Quads,
    b: Quads,
    a_low: Quads,
    b_low: Quads,
}

/// Writes what was loaded to a stage.
fn keep_operands(stage: u32, loaded: Loaded, local: u32) {
    keep_quads(stage * OTHER, loaded.a, local, A_ALONG_K);
    keep_quads(stage * OTHER + OPERAND, loaded.b, local, B_ALONG_K);
    if IS_SPLIT {
        keep_quads(OTHER, loaded.a_low, local, A_ALONG_K);
        keep_quads(OTHER + OPERAND, loaded.b_low, local, B_ALONG_K);
    }
}

/// Sums terms `begin` .. `end` of a subgroup's block. `load` returns the quads of an invocation in the
/// step of a term; terms that do not exist are 0 in both operands, which adds nothing.
fn sum_matrices(loader: Loader, local: u32, block: Block, begin: u32, end: u32) -> Sums {
    var sums = Sums();
    var loaded = Loaded();
    if begin < end { loaded = load(loader, local, begin); }
    var stage = 0u;
    for (var k0 = begin; k0 < end; k0 += BK) {
        keep_operands(stage, loaded, local);
        workgroupBarrier(); // this stage is complete, and nobody reads the other any more
        // The next step is on its way during the arithmetic of this one.
        loaded = load(loader, local, k0 + BK);
        sums = add_matrices(sums, stage, block);
        if IS_SPLIT {
            workgroupBarrier(); // the low halves are where the other stage would be
        } else {
            stage = 1u - stage;
        }
    }
    return sums;
}

/// The block of a tile that a subgroup sums.
struct Block {
    /// Its first row and column of matrices in the tile.
    row: u32,
    col: u32,
    subgroup: u32,
    lane: u32,
}

fn block_of(local: u32) -> Block {
    let subgroup = local / LANES;
    let row = subgroup % DOWN * (TILE / EDGE / DOWN);
    let col = subgroup / DOWN * (TILE / EDGE / (SUBGROUPS / DOWN));
    return Block(row, col, subgroup, local % LANES);
}

/// Where matrix `line` of a tile begins, of the first EDGE terms or the second.
fn matrix_at(line: u32, second: u32, along_k: bool) -> u32 {
    if along_k { return line * (EDGE * LINE) + second * (EDGE / 4u); }
    return line * (EDGE / 4u) + second * (EDGE * TERM);
}

/// EDGE rows of EDGE terms.
struct Left {
    high: LeftMatrix,
    low: LeftMatrix,
}

/// EDGE columns of EDGE terms.
struct Right {
    high: RightMatrix,
    low: RightMatrix,
}

fn left_matrix(stage: u32, row: u32, second: u32) -> LeftMatrix {
    let begin = stage * OTHER + matrix_at(row, second, A_ALONG_K);
    if A_ALONG_K { return coopLoadT<LeftMatrix>(&tiles[begin], LINE); }
    return coopLoad<LeftMatrix>(&tiles[begin], TERM);
}

fn right_matrix(stage: u32, col: u32, second: u32) -> RightMatrix {
    let begin = stage * OTHER + OPERAND + matrix_at(col, second, B_ALONG_K);
    if B_ALONG_K { return coopLoad<RightMatrix>(&tiles[begin], LINE); }
    return coopLoadT<RightMatrix>(&tiles[begin], TERM);
}

/// Row `row` of matrices, of the first terms or the second.
fn left(stage: u32, row: u32, second: u32) -> Left {
    var left = Left();
    left.high = left_matrix(stage, row, second);
    if IS_SPLIT { left.low = left_matrix(1u, row, second); }
    return left;
}

/// Column `col` of matrices, of the first terms or the second.
fn right(stage: u32, col: u32, second: u32) -> Right {
    var right = Right();
    right.high = right_matrix(stage, col, second);
    if IS_SPLIT { right.low = right_matrix(1u, col, second); }
    return right;
}

/// Adds EDGE terms. Of split operands, the small products come first, and the sum of all three is added
/// as f32: what the unit truncates does not accumulate.
fn add(sum: Sum, left: Left, right: Right) -> Sum {
    if !IS_SPLIT { return coopMultiplyAdd(left.high, right.high, sum); }
    var terms = coopMultiplyAdd(left.low, right.high, Sum());
    terms = coopMultiplyAdd(left.high, right.low, terms);
    return sum + coopMultiplyAdd(left.high, right.high, terms);
}

/// Stores matrix (down, across) of a subgroup's block of the tile at this row and column.
fn store_matrix(sum: Sum, down: u32, across: u32, first: u32, row0: u32, col0: u32, block: Block) {
    let row = row0 + (block.row + down) * EDGE;
    let col = col0 + (block.col + across) * EDGE;
    let begin = block.subgroup * (EDGE * EDGE / 4u);
    let matrix = sum;
    let place = &results[begin];
    coopStoreT(matrix, place, EDGE / 4u);
    workgroupBarrier(); // the matrix is complete
    for (var n = block.lane; n < EDGE * EDGE / 4u; n += LANES) {
        store(first, row + n / (EDGE / 4u), col + n % (EDGE / 4u) * 4u, results[begin + n]);
    }
    workgroupBarrier(); // and has been read before the next one comes
}
