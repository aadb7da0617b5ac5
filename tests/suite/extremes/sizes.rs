//! Resizing where the products of positions and extents pass 2^31, against places in 128 bits.

use super::{devices, values};
use wgrad::{
    Array,
    CoordinateTransform::{AlignCorners, HalfPixel},
    DType, Device, Error, Graph, Interpolation, Meta, autodiff,
};

const ALL: [Interpolation; 6] = [
    Interpolation::Nearest,
    Interpolation::NearestMiddle,
    Interpolation::Linear(HalfPixel),
    Interpolation::Linear(AlignCorners),
    Interpolation::Cubic(HalfPixel),
    Interpolation::Cubic(AlignCorners),
];

/// The elements that position `i` of `m` takes of `n`, and their weights.
fn taps(n: usize, m: usize, i: usize, between: Interpolation) -> Vec<(usize, f64)> {
    let [n, m, i] = [n, m, i].map(|x| x as i128);
    let clamped = |k: i128| k.clamp(0, n - 1) as usize;
    let (above, below) = match between {
        Interpolation::Nearest => return vec![(clamped(i * n / m), 1.0)],
        Interpolation::NearestMiddle => return vec![(clamped((2 * i + 1) * n / (2 * m)), 1.0)],
        Interpolation::Linear(HalfPixel) | Interpolation::Cubic(HalfPixel) => {
            ((2 * i + 1) * n - m, 2 * m)
        }
        _ => (i * (n - 1), (m - 1).max(1)),
    };
    let is_linear = matches!(between, Interpolation::Linear(_));
    let above = if is_linear { above.max(0) } else { above };
    let low = above.div_euclid(below);
    let share = above.rem_euclid(below) as f64 / below as f64;
    if is_linear {
        return vec![(clamped(low), 1.0 - share), (clamped(low + 1), share)];
    }
    let weight = |t: f64| match t.abs() {
        t if t <= 1.0 => 1.25 * t.powi(3) - 2.25 * t * t + 1.0,
        t => -0.75 * t.powi(3) + 3.75 * t * t - 6.0 * t + 3.0,
    };
    (-1..3).map(|k| (clamped(low + k), weight(share - k as f64))).collect()
}

/// A row of few different numbers, resized; and the derivative by the row for the same kind of numbers.
fn agree(device: &Device, n: usize, m: usize, between: Interpolation) -> Result<(), Error> {
    let noise =
        |len: usize| (0..len).map(|k| ((k * 7 + k / 11) % 13) as f64 / 8.0 - 0.75).collect();
    let (x, c): (Vec<f64>, Vec<f64>) = (noise(n), noise(m));
    let mut expected = [vec![0.0; m], vec![0.0; n]];
    for (i, c) in c.iter().enumerate() {
        for (k, weight) in taps(n, m, i, between) {
            expected[0][i] += weight * x[k];
            expected[1][k] += weight * c;
        }
    }
    let graph = Graph::new();
    let of = |dims: usize, data: &[f64]| Array::from_f64(Meta::new([dims], DType::F32), data);
    let (row, cotangent) = (of(n, &x)?, of(m, &c)?);
    let x = graph.input("x", [n], DType::F32);
    let y = x.resize(&[m], between);
    let slope = autodiff::grad((y * graph.input("c", [m], DType::F32)).sum(..), &[x])[0];
    let got = values(device, &graph, &[y, slope], &[("x", &row), ("c", &cotangent)])?;
    // A share is rounded, and so is what it weighs; a sum has as many terms as there are positions for
    // an element.
    let terms = 4.0 + 4.0 * (m / n) as f64;
    for ((got, expected), error) in got.iter().zip(&expected).zip([2e-6, 5e-7 * terms]) {
        for (k, (got, expected)) in got.iter().zip(expected).enumerate() {
            let apart = (got - expected).abs();
            let what = format!("{between:?}, {n} to {m} on {}", device.name());
            assert!(apart <= error, "{what}, element {k}: {got} instead of {expected}");
        }
    }
    Ok(())
}

#[test]
fn sizes_of_100_000_are_right_to_the_element() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        for (n, m) in
            [(3, 100_000), (12_345, 100_000), (20_000, 100_000), (99_991, 70_001), (100_000, 7)]
        {
            ALL.into_iter().try_for_each(|between| agree(&device, n, m, between))?;
        }
    }
    Ok(())
}

#[test]
fn sizes_of_100_000_are_right_on_the_gpu_too() -> Result<(), Error> {
    for device in devices().into_iter().filter(|device| matches!(device, Device::Gpu(_))) {
        for between in [Interpolation::NearestMiddle, Interpolation::Linear(HalfPixel)] {
            agree(&device, 12_345, 100_000, between)?;
        }
        agree(&device, 99_991, 70_001, Interpolation::Cubic(AlignCorners))?;
    }
    Ok(())
}

/// Along two axes and three, each by itself.
#[test]
fn large_sizes_of_images_and_volumes() -> Result<(), Error> {
    let [wide, narrow] = [33_000, 70_001];
    for between in ALL {
        let graph = Graph::new();
        let x = graph.iota([1, 2, wide], 1, DType::F32)
            + graph.iota([1, 2, wide], 2, DType::F32) / 1024.0;
        let image = x.resize(&[2, narrow], between);
        let volume = x.resize(&[1, 3, narrow], between);
        let [image, volume]: [Vec<f64>; 2] = values(&Device::cpu(), &graph, &[image, volume], &[])?
            .try_into()
            .expect("there are two");
        let at = |row: f64, column: usize| {
            let along = taps(wide, narrow, column, between).into_iter();
            along.map(|(k, weight)| weight * (row + k as f64 / 1024.0)).sum::<f64>()
        };
        for column in (0..narrow).step_by(997) {
            for row in 0..2 {
                let (got, expected) = (image[row * narrow + column], at(row as f64, column));
                assert!((got - expected).abs() < 5e-5, "{between:?}: {got} instead of {expected}");
            }
            for row in 0..3 {
                let down = taps(2, 3, row, between).into_iter();
                let expected: f64 = down.map(|(k, weight)| weight * at(k as f64, column)).sum();
                let got = volume[row * narrow + column];
                assert!((got - expected).abs() < 5e-5, "{between:?}: {got} instead of {expected}");
            }
        }
    }
    Ok(())
}
