//! Errors of the CPU over whole domains.

use super::*;
use crate::{Array, Device, Error, Feed, Graph, Variables, ops::contract::unit_in_last_place};

/// Number of points between two floats, evenly spaced in their bits.
const POINTS: u32 = 200_000;

/// Evenly spaced floats from `low` to `high`, which have the same sign.
fn floats(low: f32, high: f32) -> Vec<f32> {
    let (first, last) = (low.to_bits().min(high.to_bits()), low.to_bits().max(high.to_bits()));
    (first..=last).step_by(((last - first) / POINTS + 1) as usize).map(f32::from_bits).collect()
}

/// Both signs of floats of every magnitude from `low` to `high`.
fn both(low: f32, high: f32) -> Vec<f32> {
    [floats(low, high), floats(-low, -high)].concat()
}

/// The largest error at these points, in units in the last place.
fn worst(
    points: &[f32],
    f: impl for<'g> Fn(Tensor<'g>) -> Tensor<'g>,
    exact: impl Fn(f64) -> f64,
) -> Result<f64, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [points.len()], DType::F32);
    let program = graph.compile_pure(&Device::cpu(), &[f(x)])?;
    let data: Vec<f64> = points.iter().copied().map(f64::from).collect();
    let values = Array::from_f64(x.meta(), &data)?;
    let feeds: [(&str, &dyn Feed); 1] = [("x", &values)];
    let got = program.run(&Variables::new(0), &feeds)?.read_blocking(0)?.to_f64();
    let mut worst = (0.0, 0.0);
    for (&x, got) in data.iter().zip(got) {
        let exact = exact(x);
        let error = (got - exact).abs() / unit_in_last_place(exact, DType::F32);
        if error > worst.0 || error.is_nan() {
            worst = (error, x);
        }
    }
    println!("{:.2} units at {:e}", worst.0, worst.1);
    Ok(worst.0)
}

#[test]
fn the_tangent_is_accurate() -> Result<(), Error> {
    assert!(worst(&both(1e-30, 4.0), |x| x.tan(), f64::tan)? < 4.0);
    assert!(worst(&both(4.0, 1e5), |x| x.tan(), f64::tan)? < 5.0);
    // Next to zeros and poles.
    let hard: Vec<f32> = (1..63_000).map(|k| (f64::from(k) * FRAC_PI_2) as f32).collect();
    assert!(worst(&hard, |x| x.tan(), f64::tan)? < 8.0);
    Ok(())
}

#[test]
fn angles_are_accurate() -> Result<(), Error> {
    let near_one = both(0.98, 1.0);
    assert!(worst(&both(1e-30, 1.0), |x| x.asin(), f64::asin)? < 3.0);
    assert!(worst(&near_one, |x| x.asin(), f64::asin)? < 3.0);
    assert!(worst(&both(1e-30, 1.0), |x| x.acos(), f64::acos)? < 3.0);
    assert!(worst(&near_one, |x| x.acos(), f64::acos)? < 3.0);
    assert!(worst(&both(1e-30, f32::MAX), |x| x.atan(), f64::atan)? < 2.0);
    assert!(worst(&both(0.1, 10.0), |x| x.atan(), f64::atan)? < 2.0);
    Ok(())
}

#[test]
fn hyperbolic_functions_are_accurate() -> Result<(), Error> {
    for points in [both(1e-30, 89.4), both(0.1, 4.0)] {
        assert!(worst(&points, |x| x.sinh(), f64::sinh)? < 4.0);
        assert!(worst(&points, |x| x.cosh(), f64::cosh)? < 4.0);
    }
    Ok(())
}

#[test]
fn inverse_hyperbolic_functions_are_accurate() -> Result<(), Error> {
    for points in [both(1e-30, f32::MAX), both(0.1, 10.0)] {
        assert!(worst(&points, |x| x.asinh(), f64::asinh)? < 4.0);
    }
    for points in [floats(1.0, f32::MAX), floats(1.0, 1.1), floats(1.0, 10.0)] {
        assert!(worst(&points, |x| x.acosh(), f64::acosh)? < 4.0);
    }
    for points in [both(1e-30, 0.999_999_94), both(0.98, 0.999_999_94)] {
        assert!(worst(&points, |x| x.atanh(), f64::atanh)? < 2.0);
    }
    Ok(())
}
