// attention_grad.wgsl — derivatives of attention by queries, keys or values, 32 rows a workgroup.
//
// Op        ops::AttentionGrad
// Lib       exp
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     q: [heads, t, d], k: [heads, s, d], v: [heads, s, e], logs: [heads, t] of the softmaxes,
//           ct: [heads, t, e], along: [heads, t], the sums of ct times the result; y as what it is the
//           derivative by; d and e at most 128
// Dispatch  heads · ceil(rows / 32) workgroups of 8 × 32 invocations, folded over (x, y) past 65535
// Memory    16 · WIDTH + 544 elements of workgroup memory; rows and columns of the score matrix are
//           computed anew, so that none of it is stored
// Numerics  f32, 16 terms at a time in their order
// Source    Dao et al. 2022, "FlashAttention", appendix B

struct Params {
    heads: u32,
    t: u32,
    s: u32,
    d: u32,
    e: u32,
    causal: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Elem>;
@group(0) @binding(2) var<storage, read> k: array<Elem>;
@group(0) @binding(3) var<storage, read> v: array<Elem>;
@group(0) @binding(4) var<storage, read> logs: array<f32>;
@group(0) @binding(5) var<storage, read> ct: array<Elem>;
@group(0) @binding(6) var<storage, read> along: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<Out>;

/// The larger of d and e, at least 1.
override WIDTH: u32 = 128u;
/// By what: queries (0), keys (1), values (2).
override BY: u32 = 0u;

/// Invocations a row, rows a workgroup, others a tile.
const LANES = 8u;
const ROWS = 32u;
const OTHERS = 16u;

/// The vectors of one step.
var<workgroup> tile: array<Acc, OTHERS * WIDTH>;
/// What the vectors of a step are weighted by.
var<workgroup> weights: array<Acc, ROWS * (OTHERS + 1u)>;

/// Rows are queries or keys, and the others keys or queries. Each has a vector in the scores, and one
/// in the derivatives by the weights: keys their values, queries their cotangents.
fn row_of_scores(index: u32) -> Acc {
    if BY == 0u { return Acc(q[index]); }
    return Acc(k[index]);
}

fn row_of_weights(index: u32) -> Acc {
    if BY == 0u { return Acc(ct[index]); }
    return Acc(v[index]);
}

fn other_of_scores(index: u32) -> Acc {
    if BY == 0u { return Acc(k[index]); }
    return Acc(q[index]);
}

fn other_of_weights(index: u32) -> Acc {
    if BY == 0u { return Acc(v[index]); }
    return Acc(ct[index]);
}

@compute @workgroup_size(LANES, ROWS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let rows = select(params.s, params.t, BY == 0u);
    let others = select(params.t, params.s, BY == 0u);
    let blocks = (rows + ROWS - 1u) / ROWS;
    let number = wid.x + wid.y * groups.x;
    if number >= params.heads * blocks { return; } // the same for the whole workgroup
    let head = number / blocks;
    let first = number % blocks * ROWS;
    let row = first + lid.y;
    // Rows past the end look at the last one, and store nothing.
    let at = head * rows + min(row, rows - 1u);
    let lane = lid.x;
    let mine = lid.y * (OTHERS + 1u);
    // Others that none of the rows see, or are seen by, are left out.
    let causal = params.causal == 1u;
    let begin = select(0u, first / OTHERS * OTHERS, causal && BY != 0u);
    let end = select(others, min(others, first + ROWS), causal && BY == 0u);
    let width = select(params.d, params.e, BY == 2u);

    var acc = array<vec4<Acc>, 4>();
    for (var o0 = begin; o0 < end; o0 += OTHERS) {
        var steep = array<Acc, 2>();
        if BY != 2u {
            for (var i = local; i < OTHERS * params.e; i += LANES * ROWS) {
                let other = o0 + i / params.e;
                var element = Acc(0);
                if other < others {
                    element = other_of_weights((head * others + other) * params.e + i % params.e);
                }
                tile[i] = element;
            }
            workgroupBarrier(); // the vectors of the weights are complete
            for (var j = 0u; j < 2u; j += 1u) {
                var product = Acc(0);
                for (var i = 0u; i < params.e; i += 1u) {
                    let element = tile[(lane + LANES * j) * params.e + i];
                    product = fma(row_of_weights(at * params.e + i), element, product);
                }
                steep[j] = product;
            }
            workgroupBarrier(); // they have been read
        }
        for (var i = local; i < OTHERS * params.d; i += LANES * ROWS) {
            let other = o0 + i / params.d;
            var element = Acc(0);
            if other < others {
                element = other_of_scores((head * others + other) * params.d + i % params.d);
            }
            tile[i] = element;
        }
        workgroupBarrier(); // the vectors of the scores are complete
        for (var j = 0u; j < 2u; j += 1u) {
            let other = o0 + lane + LANES * j;
            var weight = Acc(0);
            let query = select(other, row, BY == 0u);
            let key = select(row, other, BY == 0u);
            if other < others && row < rows && (!causal || key <= query) {
                var score = Acc(0);
                for (var i = 0u; i < params.d; i += 1u) {
                    let element = tile[(lane + LANES * j) * params.d + i];
                    score = fma(row_of_scores(at * params.d + i), element, score);
                }
                let index = head * params.t + query;
                weight = exponential(score * params.scale - logs[index]);
                if BY != 2u {
                    weight *= (steep[j] - along[index]) * params.scale;
                }
            }
            weights[mine + lane + LANES * j] = weight;
        }
        workgroupBarrier(); // the weights are complete, and the vectors of the scores have been read
        if BY == 2u {
            for (var i = local; i < OTHERS * params.e; i += LANES * ROWS) {
                let other = o0 + i / params.e;
                var element = Acc(0);
                if other < others {
                    element = other_of_weights((head * others + other) * params.e + i % params.e);
                }
                tile[i] = element;
            }
            workgroupBarrier(); // the cotangents are complete
        }
        for (var j = 0u; j < OTHERS; j += 1u) {
            let weight = weights[mine + j];
            for (var c = 0u; 32u * c < width; c += 1u) {
                // Past the end of a vector lies the next, whose products are not stored.
                let place = j * width + 32u * c + lane;
                let last = OTHERS * WIDTH - 1u;
                let elements = vec4<Acc>(
                    tile[min(place, last)],
                    tile[min(place + 8u, last)],
                    tile[min(place + 16u, last)],
                    tile[min(place + 24u, last)],
                );
                acc[c] = fma(vec4<Acc>(weight), elements, acc[c]);
            }
        }
        workgroupBarrier(); // tile and weights have been read
    }

    if row >= rows { return; }
    for (var c = 0u; c < 4u; c += 1u) {
        for (var part = 0u; part < 4u; part += 1u) {
            let column = 32u * c + 8u * part + lane;
            if column < width {
                let index = (head * rows + row) * width + column;
                y[index] = epilogue(acc[c][part], index);
            }
        }
    }
}
