// read.wgsl — sums every word of x: the bandwidth of reading.
//
// Op        bench::ceilings, Limit::Read
// Shape     x: [quads], four words each; y: [256 · workgroups], whose sum is that of x
// Dispatch  any number of workgroups of 256 invocations along x
// Numerics  32-bit integers, which wrap

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(global_invocation_id) gid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    var sum = vec4<u32>();
    for (var quad = gid.x; quad < params.quads; quad += 256u * groups.x) {
        sum += x[quad];
    }
    y[gid.x] = sum.x + sum.y + sum.z + sum.w;
}
