// wild.wgsl — whether a workgroup has read an operand that is infinite or NaN.
//
// Memory    that of the tiles, once they are read
// Numerics  exact

/// The largest magnitude among these bits and before; infinity and NaN are larger than all others.
fn wildest(before: u32, weights: vec4<Acc>) -> u32 {
    let bits = bitcast<vec4<u32>>(weights) & vec4<u32>(0x7fffffffu);
    return max(before, max(max(bits.x, bits.y), max(bits.z, bits.w)));
}

/// Whether any of `count` invocations has read a weight that is infinite or NaN, over the tiles.
fn is_wild(wild: u32, local: u32, count: u32) -> bool {
    workgroupBarrier(); // the last stage was read
    tiles[local] = vec4<Acc>(select(Acc(0), Acc(1), wild >= 0x7f800000u));
    workgroupBarrier(); // everybody has said so
    if local < 16u {
        var some = Acc(0);
        for (var other = local; other < count; other += 16u) { some += tiles[other].x; }
        tiles[count + local].x = some;
    }
    workgroupBarrier(); // sixteen have asked all others
    var all = Acc(0);
    for (var other = 0u; other < 16u; other += 1u) { all += tiles[count + other].x; }
    return all > Acc(0);
}
