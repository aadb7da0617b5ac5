//! Test samples of the functions of two elements.

use super::{BinaryFn::*, *};

/// Every function on everyday operands, at ties, and at the ends of its domain.
pub(super) fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    for &function in BinaryFn::ALL {
        for dtype in DType::ALL.into_iter().filter(|&dtype| function.accepts(dtype)) {
            samples.push(everyday(function, dtype));
        }
    }
    let pair = [Meta::new([4], DType::F32), Meta::new([4], DType::F32)];
    for (function, beside_nan) in [(Max, [1.0, 1.0, 1.0, 0.0]), (Min, [1.0, 1.0, 0.0, 1.0])] {
        let sample = Sample::new(Binary(function), pair.clone())
            .operand(0, Domain::Values(&[1.0, -2.0, 0.0, 3.0]))
            .operand(1, Domain::Values(&[1.0, -2.0, 0.0, 3.0]))
            .bound(Bound::Exact, "one of the operands")
            .convention(0, vec![0.5; 4])
            .named("ties");
        samples.push(sample);
        let sample = Sample::new(Binary(function), pair.clone())
            .operand(0, Domain::Values(&[f64::NAN, 1.0, f64::INFINITY, -0.5]))
            .operand(1, Domain::Values(&[1.0, f64::NAN, f64::NEG_INFINITY, 0.5]))
            .bound(Bound::Exact, "NaN wins")
            .convention(0, beside_nan.to_vec())
            .named("NaN");
        samples.push(sample);
    }
    samples.extend(magnitudes());
    samples.extend(ends());
    samples.extend(angles());
    samples
}

/// Operands from the usual range of the function.
fn everyday(function: BinaryFn, dtype: DType) -> Sample {
    let operand = Meta::new([3, 7], dtype);
    let (bound, reason) = function.accuracy(dtype, dtype);
    let sample = Sample::new(Binary(function), [operand.clone(), operand]).bound(bound, reason);
    match (function, dtype.is_float()) {
        (Div, true) => sample.operand(1, Domain::Range(0.5, 3.0)),
        // The quotient is 2 throughout: neither 0 nor near a jump.
        (Rem, true) => {
            sample.operand(0, Domain::Range(2.2, 2.7)).operand(1, Domain::Range(0.92, 1.05))
        }
        (Pow, true) => {
            sample.operand(0, Domain::Range(0.1, 8.0)).operand(1, Domain::Range(-3.0, 3.0))
        }
        // All around the origin, and never near it.
        (Atan2, true) => sample
            .operand(0, Domain::Values(&[1.5, -0.7, 0.4, -2.1, 0.9]))
            .operand(1, Domain::Values(&[0.6, 1.1, -0.8, -1.3, 0.3, 2.4])),
        (Shl | Shr, _) => sample.operand(1, Domain::Below(40)),
        _ => sample,
    }
}

/// Numbers of every size of which the results are no denormals.
fn magnitudes() -> impl Iterator<Item = Sample> {
    let of = |(function, a, b): (BinaryFn, Domain, Domain)| {
        let operand = Meta::new([911], DType::F32);
        let (bound, reason) = function.accuracy(DType::F32, DType::F32);
        Sample::new(Binary(function), [operand.clone(), operand])
            .operand(0, a)
            .operand(1, b)
            .bound(bound, reason)
            .without_gradient()
            .named("all magnitudes")
    };
    let all = |exponent: i32| Domain::Magnitudes(-exponent, exponent);
    [
        (Div, all(60), all(60)),
        (Rem, all(40), all(40)),
        (Pow, all(12), Domain::Magnitudes(-12, 2)),
        (Atan2, all(60), all(60)),
    ]
    .into_iter()
    .map(of)
}

/// Extreme words shifted by numbers of bits that processors take modulo 32, and divided by what has
/// no quotient or one that wraps.
fn ends() -> impl Iterator<Item = Sample> {
    let of = |(function, dtype, words)| {
        let operand = Meta::new([4, 7], dtype);
        let places = if dtype == DType::I32 {
            Domain::Values(&[0.0, 3.0, 31.0, 32.0, -3.0, -1.0, -2_147_483_648.0])
        } else {
            Domain::Values(&[0.0, 3.0, 31.0, 32.0, 33.0, 64.0, 4_294_967_295.0])
        };
        // Periods of 4 and 7: every pair occurs once.
        Sample::new(Binary(function), [operand.clone(), operand])
            .operand(0, Domain::Values(words))
            .operand(1, places)
            .bound(Bound::Exact, "integers are exact")
            .named("ends")
    };
    const SIGNED: &[f64] = &[-2_147_483_648.0, -7.0, 1.0, 2_147_483_647.0];
    const UNSIGNED: &[f64] = &[4_294_967_295.0, 5.0, 2_147_483_648.0, 0.0];
    [Shl, Shr, Div, Rem]
        .into_iter()
        .flat_map(|function| [(function, DType::I32, SIGNED), (function, DType::U32, UNSIGNED)])
        .map(of)
}

/// Points where a quotient of the coordinates is useless or almost 0.
fn angles() -> [Sample; 2] {
    let of = |dims, a, b, label| {
        let operand = Meta::new(dims, DType::F32);
        let (bound, reason) = Atan2.accuracy(DType::F32, DType::F32);
        Sample::new(Binary(Atan2), [operand.clone(), operand])
            .operand(0, Domain::Values(a))
            .operand(1, Domain::Values(b))
            .bound(bound, reason)
            .without_gradient()
            .named(label)
    };
    const INF: f64 = f64::INFINITY;
    // Periods of 8 and 7: every pair occurs once.
    const A: &[f64] = &[0.0, -0.0, 1.0, -1.0, INF, -INF, f64::NAN, 2e-38];
    const B: &[f64] = &[0.0, -0.0, 2.0, -2.0, INF, -INF, f64::NAN];
    const TINY: &[f64] = &[1e-30, -1e-30, 1e-20, 1.0, 3e38, -3e38, 1e38];
    const HUGE: &[f64] = &[1.0, -1.0, 3e38, -3e38, 1e20, 1e30];
    [of([8, 7], A, B, "zeros, infinities, NaN"), of([6, 7], TINY, HUGE, "tiny and huge")]
}
