// cumsum.wgsl — y[r, i] = sum of x[r, j] over j <= i, one workgroup per row.
//
// Op        ops::Cumsum along the last axis
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x, y: [rows, cols], both contiguous
// Dispatch  one workgroup per row, the row index folded over (x, y) past 65535
// Memory    4 bytes per invocation; a row is read once
// Numerics  4 elements in order, then by doubling distance between invocations; the sum of the
//           previous tiles is a float and the rest that its roundings left, so that a result has
//           the roundings of one tile however long the row is. Fast-math, as Metal has it, would
//           fold the rest to 0, and then each tile would cost a rounding: a uniform hides it
// Source    Hillis & Steele 1986, "Data parallel algorithms"; Knuth, "The Art of Computer
//           Programming", vol. 2, 4.2.2: the rest of a sum

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Elem>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

/// Invocations per workgroup; a power of two, chosen by the host.
override WG_SIZE: u32 = 256u;
/// Whether a sum excludes the element at its own index.
override EXCLUSIVE: bool = false;
/// Whether sums start at the end of the row.
override REVERSE: bool = false;

var<workgroup> sums: array<Acc, WG_SIZE>;

/// Index of step `i` along the row.
fn place(row: u32, i: u32) -> u32 {
    return row * params.cols + select(i, params.cols - 1u - i, REVERSE);
}

fn element(row: u32, i: u32) -> Acc {
    if i < params.cols {
        return Acc(x[place(row, i)]);
    }
    return Acc();
}

/// The same value, of which a compiler knows nothing, for no compiler knows that `zero` is 0.
fn hidden(x: Acc, zero: u32) -> Acc {
    return bitcast<Acc>(bitcast<u32>(x) ^ zero);
}

/// Writes step `i`; `sum` is the sum before it.
fn store(row: u32, i: u32, sum: Acc, own: Acc) {
    if i < params.cols {
        let index = place(row, i);
        y[index] = epilogue(select(own, sum, EXCLUSIVE), index);
    }
}

@compute @workgroup_size(WG_SIZE)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let row = wid.x + wid.y * groups.x;
    if row >= params.rows { return; } // the same for the whole workgroup: no barrier is skipped

    // The sum of the previous tiles. Of integers the rest is 0.
    var carry = Acc();
    var rest = Acc();
    let zero = params.cols >> 31u;
    for (var start = 0u; start < params.cols; start += 4u * WG_SIZE) {
        // 1. Four elements each.
        let i = start + 4u * lid.x;
        let a = element(row, i);
        let b = a + element(row, i + 1u);
        let c = b + element(row, i + 2u);
        let d = c + element(row, i + 3u);
        sums[lid.x] = d;

        // 2. The sums of all invocations up to each.
        for (var reach = 1u; reach < WG_SIZE; reach *= 2u) {
            workgroupBarrier(); // the sums over half the reach are written
            var before = Acc();
            if lid.x >= reach {
                before = sums[lid.x - reach];
            }
            workgroupBarrier(); // they have been read
            sums[lid.x] += before;
        }
        workgroupBarrier(); // the sums are complete

        // 3. The sum before the four, in this tile.
        var before = Acc();
        if lid.x > 0u {
            before = sums[lid.x - 1u];
        }
        let tile = sums[WG_SIZE - 1u];
        workgroupBarrier(); // they have been read: the next tile may overwrite them
        let from_here = carry + (rest + before);
        let to_a = carry + (rest + (before + a));
        let to_b = carry + (rest + (before + b));
        let to_c = carry + (rest + (before + c));
        store(row, i, from_here, to_a);
        store(row, i + 1u, to_a, to_b);
        store(row, i + 2u, to_b, to_c);
        store(row, i + 3u, to_c, carry + (rest + (before + d)));

        // 4. The carry, and what its rounding leaves. There is no rest of what is not finite.
        let next = hidden(carry + tile, zero);
        if (bitcast<u32>(next) & 0x7f800000u) != 0x7f800000u {
            let added = hidden(next - carry, zero);
            rest += (carry - hidden(next - added, zero)) + (tile - added);
        }
        carry = next;
    }
}
