// patch_terms.wgsl — cotangents along a line, and the patches of images that a window meets there.
//
// Memory    16 (TILE_COLUMNS (BM / 4 + 1) + CHANNELS WINDOW_ROWS (TILE_COLUMNS / 4 + 1)) bytes of
//           workgroup memory
// Numerics  one sum per element, of its terms in the order of position

/// Outputs of a tile.
override BM: u32 = 64u;
/// Inputs of a tile.
override CHANNELS: u32 = 8u;
/// Positions per step: four neighbors in a line, several times.
override TILE_COLUMNS: u32 = 32u;
/// The window, of at most three rows and columns.
override WINDOW_ROWS: u32 = 3u;
override WINDOW_COLUMNS: u32 = 3u;

/// Vec4s of a line of a patch, and of the patch of an input.
override PITCH: u32 = TILE_COLUMNS / 4u + 1u;
override PATCH: u32 = WINDOW_ROWS * PITCH;
/// Vec4s of the cotangents of a position: one more than there are keeps stores of neighbors off one bank.
override CT_PITCH: u32 = BM / 4u + 1u;
/// Neighboring positions that invocations load at once, of one or several fours of outputs.
const LANES: u32 = 32u;

// The patches of CHANNELS inputs, and behind them the cotangents of every position.
var<workgroup> tiles: array<vec4<Acc>, CHANNELS * PATCH + TILE_COLUMNS * CT_PITCH>;

/// The sums of four outputs at the taps of a line of the window.
struct Taps {
    tap0: vec4<Acc>,
    tap1: vec4<Acc>,
    tap2: vec4<Acc>,
}

/// Adds the products of four cotangents with what the taps of a line meet.
fn add_position(before: Taps, ct: vec4<Acc>, x0: Acc, x1: Acc, x2: Acc) -> Taps {
    var sums = before;
    sums.tap0 = add_products(ct, vec4<Acc>(x0), sums.tap0);
    if WINDOW_COLUMNS > 1u { sums.tap1 = add_products(ct, vec4<Acc>(x1), sums.tap1); }
    if WINDOW_COLUMNS > 2u { sums.tap2 = add_products(ct, vec4<Acc>(x2), sums.tap2); }
    return sums;
}

/// The cotangents of four outputs at four positions.
struct Cotangents {
    at0: vec4<Acc>,
    at1: vec4<Acc>,
    at2: vec4<Acc>,
    at3: vec4<Acc>,
}

fn cotangents(first: u32) -> Cotangents {
    return Cotangents(
        tiles[first],
        tiles[first + CT_PITCH],
        tiles[first + 2u * CT_PITCH],
        tiles[first + 3u * CT_PITCH],
    );
}

/// Adds the products of four positions with a line of a patch, from vec4 `line` of the tiles on.
fn add_positions(before: Taps, ct: Cotangents, line: u32) -> Taps {
    let left = tiles[line];
    let right = tiles[line + 1u];
    var sums = add_position(before, ct.at0, left.x, left.y, left.z);
    sums = add_position(sums, ct.at1, left.y, left.z, left.w);
    sums = add_position(sums, ct.at2, left.z, left.w, right.x);
    return add_position(sums, ct.at3, left.w, right.x, right.y);
}
