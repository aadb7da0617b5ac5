// copy.wgsl — copies every word of x to y: the bandwidth of copying.
//
// Op        bench::ceilings, Limit::Copy
// Shape     x, y: [quads], four words each
// Dispatch  any number of workgroups of 256 invocations along x
// Numerics  32-bit integers

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(global_invocation_id) gid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    for (var quad = gid.x; quad < params.quads; quad += 256u * groups.x) {
        y[quad] = x[quad];
    }
}
