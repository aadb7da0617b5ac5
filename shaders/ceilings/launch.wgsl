// launch.wgsl — adds 1 to a word: each dispatch waits for the previous one, as in a network.
//
// Op        bench::ceilings, Limit::Launch and Limit::Submit
// Shape     y: [1]
// Dispatch  one workgroup of one invocation
// Numerics  32-bit integers

@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(1)
fn main() {
    y[0] += 1u;
}
