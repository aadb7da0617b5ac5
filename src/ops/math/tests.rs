use super::*;
use std::f64::consts::FRAC_PI_2;

/// The largest error in units in the last place of the f32 nearest to the exact value; subnormal
/// values count in units of the smallest normal number.
fn worst(
    points: impl Iterator<Item = f32>,
    f: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
) -> f64 {
    let mut worst = (0.0, 0.0);
    for x in points {
        let error = ulps(f(x), exact(f64::from(x)));
        if error > worst.0 || error.is_nan() {
            worst = (error, x);
        }
    }
    println!("{:.3} units at {:e}", worst.0, worst.1);
    worst.0
}

fn ulps(y: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if y.is_nan() && rounded.is_nan() || y == rounded {
        return if rounded.is_finite() && exact != 0.0 {
            (f64::from(y) - exact).abs() / unit(exact)
        } else {
            0.0
        };
    }
    (f64::from(y) - exact).abs() / unit(exact)
}

fn unit(exact: f64) -> f64 {
    let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}

fn evenly(low: f32, high: f32) -> impl Iterator<Item = f32> {
    let n = 200_000;
    (0..=n).map(move |k| low + (high - low) * (k as f32 / n as f32))
}

/// Both signs of numbers of every magnitude from `low` to `high`.
fn magnitudes(low: f32, high: f32) -> impl Iterator<Item = f32> {
    let step = (high.to_bits() - low.to_bits()) / 200_000 + 1;
    (low.to_bits()..high.to_bits()).step_by(step as usize).flat_map(|bits| {
        let x = f32::from_bits(bits);
        [x, -x]
    })
}

fn positive(low: f32, high: f32) -> impl Iterator<Item = f32> {
    magnitudes(low, high).filter(|x| *x > 0.0)
}

#[test]
fn exp_is_accurate() {
    assert!(worst(evenly(-103.0, 88.8), exp, f64::exp) < 1.0);
    assert!(worst(magnitudes(1e-30, 1.0), exp, f64::exp) < 1.0);
}

#[test]
fn powers_of_two_are_accurate_and_exact_for_integers() {
    assert!(worst(evenly(-149.0, 127.99), exp2, f64::exp2) < 1.1);
    assert!(worst(magnitudes(1e-30, 1.0), exp2, f64::exp2) < 1.1);
    for n in -149..128 {
        assert_eq!(f64::from(exp2(n as f32)), 2f64.powi(n), "2^{n}");
    }
}

#[test]
fn logarithms_to_other_bases_are_accurate_and_exact_for_powers() {
    for (f, exact) in [(log2 as fn(f32) -> f32, f64::log2 as fn(f64) -> f64), (log10, f64::log10)] {
        assert!(worst(positive(1e-45, f32::MAX), f, exact) < 2.0);
        assert!(worst(evenly(0.5, 2.0), f, exact) < 2.0);
        // The neighbors of 1, all of them to 1 part in a hundred.
        let near = |bits: u32| (0..170_000).map(move |k| f32::from_bits(bits - 85_000 + k));
        assert!(worst(near(1f32.to_bits()), f, exact) < 2.0);
    }
    for n in -149..128 {
        assert_eq!(log2(2f64.powi(n) as f32), n as f32, "log2 of 2^{n}");
    }
    for n in 0..=10 {
        assert_eq!(log10(10f32.powi(n)), n as f32, "log10 of 1e{n}");
    }
}

#[test]
fn log_is_accurate() {
    assert!(worst(positive(1e-45, f32::MAX), log, f64::ln) < 1.0);
    assert!(worst(evenly(0.5, 2.0), log, f64::ln) < 1.0);
    assert!(worst(magnitudes(1e-30, 0.999), log1p, f64::ln_1p) < 1.5);
    assert!(worst(evenly(-0.9999, 10.0), log1p, f64::ln_1p) < 1.5);
    assert!(worst(positive(1.0, f32::MAX), log1p, f64::ln_1p) < 1.5);
}

#[test]
fn sine_and_cosine_are_accurate() {
    for (f, exact) in [(sin as fn(f32) -> f32, f64::sin as fn(f64) -> f64), (cos, f64::cos)] {
        assert!(worst(evenly(-4.0, 4.0), f, exact) < 2.0);
        assert!(worst(evenly(-1e5, 1e5), f, exact) < 3.0);
        // Next to zeros of either, where the reduction leaves almost nothing.
        let zeros = (-63_000..63_000).map(|k| (f64::from(k) * FRAC_PI_2) as f32);
        assert!(worst(zeros, f, exact) < 4.0);
    }
    assert!(worst(magnitudes(1e-30, 1e5), sin, f64::sin) < 3.0);
}

#[test]
fn tanh_and_sigmoid_are_accurate() {
    assert!(worst(evenly(-12.0, 12.0), tanh, f64::tanh) < 2.0);
    assert!(worst(magnitudes(1e-30, 12.0), tanh, f64::tanh) < 2.0);
    let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
    assert!(worst(evenly(-100.0, 100.0), sigmoid, exact) < 2.5);
    assert!(worst(evenly(-5.0, 5.0), sigmoid, exact) < 2.5);
}

