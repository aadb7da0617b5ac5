// attention.wgsl — output = softmax(q · kᵀ scale) · v and log_sum_exp = ln Σ exp(q · kᵀ scale).
//
// Op        ops::Attention, ops::AttentionLogSumExp
// Lib       attention, exp, log, mask, nan
// Slot      fn store_output(acc: Acc, index: u32)
//           fn store_log_sum_exp(acc: f32, index: u32)
// Shape     q: [heads, t, d], k: [heads / group, s, d], v: [heads / group, s, e],
//           output: [heads, t, e], log_sum_exp: [heads, t]; d and e at most 128;
//           mask: with the strides in Params; draw: [heads, 4], two words of key, the counter
//           and the index of the first weight
// Dispatch  heads · ceil(t / 32) workgroups of 8 × 32 invocations, 32 queries each, folded over
//           (x, y) past 65535
// Memory    16 · WIDTH + 544 elements of workgroup memory, 10.4 KiB for WIDTH = 128; for each head
//           a workgroup reads its queries and all keys and values it sees
// Numerics  one pass: the sums so far are rescaled when a larger score occurs; f32, 16 keys at a
//           time in order; a query that sees no key gives 0, and negative infinity
// Source    Milakov & Gimelshein 2018 (online softmax); Dao et al. 2022, "FlashAttention"

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Elem>;
@group(0) @binding(2) var<storage, read> k: array<Elem>;
@group(0) @binding(3) var<storage, read> v: array<Elem>;
@group(0) @binding(4) var<storage, read> mask: array<u32>;
@group(0) @binding(5) var<storage, read> draw: array<u32>;

/// The larger of d and e, at least 1.
override WIDTH: u32 = 128u;
/// The kind of mask: none (0), of booleans (1), or of numbers (2), as their bits.
override MASK: u32 = 0u;

/// Keys, then values, of one step.
var<workgroup> tile: array<Acc, COLUMNS * WIDTH>;
/// Scores, then weights, negative if dropped; rows are padded by one element to avoid bank
/// conflicts.
var<workgroup> weights: array<Acc, ROWS * (COLUMNS + 1u)>;

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
fn store_columns(row: u32, column: u32, elements: vec4<Acc>) {
    if column < params.e { store_output(elements.x, row + column); }
    if column + 8u < params.e { store_output(elements.y, row + column + 8u); }
    if column + 16u < params.e { store_output(elements.z, row + column + 16u); }
    if column + 24u < params.e { store_output(elements.w, row + column + 24u); }
}

@compute @workgroup_size(LANES, ROWS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let blocks = (params.t + ROWS - 1u) / ROWS;
    let number = wid.x + wid.y * groups.x;
    if number >= params.heads * blocks { return; } // the same for the whole workgroup
    let head = number / blocks;
    let served = head / params.group; // its head of keys and values
    let first = number % blocks * ROWS;
    let row = first + lid.y;
    // Rows past the end use the last one, and store nothing.
    let query = (head * params.t + min(row, params.t - 1u)) * params.d;
    let lane = lid.x;
    let mine = lid.y * (COLUMNS + 1u);
    let seen = select(params.s, min(params.s, first + ROWS), params.causal == 1u);

    var largest = Acc(HIDDEN);
    var sum = Acc(0);
    // Elements lane, lane + 8, .. of the result. Not in an array: a loop would index it in memory.
    var acc0 = vec4<Acc>();
    var acc1 = vec4<Acc>();
    var acc2 = vec4<Acc>();
    var acc3 = vec4<Acc>();
    for (var k0 = 0u; k0 < seen; k0 += COLUMNS) {
        for (var i = local; i < COLUMNS * params.d; i += LANES * ROWS) {
            let key = k0 + i / params.d;
            var element = Acc(0);
            if key < params.s {
                element = Acc(k[(served * params.s + key) * params.d + i % params.d]);
            }
            tile[i] = element;
        }
        workgroupBarrier(); // the keys are complete
        for (var j = lane; j < COLUMNS; j += LANES) {
            var score = Acc(0);
            for (var i = 0u; i < params.d; i += 1u) {
                score = fma(Acc(q[query + i]), tile[j * params.d + i], score);
            }
            // Elements past an end are not used; their mask is that of the last.
            let key = min(k0 + j, params.s - 1u);
            weights[mine + j] = scored(score * params.scale, head, min(row, params.t - 1u), key);
        }
        workgroupBarrier(); // the scores are complete, and the keys have been read

        // Keys of this tile that the row sees: the first ones, at least one unless all are hidden.
        let limit = select(params.s, min(params.s, row + 1u), params.causal == 1u);
        let count = min(COLUMNS, max(limit, k0) - k0);
        var larger = largest;
        for (var j = 0u; j < count; j += 1u) {
            larger = max_or_nan(larger, weights[mine + j]);
        }
        let fade = exponential(largest - larger);
        largest = larger;
        workgroupBarrier(); // all have looked for the largest: scores may become weights
        for (var j = lane; j < COLUMNS; j += LANES) {
            var weight = Acc(0);
            if j < count && !is_hidden(weights[mine + j]) {
                weight = exponential(weights[mine + j] - larger);
                weight = select(weight, -weight, kept(head, row, k0 + j) == 0.0);
            }
            weights[mine + j] = weight;
        }
        for (var i = local; i < COLUMNS * params.e; i += LANES * ROWS) {
            let key = k0 + i / params.e;
            var element = Acc(0);
            if key < params.s {
                element = Acc(v[(served * params.s + key) * params.e + i % params.e]);
            }
            tile[i] = element;
        }
        workgroupBarrier(); // weights and values are complete
        sum *= fade;
        acc0 *= fade;
        acc1 *= fade;
        acc2 *= fade;
        acc3 *= fade;
        for (var j = 0u; j < count; j += 1u) {
            sum += abs(weights[mine + j]);
            let weight = max_or_nan(weights[mine + j], 0.0);
            let at = j * params.e + lane;
            acc0 = fma(vec4<Acc>(weight), elements_at(at), acc0);
            if WIDTH > 32u { acc1 = fma(vec4<Acc>(weight), elements_at(at + 32u), acc1); }
            if WIDTH > 64u { acc2 = fma(vec4<Acc>(weight), elements_at(at + 64u), acc2); }
            if WIDTH > 96u { acc3 = fma(vec4<Acc>(weight), elements_at(at + 96u), acc3); }
        }
        workgroupBarrier(); // the values have been read
    }

    if row >= params.t { return; }
    if lane == 0u {
        // An infinity cannot be subtracted from itself, and is the result.
        let log = select(largest + logarithm(sum), largest, largest == infinity());
        store_log_sum_exp(log, head * params.t + row);
    }
    // The weights of a query that sees no key are 0.
    let whole = select(sum * (1.0 - params.dropped), 1.0, sum == 0.0);
    let begin = (head * params.t + row) * params.e;
    store_columns(begin, lane, acc0 / whole);
    if WIDTH > 32u { store_columns(begin, lane + 32u, acc1 / whole); }
    if WIDTH > 64u { store_columns(begin, lane + 64u, acc2 / whole); }
    if WIDTH > 96u { store_columns(begin, lane + 96u, acc3 / whole); }
}
