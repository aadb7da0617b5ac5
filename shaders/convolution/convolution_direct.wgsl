// convolution_direct.wgsl — y = x * w where the window moves by one pixel, from patches of whole images.
//
// Op        ops::Convolution; ops::ConvolutionInputGrad, of which y is the result and x the cotangent
// Lib       grid, line, patches, wild
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, 1, rows, columns], y: [batch, groups · outputs, 1, y_rows,
//           y_columns], w: [groups · outputs, inputs, 1, ..window]; for the gradient outputs and
//           inputs of a group are transposed
// Dispatch  ceil(outputs / BM) × tiles of y × batch · groups workgroups of BM TILE_ROWS TILE_COLUMNS
//           / 64 invocations; numbered and folded over (x, y) if an axis is longer than 65535
// Memory    16 CHANNELS ((TILE_ROWS + WINDOW_ROWS - 1) (TILE_COLUMNS / 4 + 1)
//           + WINDOW_ROWS WINDOW_COLUMNS (BM / 4 + 1)) bytes of workgroup memory. An element of x is
//           loaded once for all taps; an invocation keeps 12 of a line in registers, for 8 positions
// Numerics  f32, one fma per term in the order of channel and tap, as in the tiles of convolution.wgsl
//           and convolution_input_grad.wgsl; of the gradient, a weight is not multiplied where it
//           meets no position, since 0 times infinity is NaN
// Source    Georganas et al. 2018, "Anatomy of high-performance deep learning convolutions on SIMD
//           architectures" (register blocks along a line, for all taps)

struct Params {
    rows: u32, // of an image of x
    columns: u32,
    y_rows: u32,
    y_columns: u32,
    low_rows: u32, // zeros before x; negative numbers wrap
    low_columns: u32,
    inputs: u32, // channels of x per group
    outputs: u32, // channels of y per group
    groups: u32,
    products: u32, // batch · groups
    w_input: u32, // from an input to the next in w
    w_output: u32, // from an output to the next
    across: u32, // tiles along a row of y
    grid_x: u32,
    grid_y: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> w: array<Elem>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// The weights of four outputs in a term; 0 if it is none, as the patch is, which adds nothing.
fn fetch_w(index: u32, output: u32, exists: bool) -> vec4<Acc> {
    if !exists { return vec4<Acc>(); }
    // An output past the last one reads that; it is not stored.
    let last = params.outputs - 1u;
    return vec4<Acc>(
        Acc(w[index + min(output, last) * params.w_output]),
        Acc(w[index + min(output + 1u, last) * params.w_output]),
        Acc(w[index + min(output + 2u, last) * params.w_output]),
        Acc(w[index + min(output + 3u, last) * params.w_output]),
    );
}

/// A line of y in a channel, from a column on.
struct Place {
    /// Index of the channel's first element.
    channel: u32,
    row: u32,
    column: u32,
    exists: bool,
}

fn store_one(to: Place, column: u32, acc: Acc) {
    if !to.exists || column >= params.y_columns { return; }
    let index = to.channel + to.row * params.y_columns + column;
    y[index] = epilogue(acc, index);
}

fn store(to: Place, left: vec4<Acc>, right: vec4<Acc>) {
    store_one(to, to.column, left.x);
    store_one(to, to.column + 1u, left.y);
    store_one(to, to.column + 2u, left.z);
    store_one(to, to.column + 3u, left.w);
    store_one(to, to.column + 4u, right.x);
    store_one(to, to.column + 5u, right.y);
    store_one(to, to.column + 6u, right.z);
    store_one(to, to.column + 7u, right.w);
}

/// The place of an output at a position, in a product.
fn place_of(product: u32, output: u32, row: u32, column: u32) -> Place {
    let positions = params.y_rows * params.y_columns;
    let channel = (product * params.outputs + output) * positions;
    return Place(channel, row, column, output < params.outputs && row < params.y_rows);
}

/// The sum of the products that exist: those of weights that meet an element of x.
fn sum_met(product: u32, w_first: u32, output: u32, row: u32, column: u32) -> Acc {
    var acc = Acc();
    for (var input = 0u; input < params.inputs; input += 1u) {
        let channel = (product * params.inputs + input) * params.rows;
        let weights = w_first + output * params.w_output + input * params.w_input;
        for (var tap = 0u; tap < WINDOW_ROWS * WINDOW_COLUMNS; tap += 1u) {
            let at_row = row + met(tap / WINDOW_COLUMNS, WINDOW_ROWS) - params.low_rows;
            let at_column =
                column + met(tap % WINDOW_COLUMNS, WINDOW_COLUMNS) - params.low_columns;
            if at_row >= params.rows || at_column >= params.columns { continue; }
            let element = Acc(x[(channel + at_row) * params.columns + at_column]);
            acc = fma(Acc(w[weights + tap]), element, acc);
        }
    }
    return acc;
}

@compute @workgroup_size(TILE_ROWS * TILE_COLUMNS / 8u, BM / 8u)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let product = at.z;
    let output0 = at.x * BM;
    let down = at.y / params.across;
    let top = down * TILE_ROWS;
    let left = (at.y - down * params.across) * TILE_COLUMNS;
    // The same for the whole workgroup: no barrier is skipped.
    if product >= params.products || output0 >= params.outputs || top >= params.y_rows { return; }

    // Neighbors have the same weights.
    let segments = TILE_ROWS * TILE_COLUMNS / 8u;
    let count = BM / 8u * segments;
    let segment = local % segments;
    let eight = local / segments;
    let row = segment / (TILE_COLUMNS / 8u);
    let column = segment % (TILE_COLUMNS / 8u) * 8u;

    let quads = CHANNELS * PATCH;
    let taps = WINDOW_ROWS * WINDOW_COLUMNS;
    let terms = CHANNELS * taps;
    let w_quads = terms * (BM / 4u);
    let w_first = product % params.groups * params.inputs * params.outputs * taps;

    var sums = Sums();
    var wild = 0u;
    for (var input0 = 0u; input0 < params.inputs; input0 += CHANNELS) {
        workgroupBarrier(); // the channels before were read
        // A constant number of turns, so that loads of several are in flight.
        for (var turn = 0u; turn < (quads + count - 1u) / count; turn += 1u) {
            let quad = local + turn * count;
            if quad < quads {
                let input = input0 + quad / PATCH;
                let rest = quad % PATCH;
                let at_row = top + rest / PITCH - params.low_rows;
                let at_column = left + rest % PITCH * 4u - params.low_columns;
                let exists = (input < params.inputs) & (at_row < params.rows);
                let line = (product * params.inputs + input) * params.rows + at_row;
                let index = line * params.columns + at_column;
                tiles[quad] = fetch_neighbors(index, at_column, exists);
            }
        }
        for (var turn = 0u; turn < (w_quads + count - 1u) / count; turn += 1u) {
            let quad = local + turn * count;
            if quad < w_quads {
                let term = quad % terms;
                let four = quad / terms;
                let input = input0 + term / taps;
                let weights = fetch_w(
                    w_first + input * params.w_input + term % taps,
                    output0 + 4u * four,
                    input < params.inputs,
                );
                if IS_FLIPPED { wild = wildest(wild, weights); }
                tiles[quads + term * W_PITCH + four] = weights;
            }
        }
        workgroupBarrier(); // these channels are complete
        for (var channel = 0u; channel < CHANNELS; channel += 1u) {
            for (var tap_row = 0u; tap_row < WINDOW_ROWS; tap_row += 1u) {
                let patch_row = row + met(tap_row, WINDOW_ROWS);
                let first = channel * PATCH + patch_row * PITCH + column / 4u;
                let line = Line(tiles[first], tiles[first + 1u], tiles[first + 2u]);
                let term = (channel * WINDOW_ROWS + tap_row) * WINDOW_COLUMNS;
                sums = add_line(sums, line, quads + term * W_PITCH + 2u * eight);
            }
        }
    }
    // Rare, and the same for the whole workgroup.
    if IS_FLIPPED && is_wild(wild, local, count) {
        for (var number = local; number < BM * TILE_ROWS * TILE_COLUMNS; number += count) {
            let output = output0 + number / (TILE_ROWS * TILE_COLUMNS);
            let at_row = top + number / TILE_COLUMNS % TILE_ROWS;
            let at_column = left + number % TILE_COLUMNS;
            let to = place_of(product, output, at_row, at_column);
            if to.exists {
                store_one(to, at_column, sum_met(product, w_first, output, at_row, at_column));
            }
        }
        return;
    }
    let output = output0 + 8u * eight;
    let y_row = top + row;
    let y_column = left + column;
    store(place_of(product, output, y_row, y_column), sums.row0_0, sums.row0_1);
    store(place_of(product, output + 1u, y_row, y_column), sums.row1_0, sums.row1_1);
    store(place_of(product, output + 2u, y_row, y_column), sums.row2_0, sums.row2_1);
    store(place_of(product, output + 3u, y_row, y_column), sums.row3_0, sums.row3_1);
    store(place_of(product, output + 4u, y_row, y_column), sums.row4_0, sums.row4_1);
    store(place_of(product, output + 5u, y_row, y_column), sums.row5_0, sums.row5_1);
    store(place_of(product, output + 6u, y_row, y_column), sums.row6_0, sums.row6_1);
    store(place_of(product, output + 7u, y_row, y_column), sums.row7_0, sums.row7_1);
}
