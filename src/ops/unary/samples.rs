//! Test samples of the functions of one element.

use super::{UnaryFn::*, *};
use crate::shape::Shape;

/// Every function on everyday operands, at the ends of its domain, and at its kinks.
pub(super) fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    for &function in UnaryFn::ALL {
        for dtype in DType::ALL.into_iter().filter(|&dtype| function.accepts(dtype)) {
            samples.push(everyday(function, dtype));
        }
    }
    samples.extend(SPECIAL.into_iter().map(|(function, values, (bound, reason), label)| {
        sample(function, Meta::new([values.len()], DType::F32))
            .operand(0, Domain::Values(values))
            .bound(bound, reason)
            .without_gradient()
            .named(label)
    }));
    for (function, values) in [(Abs, [-1.0, 0.0, 0.0, 1.0]), (Relu, [0.0, 0.0, 0.0, 1.0])] {
        let sample = sample(function, Meta::new([4], DType::F32))
            .operand(0, Domain::Values(&[-2.0, 0.0, -0.0, 3.0]))
            .bound(Bound::Exact, "no rounding")
            .convention(0, values)
            .named("kink");
        samples.push(sample);
    }
    let least = sample(Abs, Meta::new([4], DType::I32))
        .operand(0, Domain::Values(&[-2_147_483_648.0, -1.0, 0.0, 2_147_483_647.0]))
        .bound(Bound::Exact, "integers are exact")
        .without_gradient();
    samples.push(Sample { subject: Unary(Neg).into(), ..least.clone() }.named("least"));
    samples.push(least.named("least"));
    for (function, domain) in MAGNITUDES {
        let (bound, reason) = function.accuracy(DType::F32, DType::F32);
        let sample = sample(function, Meta::new([911], DType::F32)).operand(0, domain);
        samples.push(sample.bound(bound, reason).without_gradient().named("all magnitudes"));
    }
    for shape in [Shape::scalar(), Shape::from([0, 3]), Shape::from([257])] {
        let sample = sample(Tanh, Meta::new(shape, DType::F32));
        let (bound, reason) = Tanh.accuracy(DType::F32, DType::F32);
        samples.push(sample.bound(bound, reason).named("shape"));
    }
    samples
}

/// Numbers of every size of which the results are no denormals.
const MAGNITUDES: [(UnaryFn, Domain); 11] = [
    (Sqrt, Domain::Magnitudes(-126, 127)),
    (Exp, Domain::Magnitudes(-40, 5)),
    (Exp2, Domain::Magnitudes(-40, 5)),
    (Log, Domain::Magnitudes(-126, 127)),
    (Log2, Domain::Magnitudes(-126, 127)),
    (Log10, Domain::Magnitudes(-126, 127)),
    (Log1p, Domain::Magnitudes(-100, 127)),
    (Sin, Domain::Magnitudes(-100, 127)),
    (Cos, Domain::Magnitudes(-100, 127)),
    (Tanh, Domain::Magnitudes(-100, 127)),
    (Erf, Domain::Magnitudes(-100, 127)),
];

fn sample(function: UnaryFn, operand: Meta) -> Sample {
    Sample::new(Unary(function), [operand])
}

