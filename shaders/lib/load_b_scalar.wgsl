// load_b_scalar.wgsl — four elements of operand b, one by one.
//
// Shape     any
// Numerics  exact

@group(0) @binding(2) var<storage, read> b: array<Elem>;

fn b_at(index: u32) -> Elem {
    return b[index];
}

/// The elements from `index` on, which are `at` .. `at + 3` of a line of `end`; zeros past its end.
fn load_b(index: u32, at: u32, end: u32) -> vec4<Elem> {
    let is_inside = vec4<u32>(at, at + 1u, at + 2u, at + 3u) < vec4<u32>(end);
    let places = vec4<u32>(index, index + 1u, index + 2u, index + 3u);
    let sources = select(vec4<u32>(), places, is_inside);
    let loaded = vec4<Elem>(b[sources.x], b[sources.y], b[sources.z], b[sources.w]);
    return select(vec4<Elem>(), loaded, is_inside);
}
