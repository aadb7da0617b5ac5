// tile.wgsl — the product of two tiles: 4 EDGE × 4 EDGE sums per workgroup, 4 × 4 per invocation.
//
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory, 8.5 KiB for EDGE = 16
// Numerics  f32, one fma per term in order
// Source    Volkov & Demmel 2008, "Benchmarking GPUs to tune dense linear algebra" (register
//           tiles)

/// Edge of the square of invocations, and terms per step: each invocation loads one vec4 of
/// either operand.
override EDGE: u32 = 16u;

// Element [p · (EDGE + 1) + q] holds rows (columns) 4q .. 4q + 3 of term p. The odd row length
// keeps stores along p off one memory bank.
var<workgroup> rows_tile: array<vec4<Acc>, EDGE * (EDGE + 1u)>;
var<workgroup> columns_tile: array<vec4<Acc>, EDGE * (EDGE + 1u)>;

/// The sums of an invocation: row by row, four neighboring columns each.
struct Sums {
    row0: vec4<Acc>,
    row1: vec4<Acc>,
    row2: vec4<Acc>,
    row3: vec4<Acc>,
}

/// Writes rows 4 quad .. 4 quad + 3 of a term to the tile.
fn put_rows(term: u32, quad: u32, elements: vec4<Acc>) {
    rows_tile[term * (EDGE + 1u) + quad] = elements;
}

/// Writes columns 4 quad .. 4 quad + 3 of a term to the tile.
fn put_columns(term: u32, quad: u32, elements: vec4<Acc>) {
    columns_tile[term * (EDGE + 1u) + quad] = elements;
}

/// Adds the products of the tiles, for rows 4 at.y and columns 4 at.x and the three next to each.
fn add_products(before: Sums, at: vec3<u32>) -> Sums {
    var sums = before;
    workgroupBarrier(); // the tiles are complete
    for (var i = 0u; i < EDGE; i += 1u) {
        let rows = rows_tile[i * (EDGE + 1u) + at.y];
        let columns = columns_tile[i * (EDGE + 1u) + at.x];
        sums.row0 = fma(vec4<Acc>(rows.x), columns, sums.row0);
        sums.row1 = fma(vec4<Acc>(rows.y), columns, sums.row1);
        sums.row2 = fma(vec4<Acc>(rows.z), columns, sums.row2);
        sums.row3 = fma(vec4<Acc>(rows.w), columns, sums.row3);
    }
    workgroupBarrier(); // the tiles may be overwritten
    return sums;
}
