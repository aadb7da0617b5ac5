// convolution_i8.wgsl — y = x * w of bytes as an implicit product, by tiles of 4 EDGE × 4 EDGE.
//
// Op        ops::ConvolutionI8
// Lib       divide, unravel
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, ..x, groups · words], w: [groups · outputs, ..window, words], four bytes
//           per word, the first in the lowest bits; y: [batch, ..y, groups · outputs]; for each
//           group a product of [batch · positions, terms] and [terms, outputs], where
//           terms = taps · words
// Dispatch  groups · ceil(rows / 4 EDGE) · ceil(outputs / 4 EDGE) workgroups of EDGE² invocations,
//           numbered row-major and folded over (x, y) past 65535
// Memory    2 · EDGE · (EDGE + 1) · 16 bytes of workgroup memory; the matrix of terms is never
//           written
// Numerics  32-bit integers, which wrap
// Source    the tiles of matmul_i8.wgsl, over the unfolded input as in convolution.wgsl

struct Params {
    x: vec3<u32>, // extents: depth, height, width
    groups: u32,
    y: vec3<u32>,
    words: u32, // per group, at each element of x
    window: vec3<u32>,
    outputs: u32, // channels of y per group
    stride: vec3<u32>,
    terms: u32,
    dilation: vec3<u32>,
    rows: u32, // batch · positions
    low: vec3<u32>, // zeros before x
    pixels: u32, // elements of an image of x
    y_multiplier: vec3<u32>,
    word_multiplier: u32,
    y_shift: vec3<u32>,
    word_shift: u32,
    window_multiplier: vec3<u32>,
    window_shift: vec3<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

/// Edge of the square of invocations, and words per step.
override EDGE: u32 = 8u;

// Element [p · (EDGE + 1) + q] holds rows (columns) 4q .. 4q + 3 of term p.
var<workgroup> x_tile: array<vec4<u32>, EDGE * (EDGE + 1u)>;
var<workgroup> w_tile: array<vec4<u32>, EDGE * (EDGE + 1u)>;

/// A position of one image.
struct Row {
    /// Coordinates of tap 0; negative numbers wrap, and so lie past every extent.
    origin: vec3<u32>,
    /// The first element of the image.
    image: u32,
}

fn row_at(number: u32) -> Row {
    // Past the last row everything lies outside of x.
    if number >= params.rows { return Row(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.y, params.y_multiplier, params.y_shift);
    return Row(at.xyz * params.stride - params.low, at.w * params.pixels);
}

/// Zero outside of x, which adds nothing.
fn x_at(row: Row, tap: vec3<u32>, group: u32, word: u32) -> u32 {
    let at = row.origin + tap;
    if any(at >= params.x) { return 0u; }
    let pixel = row.image + (at.x * params.x.y + at.y) * params.x.z + at.z;
    return x[(pixel * params.groups + group) * params.words + word];
}

fn w_at(group: u32, column: u32, term: u32) -> u32 {
    if column < params.outputs && term < params.terms {
        return w[(group * params.outputs + column) * params.terms + term];
    }
    return 0u;
}

/// One row of four columns.
fn dots(row: u32, columns: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(row, columns.x),
        dot4I8Packed(row, columns.y),
        dot4I8Packed(row, columns.z),
        dot4I8Packed(row, columns.w),
    );
}

fn store(group: u32, row: u32, column: u32, acc: vec4<i32>) {
    if row >= params.rows { return; }
    let index = (row * params.groups + group) * params.outputs + column;
    if column < params.outputs { y[index] = epilogue(acc.x, index); }
    if column + 1u < params.outputs { y[index + 1u] = epilogue(acc.y, index + 1u); }
    if column + 2u < params.outputs { y[index + 2u] = epilogue(acc.z, index + 2u); }
    if column + 3u < params.outputs { y[index + 3u] = epilogue(acc.w, index + 3u); }
}

@compute @workgroup_size(EDGE, EDGE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let tile = 4u * EDGE;
    let across = (params.outputs + tile - 1u) / tile;
    let down = (params.rows + tile - 1u) / tile;
    let number = wid.x + wid.y * groups.x;
    // The same for the whole workgroup: no barrier is skipped.
    if number >= params.groups * down * across { return; }
    let group = number / (down * across);
    let row0 = number / across % down * tile + 4u * lid.y;
    let col0 = number % across * tile;
    let of0 = row_at(row0);
    let of1 = row_at(row0 + 1u);
    let of2 = row_at(row0 + 2u);
    let of3 = row_at(row0 + 3u);

    var acc0 = vec4<i32>();
    var acc1 = vec4<i32>();
    var acc2 = vec4<i32>();
    var acc3 = vec4<i32>();
    for (var k0 = 0u; k0 < params.terms; k0 += EDGE) {
        // Neighboring invocations load neighboring words.
        let term = k0 + lid.x;
        let place = lid.x * (EDGE + 1u) + lid.y;
        let tap_number = divide(term, params.word_multiplier, params.word_shift);
        let word = term - tap_number * params.words;
        let at =
            unravel(tap_number, params.window, params.window_multiplier, params.window_shift);
        // Past the last tap everything lies outside of x.
        let tap = select(at.xyz * params.dilation, vec3<u32>(0x40000000u), at.w > 0u);
        x_tile[place] = vec4<u32>(
            x_at(of0, tap, group, word),
            x_at(of1, tap, group, word),
            x_at(of2, tap, group, word),
            x_at(of3, tap, group, word),
        );
        let column = col0 + 4u * lid.y;
        w_tile[place] = vec4<u32>(
            w_at(group, column, term),
            w_at(group, column + 1u, term),
            w_at(group, column + 2u, term),
            w_at(group, column + 3u, term),
        );
        workgroupBarrier(); // the tiles are complete
        for (var i = 0u; i < EDGE; i += 1u) {
            let rows = x_tile[i * (EDGE + 1u) + lid.y];
            let columns = w_tile[i * (EDGE + 1u) + lid.x];
            acc0 += dots(rows.x, columns);
            acc1 += dots(rows.y, columns);
            acc2 += dots(rows.z, columns);
            acc3 += dots(rows.w, columns);
        }
        workgroupBarrier(); // the tiles may be overwritten
    }

    let col = col0 + 4u * lid.x;
    store(group, row0, col, acc0);
    store(group, row0 + 1u, col, acc1);
    store(group, row0 + 2u, col, acc2);
    store(group, row0 + 3u, col, acc3);
}
