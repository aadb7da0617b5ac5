// parts.wgsl — the terms that a workgroup sums, where those of an element are split over several.
//
// Numerics  exact: indices

/// Each workgroup takes a part of the terms. The partial results lie one after another, and
/// reduce_parts.wgsl adds them up.
override IS_IN_PARTS: bool = false;

struct Part {
    /// Which of the products, and which part of its terms.
    product: u32,
    number: u32,
    /// Its terms: begin .. end.
    begin: u32,
    end: u32,
    /// Whether there is such a product, and such a part of it.
    exists: bool,
}

/// The part that workgroups at `z` of a grid sum, of `products` of `terms` each, cut every `length`.
fn own_part(z: u32, products: u32, terms: u32, length: u32) -> Part {
    if !IS_IN_PARTS { return Part(z, 0u, 0u, terms, z < products); }
    let number = z / products;
    let begin = number * length;
    return Part(z - number * products, number, begin, min(begin + length, terms), begin < terms);
}
