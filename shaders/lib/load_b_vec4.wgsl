// load_b_vec4.wgsl — four elements of operand b at once, whose lines are whole vec4s.
//
// Shape     the length of a line and the index of its first element are multiples of 4
// Numerics  exact

@group(0) @binding(2) var<storage, read> b: array<vec4<Elem>>;

fn b_at(index: u32) -> Elem {
    return b[index / 4u][index % 4u];
}

/// The elements from `index` on, which are `at` .. `at + 3` of a line of `end`; zeros past its end.
fn load_b(index: u32, at: u32, end: u32) -> vec4<Elem> {
    let is_inside = at < end;
    return select(vec4<Elem>(), b[select(0u, index, is_inside) / 4u], is_inside);
}
