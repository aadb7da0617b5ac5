// tanh.wgsl — hyperbolic tangent.
//
// Numerics  2 units in the last place where division is correctly rounded, 4 where it is only
//           WGSL's; WGSL's own may overflow inside
// Source    own minimax polynomial below 0.55, 1 - 2 / (e^2x + 1) beyond; mirrors ops/math/mod.rs

fn hyperbolic_tangent(x: f32) -> f32 {
    let z = x * x;
    var p = z * -0.0061987294 + 0.02102056;
    p = (p * z - 0.05384052) * z + 0.1333248;
    p = p * z - 0.33333313;
    let near = p * z * x + x;
    // From 9.02 on the result is 1.
    let far = 1.0 - 2.0 / (exponential(2.0 * min(abs(x), 16.0)) + 1.0);
    let y = select(select(far, -far, x < 0.0), near, abs(x) < 0.55);
    return select(y, x, is_nan(x));
}
