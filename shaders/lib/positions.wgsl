// positions.wgsl — positions of a convolution, the terms of its weight's gradient, and what they read.
//
// Shape     x: [batch, groups · inputs, ..x]
// Numerics  exact: indices; terms are in the order of image and position

@group(0) @binding(1) var<storage, read> x: array<Elem>;

/// A tap of one channel.
struct Column {
    /// Distance of the element it reads from that of tap 0.
    tap: vec3<u32>,
    /// The same as an index, from the first channel of the group on.
    offset: u32,
}

fn column(number: u32) -> Column {
    // Past the last column everything lies outside of x.
    if number >= params.columns { return Column(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.window, params.window_multiplier, params.window_shift);
    let tap = at.xyz * params.dilation;
    return Column(tap, at.w * params.pixels + pixel(tap));
}

/// A position of one image, which is a term of the sums.
struct Position {
    /// Coordinates of tap 0 in x; negative numbers wrap.
    origin: vec3<u32>,
    /// Index of that element in the group's first channel, wherever it lies.
    x: u32,
    /// Index of the position in the group's first channel of ct; 0 if there is none.
    ct: u32,
    exists: bool,
}

fn position(number: u32, end: u32, group: u32) -> Position {
    let at = unravel(number, params.y, params.y_multiplier, params.y_shift);
    let origin = at.xyz * params.stride - params.low;
    let channels = at.w * params.groups + group;
    return Position(
        origin,
        channels * params.inputs * params.pixels + pixel(origin),
        select(0u, (channels * params.outputs - at.w) * params.positions + number, number < end),
        number < end,
    );
}

/// The element that a tap reads at a position; 0 outside of x.
fn x_at(p: Position, c: Column) -> Acc {
    let is_read = p.exists & is_inside(p.origin + c.tap, params.x);
    return select(Acc(), Acc(x[select(0u, p.x + c.offset, is_read)]), is_read);
}
