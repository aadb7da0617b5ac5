// convolution_depthwise_weight_grad.wgsl — w = ct * x for small groups, twelve taps per workgroup.
//
// Op        ops::ConvolutionWeightGrad, with so few channels per group that most of a tile would be idle
// Lib       grid, parts, positions
// Slot      fn epilogue(acc: Acc, index: u32) -> Out
// Shape     x: [batch, groups · inputs, ..x], ct: [batch, groups · outputs, ..y],
//           w: [groups · outputs, inputs, ..window], whose elements are sums of batch · positions
//           terms; several of w, one after another, where terms are in parts
// Dispatch  ceil(taps / 12) × outputs · inputs × groups · parts workgroups of LANES invocations;
//           numbered and folded over (x, y) if an axis is longer than 65535
// Memory    48 LANES bytes of workgroup memory; neighbors read neighboring elements of a channel, twelve
//           times through the cache
// Numerics  f32, one fma per term; of every LANES terms each lane takes one, and lanes are added in a tree

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> ct: array<Elem>;
@group(0) @binding(3) var<storage, read_write> w: array<Out>;

/// Invocations that share the terms of an element.
override LANES: u32 = 128u;

/// Taps of a workgroup.
const TAPS = 12u;

/// Four taps of a channel.
struct Taps {
    t0: Column,
    t1: Column,
    t2: Column,
    t3: Column,
}

/// Taps from `number` on, of those of a channel that end before `end`.
fn four_taps(number: u32, end: u32) -> Taps {
    return Taps(
        tap_at(number, end),
        tap_at(number + 1u, end),
        tap_at(number + 2u, end),
        tap_at(number + 3u, end),
    );
}

fn tap_at(number: u32, end: u32) -> Column {
    // Past the last tap of a channel nothing is read.
    return column(select(params.columns, number, number < end));
}

/// The elements that a position reads at four taps.
fn fetch_x(p: Position, taps: Taps) -> vec4<Acc> {
    return vec4<Acc>(x_at(p, taps.t0), x_at(p, taps.t1), x_at(p, taps.t2), x_at(p, taps.t3));
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = place(wid, groups);
    let taps = params.columns / max(params.inputs, 1u);
    let part = own_part(at.z, params.groups, params.terms, params.part);
    // The same for the whole workgroup: no barrier is skipped.
    if !part.exists || at.x * TAPS >= taps || at.y >= params.outputs * params.inputs { return; }
    let output = at.y / params.inputs;
    let first = at.y % params.inputs * taps;
    let begin = first + at.x * TAPS;
    let end = first + taps;
    let taps0 = four_taps(begin, end);
    let taps1 = four_taps(begin + 4u, end);
    let taps2 = four_taps(begin + 8u, end);

    var acc0 = vec4<Acc>();
    var acc1 = vec4<Acc>();
    var acc2 = vec4<Acc>();
    for (var term = part.begin + local; term < part.end; term += LANES) {
        let p = position(term, part.end, part.product);
        let factor = vec4<Acc>(Acc(ct[p.ct + output * params.positions]));
        acc0 = fma(factor, fetch_x(p, taps0), acc0);
        acc1 = fma(factor, fetch_x(p, taps1), acc1);
        acc2 = fma(factor, fetch_x(p, taps2), acc2);
    }

    sums[local] = acc0;
    sums[local + LANES] = acc1;
    sums[local + 2u * LANES] = acc2;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the sums of twice as many lanes are complete
        if local < half {
            sums[local] += sums[local + half];
            sums[local + LANES] += sums[local + LANES + half];
            sums[local + 2u * LANES] += sums[local + 2u * LANES + half];
        }
    }
    workgroupBarrier(); // lane 0 has the sums of all
    if local >= TAPS || begin + local >= end { return; }
    let line = (at.z * params.outputs + output) * params.columns;
    let index = line + begin + local;
    w[index] = epilogue(sums[local / 4u * LANES][local % 4u], index);
}

// Four taps of each lane's sums, three times. Behind everything else: naga takes an override for
// another one if it meets it after an extent that depends on one.
var<workgroup> sums: array<vec4<Acc>, 3u * LANES>;
