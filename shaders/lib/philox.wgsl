// philox.wgsl — counter-based random bits, Philox 4x32-10.
//
// Numerics  integers only: the same bits on all devices
// Source    Salmon, Moraes, Dror & Shaw 2011 (SC11), "Parallel random numbers: as easy as 1, 2, 3"

/// Four words for a counter under a key.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round += 1u) {
        let p = wide_product(0xd2511f53u, c.x);
        let q = wide_product(0xcd9e8d57u, c.z);
        c = vec4<u32>(q.x ^ c.y ^ k.x, q.y, p.x ^ c.w ^ k.y, p.y);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
