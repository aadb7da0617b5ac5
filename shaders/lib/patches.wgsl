// patches.wgsl — patches of images and the weights of a window, multiplied along lines.
//
// Memory    16 CHANNELS ((TILE_ROWS + WINDOW_ROWS - 1) (TILE_COLUMNS / 4 + 1)
//           + WINDOW_ROWS WINDOW_COLUMNS (BM / 4 + 1)) bytes of workgroup memory
// Numerics  one sum per element, of its terms in the order of line and column of the window

/// Outputs of a tile, and positions, in multiples of 8 along a row.
override BM: u32 = 64u;
override TILE_ROWS: u32 = 4u;
override TILE_COLUMNS: u32 = 32u;
/// Inputs per step.
override CHANNELS: u32 = 4u;
/// The window, of at most five columns.
override WINDOW_ROWS: u32 = 3u;
override WINDOW_COLUMNS: u32 = 3u;
/// Whether the window is flipped, as it is in the gradient.
override IS_FLIPPED: bool = false;

/// The number of a line or column of the patch that a tap meets.
fn met(tap: u32, window: u32) -> u32 {
    return select(tap, window - 1u - tap, IS_FLIPPED);
}

/// Vec4s of a line of a patch, and of the patch of an input.
override PITCH: u32 = TILE_COLUMNS / 4u + 1u;
override PATCH: u32 = (TILE_ROWS + WINDOW_ROWS - 1u) * PITCH;
/// Vec4s of the weights of a term: one more than there are keeps stores of neighbors off one bank.
override W_PITCH: u32 = BM / 4u + 1u;

// The patches of CHANNELS inputs, and behind them the weights of the outputs for every term.
var<workgroup> tiles: array<vec4<Acc>, CHANNELS * (PATCH + WINDOW_ROWS * WINDOW_COLUMNS * W_PITCH)>;

/// Twelve neighbors in a line of a patch.
struct Line {
    first: vec4<Acc>,
    second: vec4<Acc>,
    third: vec4<Acc>,
}

/// Four neighbors, `by` to the right of the first of eight.
fn shifted(left: vec4<Acc>, right: vec4<Acc>, by: u32) -> vec4<Acc> {
    switch by {
        case 0u: { return left; }
        case 1u: { return vec4<Acc>(left.yzw, right.x); }
        case 2u: { return vec4<Acc>(left.zw, right.xy); }
        case 3u: { return vec4<Acc>(left.w, right.xyz); }
        default: { return right; }
    }
}

/// Adds the products of a line with the weights of a tap, which begin at a vec4 of the tiles.
fn add_tap(sums: Sums, line: Line, weights: u32, tap: u32) -> Sums {
    let by = met(tap, WINDOW_COLUMNS);
    let place = weights + tap * W_PITCH;
    return add_term(
        sums,
        tiles[place],
        tiles[place + 1u],
        shifted(line.first, line.second, by),
        shifted(line.second, line.third, by),
    );
}

/// Adds the products of a line with the weights of all taps of a line of the window.
fn add_line(before: Sums, line: Line, weights: u32) -> Sums {
    var sums = add_tap(before, line, weights, 0u);
    if WINDOW_COLUMNS > 1u { sums = add_tap(sums, line, weights, 1u); }
    if WINDOW_COLUMNS > 2u { sums = add_tap(sums, line, weights, 2u); }
    if WINDOW_COLUMNS > 3u { sums = add_tap(sums, line, weights, 3u); }
    if WINDOW_COLUMNS > 4u { sums = add_tap(sums, line, weights, 4u); }
    return sums;
}
