// attention.wgsl — what attention and its derivatives have in common.
//
// Lib       mask, random
// Numerics  f32

struct Params {
    heads: u32,
    t: u32,
    s: u32,
    d: u32,
    e: u32,
    causal: u32,
    scale: f32,
    group: u32, // heads of queries per head of keys and values
    whole: u32, // heads of queries per batch of the mask
    mask_batch: u32, // strides in the mask: of batches, heads, queries and keys
    mask_head: u32,
    mask_row: u32,
    mask_key: u32,
    stream: u32, // of random numbers
    dropped: f32, // the share of weights to drop
}

/// Invocations per row, rows per workgroup, columns per tile.
const LANES = 8u;
const ROWS = 32u;
const COLUMNS = 16u;

/// A score after applying the mask, whose kind is MASK.
fn scored(score: Acc, head: u32, row: u32, key: u32) -> Acc {
    if MASK == 0u { return score; }
    let batch = head / params.whole;
    let at = batch * params.mask_batch + (head - batch * params.whole) * params.mask_head
        + row * params.mask_row + key * params.mask_key;
    return masked(score, MASK, mask[at]);
}

/// The dropout factor of a weight: 0, or the one that keeps the mean.
fn kept(head: u32, row: u32, key: u32) -> Acc {
    if params.dropped == 0.0 { return Acc(1); }
    let words = vec2<u32>(draw[4u * head], draw[4u * head + 1u]);
    let index = draw[4u * head + 3u] + row * params.s + key;
    let number = random_uniform(words, draw[4u * head + 2u], params.stream, index);
    return select(Acc(0), Acc(1.0 / (1.0 - params.dropped)), number >= params.dropped);
}
