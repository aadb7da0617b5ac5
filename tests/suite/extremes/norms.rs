//! Norms of every order and their derivatives by the formulas, ties and zeros among the elements.

use super::{devices, values};
use wgrad::{Array, DType, Device, Error, Graph, Meta, autodiff};

const INF: f64 = f64::INFINITY;
const ORDERS: [f64; 15] =
    [-INF, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, INF];
const WIDTH: usize = 4;
/// Without zeros; with ties of the largest and of the smallest; with zeros, and of nothing else.
const ROWS: [[f64; WIDTH]; 5] = [
    [0.5, -1.5, 2.0, -0.75],
    [3.0, -3.0, 1.0, -1.0],
    [0.0, -2.0, 0.0, 1.25],
    [0.0; WIDTH],
    [-1.5; WIDTH],
];

/// The norm of a row, and its derivative by each element.
fn norm(row: &[f64], p: f64) -> (f64, Vec<f64>) {
    let sizes: Vec<f64> = row.iter().map(|x| x.abs()).collect();
    let extreme =
        sizes.iter().copied().fold(-INF * p.signum(), if p > 0.0 { f64::max } else { f64::min });
    let y = match p {
        0.0 => sizes.iter().filter(|&&size| size != 0.0).count() as f64,
        p if p.is_infinite() => extreme,
        p => sizes.iter().map(|size| size.powf(p)).sum::<f64>().powf(1.0 / p),
    };
    let ties = sizes.iter().filter(|&&size| size == extreme).count() as f64;
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    let slope = |&x: &f64| match p {
        0.0 => 0.0,
        p if p.is_infinite() && x.abs() == extreme => sign(x) / ties,
        p if p.is_infinite() => 0.0,
        _ if x == 0.0 || y == 0.0 => 0.0,
        p => sign(x) * (x.abs() / y).powf(p - 1.0),
    };
    (y, row.iter().map(slope).collect())
}

/// Fails if a number is further from the formula's than `error` of it.
fn near(got: &[f64], expected: &[f64], error: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        let is_near = (got - expected).abs() <= error * expected.abs().max(1.0);
        assert!(is_near, "{what}: {got:e} instead of {expected:e}");
    }
}

#[test]
fn norms_of_every_order_on_the_gpu_too() -> Result<(), Error> {
    for device in devices() {
        for dtype in [DType::F32, DType::F16] {
            if let Device::Gpu(gpu) = &device
                && !gpu.has(dtype)
            {
                continue;
            }
            let error = match (&device, dtype) {
                (_, DType::F16) => 1e-3,
                (Device::Reference, _) => 1e-7,
                _ => 3e-6,
            };
            let graph = Graph::new();
            let meta = Meta::new([ROWS.len(), WIDTH], dtype);
            let x = graph.input("x", &meta.shape, dtype);
            let norms = ORDERS.map(|p| x.norm_p(p, 1));
            let slopes = norms.map(|y| autodiff::grad(y.cast(DType::F32).sum(..), &[x])[0]);
            let value = Array::from_f64(meta, &ROWS.concat())?;
            let got = values(&device, &graph, &[norms, slopes].concat(), &[("x", &value)])?;
            for (k, p) in ORDERS.into_iter().enumerate() {
                let what = format!("order {p} of {dtype} on {}", device.name());
                let (y, slopes): (Vec<f64>, Vec<_>) = ROWS.iter().map(|row| norm(row, p)).unzip();
                near(&got[k], &y, error, &what);
                near(&got[ORDERS.len() + k], &slopes.concat(), error, &what);
            }
        }
    }
    Ok(())
}
