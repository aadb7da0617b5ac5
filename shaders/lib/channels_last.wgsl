// channels_last.wgsl — where images with channels last have the elements that a position reads.
//
// Shape     [batch, ..x, groups · inputs]
// Numerics  exact: indices; terms are in the order of tap and channel

/// The elements under the window of a position of one image.
struct Source {
    /// Coordinates of tap 0 in x; negative numbers wrap.
    origin: vec3<u32>,
    /// Index of the group's first channel there, wherever it lies.
    first: u32,
}

fn source_of(number: u32, group: u32) -> Source {
    // Past the last position everything lies outside of x.
    if number >= params.columns { return Source(vec3<u32>(0x80000000u), 0u); }
    let at = unravel(number, params.y, params.y_multiplier, params.y_shift);
    let origin = at.xyz * params.stride - params.low;
    let place = at.w * params.pixels + pixel(origin);
    return Source(origin, (place * params.groups + group) * params.inputs);
}

/// A channel of a tap.
struct Term {
    /// Distance of its element from that of tap 0, and as an index from that of channel 0.
    tap: vec3<u32>,
    offset: u32,
    /// Whether it is one of the terms to sum.
    exists: bool,
}

/// Term `number`, of which those from `end` on are not to be summed.
fn term_at(number: u32, end: u32) -> Term {
    let which = divide(number, params.inputs_multiplier, params.inputs_shift);
    let at = unravel(which, params.window, params.window_multiplier, params.window_shift);
    let tap = at.xyz * params.dilation;
    let channel = number - which * params.inputs;
    return Term(tap, pixel(tap) * params.groups * params.inputs + channel, number < end);
}

/// Whether an element is read: outside of x, and where there is no term, it is 0, which adds nothing.
fn is_read(source: Source, term: Term) -> bool {
    return term.exists & is_inside(source.origin + term.tap, params.x);
}
