// erf.wgsl — the error function.
//
// Numerics  2 units in the last place; 1 from 4 on
// Source    own minimax polynomials: of erf x / x below 1, of -ln(1 - erf x) beyond; mirrors
//           ops/math/erf.rs

fn error_function(x: f32) -> f32 {
    let z = x * x;
    var p = z * 0.000078540244 - 0.0008010247;
    p = (p * z + 0.0051883343) * z - 0.026853817;
    p = (p * z + 0.112835854) * z - 0.37612626;
    let near = (p * z + 0.12837917) * x + x;
    let t = min(abs(x), 4.0);
    var q = t * 0.000013962441 - 0.00035059202;
    q = (q * t + 0.0037574768) * t - 0.024010068;
    q = (q * t + 0.10653087) * t + 0.63496953;
    q = (q * t + 1.1286943) * t;
    let far = 1.0 - exponential(-q);
    let y = select(select(far, -far, x < 0.0), near, abs(x) < 1.0);
    return select(y, x, is_nan(x));
}
