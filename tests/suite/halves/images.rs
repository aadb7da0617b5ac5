//! Images of halves, whose coordinates and extents are none.

use super::{
    devices,
    formulas::{agree, agree_within, halves},
};
use wgrad::{
    CoordinateTransform, DType, Error, Graph, Interpolation, PaddingMode, Variables,
    ops::{Geometry, Window},
};

/// A row of distinct neighbors.
fn row(k: usize) -> f64 {
    (k % 64) as f64 / 64.0
}

/// Columns that have no number among halves, from 2048 on.
const WIDE: [usize; 2] = [4096, 70_000];

/// Coordinates from end to end and beyond.
const PLACES: [f64; 12] =
    [-1.125, -1.0, -0.75, -0.4375, -0.25, 0.0, 0.125, 0.3125, 0.5, 0.75, 0.9375, 1.0];

/// The element at a place between those of a row, which are 0 outside.
fn between(place: f64, extent: usize) -> f64 {
    let at = |k: f64| if k >= 0.0 && k < extent as f64 { row(k as usize) } else { 0.0 };
    let (low, share) = (place.floor(), place - place.floor());
    at(low) * (1.0 - share) + at(low + 1.0) * share
}

/// A place among 70,000 is rounded to 2^-8 in f32, where neighbors are 2^-6 apart.
const ERROR: f64 = 1e-4;

#[test]
fn grids_are_sampled_among_many_columns_on_the_gpu_too() -> Result<(), Error> {
    for w in WIDE {
        let grid =
            halves(&[1, 1, PLACES.len(), 2], |k| if k % 2 == 0 { PLACES[k / 2] } else { 0.0 })?;
        let operands = [halves(&[1, 1, 1, w], row)?, grid];
        for (of, scale) in [
            (CoordinateTransform::AlignCorners, (w - 1) as f64),
            (CoordinateTransform::HalfPixel, w as f64),
        ] {
            let middle = (w as f64 - 1.0) / 2.0;
            let place = |x: f64| middle + x * scale / 2.0;
            let expected: Vec<f64> = PLACES.iter().map(|&x| between(place(x), w)).collect();
            agree_within(
                ERROR,
                &format!("{w} columns, {of:?}"),
                &operands,
                |x| x[0].grid_sample(x[1], of, PaddingMode::Zeros),
                &expected,
            )?;
            let edge = |x: f64| place(x).clamp(0.0, (w - 1) as f64);
            let expected: Vec<f64> = PLACES.iter().map(|&x| between(edge(x), w)).collect();
            agree_within(
                ERROR,
                &format!("{w} columns, {of:?}, edge"),
                &operands,
                |x| x[0].grid_sample(x[1], of, PaddingMode::Edge),
                &expected,
            )?;
            let expected: Vec<f64> =
                PLACES.iter().map(|&x| row(edge(x).round_ties_even() as usize)).collect();
            agree(
                &format!("{w} columns, {of:?}, nearest"),
                &operands,
                |x| x[0].grid_sample_nearest(x[1], of, PaddingMode::Edge),
                &expected,
            )?;
        }
    }
    Ok(())
}

/// Position `i` of `m` among `n` elements, and the elements and weights that it is made of.
fn resized(n: usize, m: usize, i: usize, is_cubic: bool, aligned: bool) -> f64 {
    let place = if aligned {
        i as f64 * (n - 1) as f64 / (m - 1) as f64
    } else {
        (i as f64 + 0.5) * n as f64 / m as f64 - 0.5
    };
    let place = if is_cubic { place } else { place.max(0.0) };
    let at = |k: f64| row(k.clamp(0.0, (n - 1) as f64) as usize);
    let low = (place + 1e-9).floor();
    let weight = |d: f64| match d.abs() {
        d if !is_cubic => (1.0 - d).max(0.0),
        d if d <= 1.0 => 1.25 * d.powi(3) - 2.25 * d * d + 1.0,
        d if d < 2.0 => -0.75 * (d.powi(3) - 5.0 * d * d + 8.0 * d - 4.0),
        _ => 0.0,
    };
    (-1..3).map(|k| low + f64::from(k)).map(|k| at(k) * weight(place - k)).sum()
}

#[test]
fn rows_of_many_columns_are_resized_on_the_gpu_too() -> Result<(), Error> {
    use CoordinateTransform::{AlignCorners, HalfPixel};
    for (n, m) in [(4096, 5001), (70_000, 9001)] {
        let x = [halves(&[1, n], row)?];
        for (between, is_cubic, aligned) in [
            (Interpolation::Linear(HalfPixel), false, false),
            (Interpolation::Linear(AlignCorners), false, true),
            (Interpolation::Cubic(HalfPixel), true, false),
        ] {
            let expected: Vec<f64> = (0..m).map(|i| resized(n, m, i, is_cubic, aligned)).collect();
            // Terms of the cubic add up to 24.
            let error = if is_cubic { 1e-4 } else { 1e-5 };
            agree_within(
                error,
                &format!("{n} to {m}, {between:?}"),
                &x,
                |x| x[0].resize(&[m], between),
                &expected,
            )?;
        }
        let expected: Vec<f64> = (0..m).map(|i| row(i * n / m)).collect();
        agree("nearest", &x, |x| x[0].resize(&[m], Interpolation::Nearest), &expected)?;
    }
    Ok(())
}

