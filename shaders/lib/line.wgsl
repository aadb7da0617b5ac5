// line.wgsl — neighbors in a line of an image.
//
// Numerics  exact: loads

/// An element of x, or 0 outside of it.
fn x_or_zero(index: u32, is_inside: bool) -> Acc {
    return select(Acc(), Acc(x[select(0u, index, is_inside)]), is_inside);
}

/// Four neighbors in a line of x, of which `column` is the first; 0 outside of it.
fn fetch_neighbors(index: u32, column: u32, exists: bool) -> vec4<Acc> {
    let columns = vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u);
    let are_inside = vec4<bool>(exists) & (columns < vec4<u32>(params.columns));
    return vec4<Acc>(
        x_or_zero(index, are_inside.x),
        x_or_zero(index + 1u, are_inside.y),
        x_or_zero(index + 2u, are_inside.z),
        x_or_zero(index + 3u, are_inside.w),
    );
}
