// attention_grad.wgsl — gradients of attention w.r.t. queries, keys or values, by 32 rows.
//
// Op        ops::AttentionGrad
// Lib       attention, exp
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     q: [heads, t, d], k: [heads / group, s, d], v: [heads / group, s, e]; rows: [heads, t,
//           e + 2], for each query the cotangent, the logarithm of its softmax denominator, and
//           the sum of the cotangent times the result; y has the shape of the operand
//           differentiated; d and e at most 128; mask: with the strides in Params; draw:
//           [heads, 4], two words of key, the counter and the index of the first weight
// Dispatch  one workgroup of 8 × 32 invocations per 32 rows of a head, folded over (x, y)
//           past 65535
// Memory    16 · WIDTH + 544 elements of workgroup memory; the score matrix is recomputed by
//           tiles and never stored
// Numerics  f32, 16 terms at a time in order; a query that sees no key contributes nothing
// Source    Dao et al. 2022, "FlashAttention", appendix B

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Elem>;
@group(0) @binding(2) var<storage, read> k: array<Elem>;
@group(0) @binding(3) var<storage, read> v: array<Elem>;
@group(0) @binding(4) var<storage, read> rows: array<f32>;
@group(0) @binding(5) var<storage, read> mask: array<u32>;
@group(0) @binding(6) var<storage, read> draw: array<u32>;
@group(0) @binding(7) var<storage, read_write> y: array<Out>;

/// The larger of d and e, at least 1.
override WIDTH: u32 = 128u;
/// The operand differentiated: queries (0), keys (1), values (2).
override BY: u32 = 0u;
/// The kind of mask: none (0), of booleans (1), or of numbers (2), as their bits.
override MASK: u32 = 0u;

/// The vectors of one step.
var<workgroup> tile: array<Acc, COLUMNS * WIDTH>;
/// The weights of the vectors of a step.
var<workgroup> weights: array<Acc, ROWS * (COLUMNS + 1u)>;

/// Rows are queries or keys, columns keys or queries. Each has a vector in the scores, and one
/// in the derivatives w.r.t. the weights: keys their values, queries their cotangents.
fn vector_of_scores(of_query: bool, vector: u32, element: u32) -> Acc {
    if of_query { return Acc(q[vector * params.d + element]); }
    return Acc(k[vector * params.d + element]);
}

fn vector_of_weights(of_query: bool, vector: u32, element: u32) -> Acc {
    if of_query { return rows[vector * (params.e + 2u) + element]; }
    return Acc(v[vector * params.e + element]);
}

/// Elements place, place + 8, .. of the tile. Past the end of a vector is the next, whose products are
/// not stored.
fn elements_at(place: u32) -> vec4<Acc> {
    let last = COLUMNS * WIDTH - 1u;
    return vec4<Acc>(
        tile[min(place, last)],
        tile[min(place + 8u, last)],
        tile[min(place + 16u, last)],
        tile[min(place + 24u, last)],
    );
}

/// Stores columns column, column + 8, .. of a row of the result that begins at this index.
fn store_columns(row: u32, column: u32, width: u32, elements: vec4<Acc>) {
    if column < width { y[row + column] = epilogue(elements.x, row + column); }
    let second = row + column + 8u;
    if column + 8u < width { y[second] = epilogue(elements.y, second); }
    let third = row + column + 16u;
    if column + 16u < width { y[third] = epilogue(elements.z, third); }
    let fourth = row + column + 24u;
    if column + 24u < width { y[fourth] = epilogue(elements.w, fourth); }
}

@compute @workgroup_size(LANES, ROWS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let by_query = BY == 0u;
    let count = select(params.s, params.t, by_query);
    let others = select(params.t, params.s, by_query);
    let blocks = (count + ROWS - 1u) / ROWS;
    let number = wid.x + wid.y * groups.x;
    let all = select(params.heads / params.group, params.heads, by_query);
    if number >= all * blocks { return; } // the same for the whole workgroup
    let own = number / blocks;
    let first = number % blocks * ROWS;
    let row = first + lid.y;
    // Rows past the end use the last one, and store nothing.
    let at = own * count + min(row, count - 1u);
    let lane = lid.x;
    let mine = lid.y * (COLUMNS + 1u);
    // Skip columns that none of the rows see, or are seen by.
    let causal = params.causal == 1u;
    let begin = select(0u, first / COLUMNS * COLUMNS, causal && !by_query);
    let end = select(others, min(others, first + ROWS), causal && by_query);
    let width = select(params.d, params.e, BY == 2u);

    // Not in an array: a loop would index it in memory.
    var acc0 = vec4<Acc>();
    var acc1 = vec4<Acc>();
    var acc2 = vec4<Acc>();
    var acc3 = vec4<Acc>();
    // Keys and values are seen by the queries of all heads of their group.
    let members = select(params.group, 1u, by_query);
    for (var member = 0u; member < members; member += 1u) {
        let head = select(own * params.group + member, own, by_query);
        let beside = select(head, own / params.group, by_query) * others;
        for (var o0 = begin; o0 < end; o0 += COLUMNS) {
            var steep = array<Acc, 2>();
            if BY != 2u {
                for (var i = local; i < COLUMNS * params.e; i += LANES * ROWS) {
                    let other = o0 + i / params.e;
                    var element = Acc(0);
                    if other < others {
                        element = vector_of_weights(!by_query, beside + other, i % params.e);
                    }
                    tile[i] = element;
                }
                workgroupBarrier(); // the vectors of the weights are complete
                for (var j = 0u; j < 2u; j += 1u) {
                    var product = Acc(0);
                    for (var i = 0u; i < params.e; i += 1u) {
                        let element = tile[(lane + LANES * j) * params.e + i];
                        product = fma(vector_of_weights(by_query, at, i), element, product);
                    }
                    steep[j] = product;
                }
                workgroupBarrier(); // they have been read
            }
            for (var i = local; i < COLUMNS * params.d; i += LANES * ROWS) {
                let other = o0 + i / params.d;
                var element = Acc(0);
                if other < others {
                    element = vector_of_scores(!by_query, beside + other, i % params.d);
                }
                tile[i] = element;
            }
            workgroupBarrier(); // the vectors of the scores are complete
            for (var j = 0u; j < 2u; j += 1u) {
                let other = o0 + lane + LANES * j;
                var weight = Acc(0);
                let query = select(other, row, by_query);
                let key = select(row, other, by_query);
                if other < others && row < count && (!causal || key <= query) {
                    var score = Acc(0);
                    for (var i = 0u; i < params.d; i += 1u) {
                        let element = tile[(lane + LANES * j) * params.d + i];
                        score = fma(vector_of_scores(by_query, at, i), element, score);
                    }
                    score = scored(score * params.scale, head, query, key);
                    let behind = (head * params.t + query) * (params.e + 2u) + params.e;
                    let log = rows[behind];
                    // Where a query sees no key, this is negative infinity, and weights are 0.
                    if bitcast<u32>(log) != 0xff800000u {
                        weight = exponential(score - log);
                        let share = kept(head, query, key);
                        if BY == 2u {
                            weight = select(weight * share, 0.0, share == 0.0);
                        } else {
                            let slope = select(share * steep[j], 0.0, share == 0.0);
                            weight *= (slope - rows[behind + 1u]) * params.scale;
                        }
                    }
                }
                weights[mine + lane + LANES * j] = weight;
            }
            workgroupBarrier(); // the weights are complete, and the vectors of the scores have been read
            if BY == 2u {
                for (var i = local; i < COLUMNS * params.e; i += LANES * ROWS) {
                    let other = o0 + i / params.e;
                    var element = Acc(0);
                    if other < others {
                        element = vector_of_weights(!by_query, beside + other, i % params.e);
                    }
                    tile[i] = element;
                }
                workgroupBarrier(); // the cotangents are complete
            }
            // Weights past the end are 0.
            let met = min(COLUMNS, others - o0);
            for (var j = 0u; j < met; j += 1u) {
                let weight = weights[mine + j];
                let place = j * width + lane;
                acc0 = fma(vec4<Acc>(weight), elements_at(place), acc0);
                if WIDTH > 32u { acc1 = fma(vec4<Acc>(weight), elements_at(place + 32u), acc1); }
                if WIDTH > 64u { acc2 = fma(vec4<Acc>(weight), elements_at(place + 64u), acc2); }
                if WIDTH > 96u { acc3 = fma(vec4<Acc>(weight), elements_at(place + 96u), acc3); }
            }
            workgroupBarrier(); // tile and weights have been read
        }
    }

    if row >= count { return; }
    let start = (own * count + row) * width;
    store_columns(start, lane, width, acc0);
    if WIDTH > 32u { store_columns(start, lane + 32u, width, acc1); }
    if WIDTH > 64u { store_columns(start, lane + 64u, width, acc2); }
    if WIDTH > 96u { store_columns(start, lane + 96u, width, acc3); }
}
