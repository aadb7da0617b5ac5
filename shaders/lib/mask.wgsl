// mask.wgsl — what the words of a mask say of a score: truth values hide it, numbers are added.
//
// Numerics  kinds are 0 (no mask), 1 (truth values) and 2 (numbers); a number that is negative
//           infinity hides, and any other leaves a score that is seen

/// A score that is hidden: no score is less. An infinity cannot be written.
const HIDDEN = -0x1.fffffep+127f;

fn masked(score: f32, kind: u32, word: u32) -> f32 {
    if kind == 0u { return score; }
    if kind == 1u { return select(score, HIDDEN, word == 0u); }
    if word == 0xff800000u { return HIDDEN; }
    let sum = score + bitcast<f32>(word);
    return select(sum, -0x1p+127f, sum < -0x1p+127f);
}
