// matrix.wgsl — products of 16 × 16 matrices of f16 on matrix units, and little else.
//
// Op        bench::ceilings, Limit::MatrixF16
// Shape     a, b: [16, 16]; c: [workgroups, 4, 16, 16], each accumulates rounds · a · b
// Dispatch  any number of workgroups of one subgroup along x
// Numerics  f32 sums; integers, with sixteenths in a and ones in b, exact up to 2^24
// Source    four accumulators hide the latency of a unit

struct Params {
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f16>;
@group(0) @binding(2) var<storage, read> b: array<f16>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

/// Invocations of a subgroup.
override LANES: u32 = 32u;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>) {
    let first = 1024u * wid.x;
    let left = coopLoad<coop_mat16x16<f16, A>>(&a[0], 16u);
    let right = coopLoad<coop_mat16x16<f16, B>>(&b[0], 16u);
    var p = coopLoad<coop_mat16x16<f32, C>>(&c[first], 16u);
    var q = coopLoad<coop_mat16x16<f32, C>>(&c[first + 256u], 16u);
    var r = coopLoad<coop_mat16x16<f32, C>>(&c[first + 512u], 16u);
    var s = coopLoad<coop_mat16x16<f32, C>>(&c[first + 768u], 16u);
    for (var round = 0u; round < params.rounds; round++) {
        p = coopMultiplyAdd(left, right, p);
        q = coopMultiplyAdd(left, right, q);
        r = coopMultiplyAdd(left, right, r);
        s = coopMultiplyAdd(left, right, s);
    }
    coopStore(p, &c[first], 16u);
    coopStore(q, &c[first + 256u], 16u);
    coopStore(r, &c[first + 512u], 16u);
    coopStore(s, &c[first + 768u], 16u);
}
