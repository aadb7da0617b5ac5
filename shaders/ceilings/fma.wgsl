// fma.wgsl — x + 1 by fused multiply-adds, and little else: the rate of arithmetic.
//
// Op        bench::ceilings, Limit::FmaF32 and Limit::FmaF16
// Shape     y: [256 · workgroups], each the sum of 32 numbers
// Dispatch  any number of workgroups of 256 invocations along x
// Numerics  integers: exact while 4 · rounds + 8 is at most 2^11 in f16, 2^24 in f32
// Source    eight chains of four lanes hide the latency of every unit we know of

struct Params {
    rounds: u32,
    one: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

/// Four in a row, to amortize the loop around them.
fn four(x: vec4<Elem>, one: vec4<Elem>) -> vec4<Elem> {
    return fma(fma(fma(fma(x, one, one), one, one), one, one), one, one);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let one = vec4<Elem>(Elem(params.one));
    // All chains start differently, or a compiler would merge them.
    let start = vec4<Elem>(Elem(gid.x & 1u));
    var a = start;
    var b = start + one;
    var c = b + one;
    var d = c + one;
    var e = d + one;
    var f = e + one;
    var g = f + one;
    var h = g + one;
    for (var round = 0u; round < params.rounds; round++) {
        a = four(a, one);
        b = four(b, one);
        c = four(c, one);
        d = four(d, one);
        e = four(e, one);
        f = four(f, one);
        g = four(g, one);
        h = four(h, one);
    }
    let pairs = vec4<f32>(a) + vec4<f32>(b) + vec4<f32>(c) + vec4<f32>(d);
    let sums = pairs + vec4<f32>(e) + vec4<f32>(f) + vec4<f32>(g) + vec4<f32>(h);
    y[gid.x] = sums.x + sums.y + sums.z + sums.w;
}
