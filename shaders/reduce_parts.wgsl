// reduce_parts.wgsl — y[i] = the partial results of element i added up.
//
// Op        any kernel whose terms are split over several workgroups (Kernel::parts)
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     partials: [parts, len], y: [len], any extents
// Dispatch  ceil(len · SLICES / 256) workgroups, numbered and folded over (x, y) past 65535
// Memory    each partial result is read once, eight of an element at a time
// Numerics  each slice adds a run of parts in order, and the sums of the slices are added in order

struct Params {
    len: u32,
    parts: u32,
    /// Parts of a slice; the last one may have fewer.
    run: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<Acc>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

/// Invocations for the same element.
override SLICES: u32 = 1u;

const INVOCATIONS = 256u;

var<workgroup> sums: array<Acc, INVOCATIONS>;

/// A partial result; 0 past the last one of a slice.
fn partial(part: u32, end: u32, index: u32) -> Acc {
    let is_read = part < end;
    return select(Acc(), partials[select(0u, part * params.len + index, is_read)], is_read);
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let count = INVOCATIONS / SLICES;
    let first = (wid.x + wid.y * groups.x) * count;
    // The same for the whole workgroup: no barrier is skipped.
    if first >= params.len { return; }
    let slice = local / count;
    let index = first + local % count;
    // An element past the last one is the last one, which is not stored twice.
    let place = min(index, params.len - 1u);
    let begin = slice * params.run;
    let end = min(begin + params.run, params.parts);

    var acc = Acc();
    for (var part = begin; part < end; part += 8u) {
        // All of them are on their way before the first one is added.
        let p0 = partial(part, end, place);
        let p1 = partial(part + 1u, end, place);
        let p2 = partial(part + 2u, end, place);
        let p3 = partial(part + 3u, end, place);
        let p4 = partial(part + 4u, end, place);
        let p5 = partial(part + 5u, end, place);
        let p6 = partial(part + 6u, end, place);
        let p7 = partial(part + 7u, end, place);
        acc = acc + p0 + p1 + p2 + p3 + p4 + p5 + p6 + p7;
    }
    if SLICES > 1u {
        sums[local] = acc;
        workgroupBarrier(); // every slice has written its sum
        if slice > 0u { return; }
        for (var other = 1u; other < SLICES; other += 1u) {
            acc += sums[local + other * count];
        }
    }
    if index < params.len { y[index] = epilogue(acc, index); }
}
