// attention_logs.wgsl — y = ln sum exp(q · kᵀ scale) for each query, 32 queries per workgroup.
//
// Op        ops::AttentionLogs
// Lib       attention, exp, log
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     q: [heads, t, d], k: [heads / group, s, d], y: [heads, t]; d at most 128;
//           mask: with the strides in Params
// Dispatch  heads · ceil(t / 32) workgroups of 8 × 32 invocations, folded over (x, y) past 65535
// Memory    16 · WIDTH + 512 elements of workgroup memory
// Numerics  one pass, as attention.wgsl, but with a separate sum per lane; added at the end

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Elem>;
@group(0) @binding(2) var<storage, read> k: array<Elem>;
@group(0) @binding(3) var<storage, read> mask: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

/// At least d and 1.
override WIDTH: u32 = 128u;
/// The kind of mask: none (0), of booleans (1), or of numbers (2), as their bits.
override MASK: u32 = 0u;

var<workgroup> tile: array<Acc, COLUMNS * WIDTH>;
/// The largest score and the sum of each lane.
var<workgroup> parts: array<vec2<Acc>, LANES * ROWS>;

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
    let first = number % blocks * ROWS;
    let row = first + lid.y;
    // Rows past the end use the last one, and store nothing.
    let query = (head * params.t + min(row, params.t - 1u)) * params.d;
    let causal = params.causal == 1u;
    let seen = select(params.s, min(params.s, first + ROWS), causal);
    let limit = select(params.s, min(params.s, row + 1u), causal);

    var largest = Acc(HIDDEN);
    var sum = Acc(0);
    for (var k0 = 0u; k0 < seen; k0 += COLUMNS) {
        for (var i = local; i < COLUMNS * params.d; i += LANES * ROWS) {
            let key = k0 + i / params.d;
            var element = Acc(0);
            if key < params.s {
                element = Acc(k[(head / params.group * params.s + key) * params.d + i % params.d]);
            }
            tile[i] = element;
        }
        workgroupBarrier(); // the keys are complete
        for (var j = lid.x; j < COLUMNS && k0 + j < limit; j += LANES) {
            var score = Acc(0);
            for (var i = 0u; i < params.d; i += 1u) {
                score = fma(Acc(q[query + i]), tile[j * params.d + i], score);
            }
            score = scored(score * params.scale, head, min(row, params.t - 1u), k0 + j);
            if score == HIDDEN { continue; }
            let larger = max(largest, score);
            sum = sum * exponential(largest - larger) + exponential(score - larger);
            largest = larger;
        }
        workgroupBarrier(); // the keys have been read
    }
    parts[local] = vec2<Acc>(largest, sum);
    workgroupBarrier(); // the sums of all lanes are written
    if row >= params.t || lid.x != 0u { return; }
    for (var lane = 1u; lane < LANES; lane += 1u) {
        let part = parts[local + lane];
        let larger = max(largest, part.x);
        sum = sum * exponential(largest - larger) + part.y * exponential(part.x - larger);
        largest = larger;
    }
    let index = head * params.t + row;
    y[index] = epilogue(largest + logarithm(sum), index);
}
