// mask.wgsl — application of a mask word to a score: booleans hide it, numbers are added.
//
// Numerics  kinds are 0 (no mask), 1 (booleans) and 2 (numbers); negative infinity hides a score,
//           any other number leaves it visible

/// A hidden score, the smallest one; WGSL has no literal for infinity.
const HIDDEN = -0x1.fffffep+127f;

/// By its bits: a comparison with NaN may come out either way.
fn is_hidden(score: f32) -> bool {
    return bitcast<u32>(score) == 0xff7fffffu;
}

fn masked(score: f32, kind: u32, word: u32) -> f32 {
    if kind == 0u { return score; }
    if kind == 1u { return select(score, HIDDEN, word == 0u); }
    if word == 0xff800000u { return HIDDEN; }
    let sum = score + bitcast<f32>(word);
    // A score that is negative infinity itself stays what it is.
    return select(sum, -0x1p+127f, sum < -0x1p+127f && bitcast<u32>(sum) != 0xff800000u);
}
