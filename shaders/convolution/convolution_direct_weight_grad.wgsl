// convolution_direct_weight_grad.wgsl — w = ct * x where the window moves by one pixel, from patches of images.
//
// Op        ops::ConvolutionWeightGrad; ops::ConvolutionGrads, with the gradient of the bias
// Lib       bias, grid, line, parts, patch_terms, weight, weight_and_bias
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, 1, rows, columns], ct: [batch, groups · outputs, 1, y_rows,
//           y_columns], of which y_columns is a multiple of 4, w: [groups · outputs, inputs, 1,
//           ..window]; several of w, one after another, where terms are in parts
// Dispatch  ceil(outputs / BM) × ceil(inputs / CHANNELS) × groups · parts workgroups of
//           BM CHANNELS / 4 invocations; numbered and folded over (x, y) if an axis is longer than
//           65535
// Memory    16 (TILE_COLUMNS (BM / 4 + 1) + CHANNELS WINDOW_ROWS (TILE_COLUMNS / 4 + 1)) bytes of
//           workgroup memory. An element of x is loaded once for all taps; an invocation sums four
//           outputs at every tap of an input
// Numerics  f32, one fma per term in the order of image and position, as in the tiles of
//           convolution_weight_grad.wgsl
// Source    as convolution_direct.wgsl

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
    terms: u32,
    part: u32, // terms of a part
    grid_x: u32,
    grid_y: u32,
    ct_len: u32, // elements of ct
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;

/// The cotangents of four outputs at a position. Of outputs past the last one it reads anything; they are
/// not stored.
fn fetch_ct(index: u32) -> vec4<Acc> {
    let next = params.y_rows * params.y_columns;
    let last = params.ct_len - 1u;
    return vec4<Acc>(
        Acc(ct[min(index, last)]),
        Acc(ct[min(index + next, last)]),
        Acc(ct[min(index + 2u * next, last)]),
        Acc(ct[min(index + 3u * next, last)]),
    );
}

fn store_one(output: u32, index: u32, acc: Acc) {
    if output < params.outputs { write_weight(acc, index); }
}

/// Stores the sums of four outputs at a tap; an output follows another `next` elements later.
fn store(output: u32, index: u32, next: u32, acc: vec4<Acc>) {
    store_one(output, index, acc.x);
    store_one(output + 1u, index + next, acc.y);
    store_one(output + 2u, index + 2u * next, acc.z);
    store_one(output + 3u, index + 3u * next, acc.w);
}

/// Stores the sums of a line of the window.
fn store_line(output: u32, index: u32, next: u32, sums: Taps) {
    store(output, index, next, sums.tap0);
    if WINDOW_COLUMNS > 1u { store(output, index + 1u, next, sums.tap1); }
    if WINDOW_COLUMNS > 2u { store(output, index + 2u, next, sums.tap2); }
}

@compute @workgroup_size(BM / 4u, CHANNELS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let output0 = at.x * BM;
    let input0 = at.y * CHANNELS;
    let part = own_part(at.z, params.groups, params.terms, params.part);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || output0 >= params.outputs || input0 >= params.inputs { return; }

    let count = BM / 4u * CHANNELS;
    let four = local % (BM / 4u);
    let channel = local / (BM / 4u);
    let quads = CHANNELS * PATCH;
    let positions = params.y_rows * params.y_columns;

    // Neighbors load the patch of the input that they multiply.
    let has_input = input0 + channel < params.inputs;
    let x_own = channel * params.rows * params.columns;
    // The position that an invocation loads, and the first four outputs.
    let position = local % LANES;
    let own_four = local / LANES;
    let ct_own = position + (output0 + 4u * own_four) * positions;
    let ct_place = quads + position * CT_PITCH + own_four;

    let has_rows = sums_rows(local, input0);
    var row_sums = vec4<Acc>();
    var row0 = Taps();
    var row1 = Taps();
    var row2 = Taps();
    var image = part.begin / positions;
    var row = (part.begin - image * positions) / params.y_columns;
    var column = part.begin - image * positions - row * params.y_columns;
    for (var k0 = part.begin; k0 < part.end; ) {
        // Positions of one line.
        let length = min(min(TILE_COLUMNS, params.y_columns - column), part.end - k0);
        let x_channel = (image * params.groups + part.product) * params.inputs + input0;
        let ct_channel = (image * params.groups + part.product) * params.outputs;
        workgroupBarrier(); // the positions before were read
        let x_line = (x_channel * params.rows + row - params.low_rows) * params.columns + column
            - params.low_columns;
        for (var turn = 0u; turn < (PATCH + BM / 4u - 1u) / (BM / 4u); turn += 1u) {
            let quad = four + turn * (BM / 4u);
            if quad < PATCH {
                let at_row = quad / PITCH;
                let at_column = quad % PITCH * 4u;
                let is_inside = has_input & (row + at_row - params.low_rows < params.rows);
                let index = x_line + x_own + at_row * params.columns + at_column;
                let x_column = column + at_column - params.low_columns;
                tiles[channel * PATCH + quad] = fetch_neighbors(index, x_column, is_inside);
            }
        }
        let ct_line = (ct_channel * params.y_rows + row) * params.y_columns + column;
        for (var turn = 0u; turn < BM * LANES / 4u / count; turn += 1u) {
            let fours = turn * (count / LANES);
            let index = ct_line + 4u * fours * positions + ct_own;
            if position < TILE_COLUMNS {
                tiles[ct_place + fours] = fetch_ct(index);
            }
        }
        workgroupBarrier(); // these positions are complete
        for (var quad = 0u; quad < length / 4u; quad += 1u) {
            let ct = cotangents(quads + 4u * quad * CT_PITCH + four);
            let line = channel * PATCH + quad;
            row0 = add_positions(row0, ct, line);
            if WINDOW_ROWS > 1u { row1 = add_positions(row1, ct, line + PITCH); }
            if WINDOW_ROWS > 2u { row2 = add_positions(row2, ct, line + 2u * PITCH); }
        }
        if has_rows {
            // In a loop of its own, which the others skip: in the one above it would be a selection.
            for (var at_position = 0u; at_position < length; at_position += 1u) {
                row_sums += tiles[quads + at_position * CT_PITCH + four];
            }
        }
        k0 += length;
        column += length;
        if column == params.y_columns {
            column = 0u;
            row += 1u;
            if row == params.y_rows {
                row = 0u;
                image += 1u;
            }
        }
    }
    let input = input0 + channel;
    if input >= params.inputs { return; }
    let output = output0 + 4u * four;
    if has_rows { store_rows(at.z * params.outputs, output, params.outputs, row_sums); }
    let next = params.inputs * WINDOW_ROWS * WINDOW_COLUMNS;
    let index =
        (at.z * params.outputs + output) * next + input * WINDOW_ROWS * WINDOW_COLUMNS;
    store_line(output, index, next, row0);
    if WINDOW_ROWS > 1u { store_line(output, index + WINDOW_COLUMNS, next, row1); }
    if WINDOW_ROWS > 2u { store_line(output, index + 2u * WINDOW_COLUMNS, next, row2); }
}