#[test]
fn erf_is_accurate() {
    assert!(worst(evenly(-5.0, 5.0), erf, erf_f64) < 1.5);
    assert!(worst(magnitudes(1e-30, 5.0), erf, erf_f64) < 1.5);
}

#[test]
fn erf_of_the_reference_meets_known_values() {
    // Computed in 40 digits (mpmath).
    let known = [
        (1e-10, 1.1283791670955126e-10),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (1.0, 0.8427007929497149),
        (1.5, 0.9661051464753108),
        (2.0, 0.9953222650189527),
        (2.9, 0.9999589021219005),
        (3.1, 0.9999883513426328),
        (4.0, 0.9999999845827421),
        (5.5, 0.9999999999999927),
    ];
    for (x, y) in known {
        assert!((erf_f64(x) - y).abs() < 1e-15, "{x}");
        assert_eq!(erf_f64(-x), -erf_f64(x));
    }
    assert_eq!(erf_f64(f64::INFINITY), 1.0);
    assert!(erf_f64(f64::NAN).is_nan());
}

#[test]
fn power_is_accurate() {
    let mut noise = crate::ops::contract::Noise::new(1);
    let mut largest: f64 = 0.0;
    for k in 0..300_000 {
        // The result has a uniform exponent; bases are near 1, of any size, or in between.
        let log2 = 300.0 * noise.unit() - 151.0;
        let spread = [0.001, 1.0, 20.0, 120.0][k % 4];
        let a = (spread * (noise.unit() - 0.5)).exp2() as f32;
        let b = (log2 / f64::from(a).log2()) as f32;
        let exact = f64::from(a).powf(f64::from(b));
        if a != 1.0 && exact < f64::from(f32::MAX) {
            largest = largest.max(ulps(power(a, b), exact));
        }
    }
    println!("{largest:.3} units");
    assert!(largest < 4.0);
}

#[test]
fn angles_are_accurate() {
    for x in [1.0f32, -1.0, 3e38, -1e-30] {
        let exact = |y: f64| y.atan2(f64::from(x));
        assert!(worst(magnitudes(1e-30, 1e30), |y| atan2(y, x), exact) < 2.0);
        let around = evenly(-3.0, 3.0).map(|slope| slope * x.min(1e38));
        assert!(worst(around, |y| atan2(y, x), exact) < 2.0);
    }
}

#[test]
fn special_values() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let points = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, -3.0, 2.5, 1e30, -1e30, inf, -inf, nan];
    for a in points {
        for b in points.into_iter().chain([16_777_216.0, 16_777_215.0, 1e-40, -1e-40]) {
            let (got, expected) = (power(a, b), a.powf(b));
            assert!(
                ulps(got, f64::from(expected)) <= 2.0 || same(got, expected),
                "{a} ^ {b} = {got}"
            );
            assert_eq!(
                got.is_sign_negative() && got == 0.0,
                expected == 0.0 && expected.is_sign_negative(),
                "{a} ^ {b}"
            );
            let (got, expected) = (atan2(a, b), a.atan2(b));
            assert!(
                same(got, expected) || expected != 0.0 && (got / expected - 1.0).abs() < 3e-7,
                "angle of {a} and {b}: {got}"
            );
        }
        for (f, exact) in [
            (exp as fn(f32) -> f32, f64::exp as fn(f64) -> f64),
            (exp2, f64::exp2),
            (log, f64::ln),
            (log2, f64::log2),
            (log10, f64::log10),
            (log1p, f64::ln_1p),
            (tanh, f64::tanh),
            (erf, erf_f64),
            (sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
            (trunc, f64::trunc),
            (floor, f64::floor),
            (ceil, f64::ceil),
            (round, f64::round_ties_even),
        ] {
            let (got, expected) = (f(a), exact(f64::from(a)) as f32);
            assert!(
                same(got, expected) || (got - expected).abs() <= 1e-6 * expected.abs(),
                "of {a}: {got}, not {expected}"
            );
        }
    }
    assert!(sin(inf).is_nan() && cos(-inf).is_nan() && sin(nan).is_nan());
    for k in -100_000i32..100_000 {
        let x = k as f32 * 0.125;
        assert!(same(round(x), x.round_ties_even()) && same(trunc(x), x.trunc()));
        assert!(same(floor(x), x.floor()) && same(ceil(x), x.ceil()), "{x}");
    }
}

#[test]
fn blocks_beyond_the_fast_reduction() {
    let x = [1.0f32, -2e5, 3e30, f32::INFINITY, f32::NAN].map(f32::to_bits);
    let mut out = [0; 5];
    periodic(&[&x], &mut out, sin, f64::sin);
    for (x, y) in x.into_iter().zip(out).take(3) {
        let exact = f64::from(f32::from_bits(x)).sin();
        assert!(ulps(f32::from_bits(y), exact) < 1.5);
    }
    assert!(f32::from_bits(out[3]).is_nan() && f32::from_bits(out[4]).is_nan());
}
