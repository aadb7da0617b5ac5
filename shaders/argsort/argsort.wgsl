// argsort.wgsl — y[r, :] = the indices that sort x[r, :], one workgroup per row.
//
// Op        ops::Argsort for short rows
// Lib       sort_key
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, y: [rows, cols], both contiguous, cols at most SIZE
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Memory    8 · SIZE bytes of workgroup memory, 16 KiB for SIZE = 2048
// Numerics  exact and stable: pairs of key and index are sorted, which are all distinct
// Source    Batcher 1968, "Sorting networks and their applications" (bitonic sorter)

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup.
override WG_SIZE: u32 = 256u;
/// A power of two, at least the number of columns.
override SIZE: u32 = 2048u;
/// The type of the elements, as numbered by `sort_key`.
override KIND: u32 = 2u;
override DESCENDING: bool = false;

var<workgroup> keys: array<u32, SIZE>;
var<workgroup> order: array<u32, SIZE>;

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let row = wid.x + wid.y * groups.x;
    if row >= params.rows { return; } // the same for the whole workgroup: no barrier is skipped
    let first = row * params.cols;

    // 1. The keys; padding after the row stays there, by its index if not by its key.
    for (var i = lid.x; i < SIZE; i += WG_SIZE) {
        var key = 0xffffffffu;
        if i < params.cols {
            key = sort_key(bitcast<u32>(Wide(x[first + i])), KIND, DESCENDING);
        }
        keys[i] = key;
        order[i] = i;
    }

    // 2. Runs of `width` are merged, alternating between ascending and descending.
    for (var width = 2u; width <= SIZE; width *= 2u) {
        for (var stride = width / 2u; stride > 0u; stride /= 2u) {
            workgroupBarrier(); // all pairs of the step before are in order
            for (var pair = lid.x; pair < SIZE / 2u; pair += WG_SIZE) {
                let low = 2u * pair - (pair & (stride - 1u));
                let high = low + stride;
                let a = vec2(keys[low], order[low]);
                let b = vec2(keys[high], order[high]);
                let is_after = a.x > b.x || (a.x == b.x && a.y > b.y);
                if is_after == ((low & width) == 0u) {
                    keys[low] = b.x;
                    order[low] = b.y;
                    keys[high] = a.x;
                    order[high] = a.y;
                }
            }
        }
    }
    workgroupBarrier(); // the row is in order

    // 3. The indices.
    for (var i = lid.x; i < params.cols; i += WG_SIZE) {
        y[first + i] = epilogue(order[i], first + i);
    }
}
