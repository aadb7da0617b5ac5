// dot.wgsl — dot products of bytes with 32-bit sums, and little else.
//
// Op        bench::ceilings, Limit::DotI8
// Shape     y: [256 · workgroups], each the combined bits of eight chains
// Dispatch  any number of workgroups of 256 invocations along x
// Numerics  32-bit integers, which wrap
// Source    dot4I8Packed with its sum is a single instruction if the device has one

struct Params {
    rounds: u32,
    factors: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

fn one(x: u32, factors: u32) -> u32 {
    return x + bitcast<u32>(dot4I8Packed(x, factors));
}

/// Four in a row, to amortize the loop around them.
fn four(x: u32, factors: u32) -> u32 {
    return one(one(one(one(x, factors), factors), factors), factors);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let factors = params.factors;
    let start = gid.x & 1u;
    var a = start;
    var b = start + 2u;
    var c = start + 4u;
    var d = start + 6u;
    var e = start + 8u;
    var f = start + 10u;
    var g = start + 12u;
    var h = start + 14u;
    for (var round = 0u; round < params.rounds; round++) {
        a = four(a, factors);
        b = four(b, factors);
        c = four(c, factors);
        d = four(d, factors);
        e = four(e, factors);
        f = four(f, factors);
        g = four(g, factors);
        h = four(h, factors);
    }
    y[gid.x] = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}
