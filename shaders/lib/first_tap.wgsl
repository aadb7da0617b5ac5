// first_tap.wgsl — which taps of a strided window meet a pixel.
//
// Numerics  exact: indices

/// The first tap that a pixel meets along an axis, where `rest` is the remainder of its
/// padded coordinates modulo the stride; the window's end if there is none.
fn first_tap(rest: u32, stride: u32, dilation: u32, step: u32, window: u32) -> u32 {
    let end = min(step, window);
    var tap = 0u;
    while tap < end && tap * dilation % stride != rest { tap += 1u; }
    return select(window, tap, tap < end);
}

/// The first taps that a pixel meets, whose coordinates count the padding before it; others are a step apart.
fn first_taps(padded: vec3<u32>) -> vec3<u32> {
    let size = params.stride;
    let gap = params.dilation;
    let rest = padded % size;
    return vec3<u32>(
        first_tap(rest.x, size.x, gap.x, params.step.x, params.window.x),
        first_tap(rest.y, size.y, gap.y, params.step.y, params.window.y),
        first_tap(rest.z, size.z, gap.z, params.step.z, params.window.z),
    );
}
