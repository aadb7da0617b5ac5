// load_a_vec4.wgsl — four elements of operand a at once, whose lines are whole vec4s.
//
// Shape     the length of a line and the index of its first element are multiples of 4
// Numerics  exact

@group(0) @binding(1) var<storage, read> a: array<vec4<Elem>>;

fn a_at(index: u32) -> Elem {
    return a[index / 4u][index % 4u];
}

/// The elements from `index` on, which are `at` .. `at + 3` of a line of `end`; zeros past its end.
fn load_a(index: u32, at: u32, end: u32) -> vec4<Elem> {
    let is_inside = at < end;
    return select(vec4<Elem>(), a[select(0u, index, is_inside) / 4u], is_inside);
}