/// Operands from the usual range of the function.
fn everyday(function: UnaryFn, dtype: DType) -> Sample {
    let sample = sample(function, Meta::new([3, 7], dtype));
    let (bound, reason) = function.accuracy(dtype, dtype);
    if !dtype.is_float() {
        return sample.bound(bound, reason).without_gradient();
    }
    let domain = match function {
        Sqrt | Log | Log2 | Log10 => Domain::Range(0.1, 8.0),
        Log1p => Domain::Range(-0.9, 4.0),
        Exp | Exp2 | Sin | Cos | Tanh | Erf | Sigmoid => Domain::Range(-3.0, 3.0),
        Neg | Not | IsNan => Domain::Range(-1.0, 1.0),
        // No element so near a kink that a difference straddles it.
        Abs | Relu | Sign => Domain::Distinct,
        Floor | Ceil | Round | Trunc => Domain::Range(-5.0, 5.0),
    };
    let sample = sample.bound(bound, reason).operand(0, domain);
    match function {
        Sign | Floor | Ceil | Round | Trunc | Not | IsNan => sample.without_gradient(),
        _ => sample,
    }
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
type Special = (UnaryFn, &'static [f64], (Bound, &'static str), &'static str);
const EXACT: (Bound, &str) = (Bound::Exact, "no rounding");
const ENDS: (Bound, &str) = (Bound::Ulp(4), "as elsewhere");
/// A device may flush subnormals.
const FLUSHED: (Bound, &str) = (Bound::Abs(1.2e-38), "denormals may be flushed");
const INTEGERS: &[f64] =
    &[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.499_999_97, -0.3, 8_388_607.5, 1e30, -0.0, INF, -INF, NAN];
const LOGARITHMS: &[f64] = &[
    0.0,
    -0.0,
    -1.0,
    -INF,
    1.2e-38,
    3e38,
    INF,
    1.0,
    0.999_999_94,
    1.000_000_1,
    0.999,
    1.001,
    8.0,
    0.125,
    10.0,
    1e3,
    1e10,
    0.1,
    NAN,
];
/// Special values at the ends of the domain of every function.
const SPECIAL: [Special; 27] = [
    (Neg, &[NAN, INF, 0.0, -0.0], EXACT, "NaN"),
    (Abs, &[NAN, -INF, INF, -1e38], EXACT, "NaN"),
    (Sign, &[NAN, -INF, INF, 0.0, -0.0, 1e-30, -1e-30], EXACT, "NaN"),
    (Relu, &[NAN, -INF, INF, -1e38, 1e38], EXACT, "NaN"),
    (IsNan, &[NAN, -INF, INF, 0.0, -NAN, 1e38], EXACT, "NaN"),
    (Floor, INTEGERS, EXACT, "ties and ends"),
    (Ceil, INTEGERS, EXACT, "ties and ends"),
    (Round, INTEGERS, EXACT, "ties and ends"),
    (Trunc, INTEGERS, EXACT, "ties and ends"),
    (Sqrt, &[0.0, 1e-30, 1e38, INF, -1.0, NAN], (Bound::Ulp(5), "as elsewhere"), "ends"),
    (Exp, &[-87.0, 88.7, 89.0, 1e30, INF, 0.0, -0.0, NAN], ENDS, "overflow"),
    (Exp, &[-88.0, -100.0, -110.0, -1e30, -INF], FLUSHED, "underflow"),
    (Log, &[0.0, -0.0, -1.0, -INF, 1.2e-38, 3e38, INF, 1.0, 0.999_999_94, NAN], ENDS, "ends"),
    (Exp2, &[-126.0, 127.99, 128.0, 1e30, INF, 0.0, -0.0, NAN], ENDS, "overflow"),
    (Exp2, &[-127.0, -149.0, -152.0, -1e30, -INF], FLUSHED, "underflow"),
    (Exp2, &[-126.0, -20.0, -3.0, -1.0, 0.0, 1.0, 2.0, 10.0, 24.0, 127.0], EXACT, "integers"),
    (Log2, LOGARITHMS, ENDS, "ends"),
    (
        Log2,
        &[1.0, 2.0, 0.25, 1024.0, 1.7014118346046923e38, 1.1754943508222875e-38],
        EXACT,
        "powers",
    ),
    (Log10, &[1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10], EXACT, "powers"),
    (Log10, LOGARITHMS, ENDS, "ends"),
    (Log1p, &[-1.0, -1.5, 0.0, 1e-30, -1e-7, 1e-3, 3e38, INF, -INF, NAN], ENDS, "ends"),
    (Sin, &[1e4, -31_415.0, 1e5, 1.5e5, -1e7, 3e38, INF, NAN, 1e-30], ENDS, "large"),
    (Cos, &[1e4, -31_415.0, 1e5, 1.5e5, -1e7, 3e38, INF, NAN, 1e-30], ENDS, "large"),
    (Tanh, &[9.0, -10.0, 100.0, -1e38, INF, -INF, NAN, 1e-30, 0.55, 0.0], ENDS, "saturation"),
    (Erf, &[3.9, -4.0, 100.0, -1e38, INF, -INF, NAN, 1e-30, 1.0, 0.0], ENDS, "saturation"),
    (Sigmoid, &[20.0, -80.0, 100.0, INF, NAN, 0.0, 1e38], ENDS, "saturation"),
    (Sigmoid, &[-88.0, -100.0, -1e38, -INF], FLUSHED, "underflow"),
];
