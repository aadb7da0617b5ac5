// rows.wgsl — sums and maxima over a workgroup, for shaders with a workgroup per row.
//
// Memory    4 bytes per invocation
// Numerics  f32 by halves: lane i adds what lane i + WG_SIZE / 2 has, then i + WG_SIZE / 4, …

/// Invocations per workgroup; a power of two, chosen by the host.
override WG_SIZE: u32 = 256u;

/// The smallest element; WGSL has no literal for infinity.
const LEAST = -0x1.fffffep+127f;

var<workgroup> partial: array<Acc, WG_SIZE>;

/// The sum of what each lane has, for all lanes.
fn sum_over_lanes(own: Acc, lane: u32) -> Acc {
    workgroupBarrier(); // the result before has been read
    partial[lane] = own;
    for (var stride = WG_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier(); // the upper half is written
        if lane < stride { partial[lane] += partial[lane + stride]; }
    }
    workgroupBarrier(); // the sum is written
    return partial[0];
}

/// The maximum of what each lane has, for all lanes. It begins without a barrier, since the shaders
/// that call it do so once, before they sum.
fn max_over_lanes(own: Acc, lane: u32) -> Acc {
    partial[lane] = own;
    for (var stride = WG_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier(); // the upper half is written
        if lane < stride { partial[lane] = max(partial[lane], partial[lane + stride]); }
    }
    workgroupBarrier(); // the maximum is written
    return partial[0];
}