#[test]
fn windows_of_many_or_of_large_halves_are_pooled_on_the_gpu_too() -> Result<(), Error> {
    const N: usize = 70_000;
    let x = [halves(&[1, 1, N], row)?];
    let mean = |bin: std::ops::Range<usize>| {
        let count = bin.len() as f64;
        bin.map(row).sum::<f64>() / count
    };
    let all = mean(0..N);
    // Two windows of 35,000: a loop of llvmpipe's ends after 65,535 steps.
    let window = [Window::new(175), Window::new(200)];
    let half = [mean(0..N / 2), mean(N / 2..N)];
    agree(
        "avg_pool",
        &x,
        |x| x[0].reshape([1, 2, 175, 200]).avg_pool(&window, false).reshape([2]),
        &half,
    )?;
    agree("one bin", &x, |x| x[0].adaptive_avg_pool(&[1]).reshape([1]), &[all])?;
    let bins = [0..23_334, 23_333..46_667, 46_666..N].map(mean);
    agree("three bins", &x, |x| x[0].adaptive_avg_pool(&[3]).reshape([3]), &bins)?;
    // The mean of means along two axes is rounded once.
    let image = halves(&[1, 1, 5, 7], |k| 1.0 + row(k * 37))?;
    let cells = image.to_f64();
    let bin = |k: usize, n: usize, m: usize| k * n / m..((k + 1) * n).div_ceil(m);
    let expected: Vec<f64> = (0..6)
        .map(|k| {
            let (rows, columns) = (bin(k / 3, 5, 2), bin(k % 3, 7, 3));
            let count = (rows.len() * columns.len()) as f64;
            let sum: f64 = rows
                .flat_map(|i| columns.clone().map(move |j| (i, j)))
                .map(|(i, j)| cells[7 * i + j])
                .sum();
            sum / count
        })
        .collect();
    agree("six bins", &[image], |x| x[0].adaptive_avg_pool(&[2, 3]).reshape([6]), &expected)?;
    let large = [halves(&[1, 1, 2, 2], |k| [300.0, 400.0, 500.0, 600.0][k])?];
    let norm = [300f64, 400.0, 500.0, 600.0].iter().map(|x| x * x).sum::<f64>().sqrt();
    agree("lp_pool", &large, |x| x[0].lp_pool(&[Window::new(2); 2], 2.0).reshape([1]), &[norm])
}

/// Indices beyond 2048 are no halves.
#[test]
fn the_largest_of_many_halves_is_found_on_the_gpu_too() -> Result<(), Error> {
    const N: usize = 5000;
    let x = halves(&[1, 1, N], row)?;
    for device in devices() {
        let graph = Graph::new();
        let input = graph.input("x", [1, 1, N], DType::F16);
        let (y, places) = input.max_pool_with_indices(&[Window::new(50)]);
        let program = graph.compile_pure(&device, &[y, places])?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        let (y, places) = (outputs.read_blocking(0)?.to_f64(), outputs.read_blocking(1)?.to_f64());
        for (window, (y, place)) in y.into_iter().zip(places).enumerate() {
            let cells = 50 * window..50 * window + 50;
            let (at, largest) = cells
                .map(|k| (k, row(k)))
                .fold((0, -1.0), |best, cell| if cell.1 > best.1 { cell } else { best });
            assert_eq!((y, place), (largest, at as f64), "{}", device.name());
        }
    }
    Ok(())
}

#[test]
fn channels_of_large_halves_are_scaled_on_the_gpu_too() -> Result<(), Error> {
    let x = [halves(&[1, 3, 1], |k| [300.0, -200.0, 500.0][k])?];
    let [a, b, c] = [300f64, -200.0, 500.0];
    let near = [a * a + b * b, a * a + b * b + c * c, b * b + c * c];
    let expected: Vec<f64> = [a, b, c]
        .into_iter()
        .zip(near)
        .map(|(x, squares)| x / (2.0 + 1e-4 / 3.0 * squares).powf(0.75))
        .collect();
    agree(
        "response",
        &x,
        |x| x[0].local_response_norm(3, 1e-4, 0.75, 2.0).reshape([3]),
        &expected,
    )?;

    // Two images that differ by 600 have a deviation of 300, and those of equal ones are 1e-4.
    let x = [halves(&[2, 2, 1, 1], |k| [300.0, 0.0, -300.0, 0.0][k])?];
    let deviation = ((9e4f64 + 1e-8).sqrt() + 1e-4) / 2.0;
    let expected = [300.0, 0.0, deviation, -300.0, 0.0, deviation];
    agree("deviation", &x, |x| x[0].minibatch_deviation(2).reshape([6]), &expected)?;

    // Weights of 300 have squares of 90,000; styles of 0 would be divided by 0 without the 1e-8.
    let x = halves(&[2, 1, 1, 2], |k| 1.0 + k as f64)?;
    let weight = halves(&[1, 1, 1, 1], |_| 300.0)?;
    let styles = halves(&[2, 1], |k| [2.0, 0.0][k])?;
    let operands = [x, weight, styles];
    let modulated = 600.0 / (36e4f64 + 1e-8).sqrt();
    agree(
        "modulated",
        &operands,
        |x| x[0].modulated_convolution(x[1], x[2], Geometry::new(2), true).reshape([4]),
        &[modulated, 2.0 * modulated, 0.0, 0.0],
    )
}
