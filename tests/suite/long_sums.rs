//! Sums of very many terms of one sign, where additions in turn would lose half of the digits.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Tensor, Variables, autodiff, ops::Geometry,
};

/// Every term.
const ELEMENT: f32 = 0.1;

/// Largest error of `build` on an input of equal elements, as a part of what is `expected`.
fn error(
    device: &Device,
    dims: &[usize],
    build: impl for<'g> Fn(Tensor<'g>) -> Tensor<'g>,
    expected: impl Fn(usize) -> f64,
) -> Result<f64, Error> {
    let graph = Graph::new();
    let y = build(graph.input("x", dims, DType::F32));
    let x = Array::new(dims, &vec![ELEMENT; dims.iter().product()])?;
    let inputs: [(&str, &dyn Feed); 1] = [("x", &x)];
    let program = graph.compile(device, &[y])?;
    let values = program.run(&Variables::new(0), &inputs)?.read_blocking(0)?.to_f64();
    assert!(!values.is_empty());
    let errors = values.iter().enumerate().map(|(index, value)| {
        let exact = expected(index);
        (value - exact).abs() / exact.abs().max(f64::MIN_POSITIVE)
    });
    Ok(errors.fold(0.0, f64::max))
}

#[test]
fn cumulative_sums_gpu() -> Result<(), Error> {
    let len = 1_000_000;
    for device in [Some(Device::cpu()), device::gpu()].into_iter().flatten() {
        for [exclusive, reverse] in [[false, false], [true, false], [false, true]] {
            let terms = move |index: usize| {
                let place = if reverse { len - 1 - index } else { index };
                f64::from(ELEMENT) * (place + usize::from(!exclusive)) as f64
            };
            let error = error(&device, &[len], |x| x.cumsum_from(0, exclusive, reverse), terms)?;
            // A unit in the last place of each sum.
            assert!(error <= 1.2e-7, "{device:?}: {error:e}");
        }
        // Integers wrap, from tile to tile.
        let graph = Graph::new();
        let ones = graph.iota([5000], 0, DType::U32) * 1_000_003u32;
        let sums = ones.cumsum(0).eval(&device, &[])?;
        let mut sum = 0u32;
        for (index, &word) in sums.words().iter().enumerate() {
            sum = sum.wrapping_add((index as u32).wrapping_mul(1_000_003));
            assert_eq!(word, sum, "{device:?}: element {index}");
        }
    }
    Ok(())
}

/// Sums past an infinity are infinite, and sums past both are NaN, tiles later too.
#[test]
fn infinities_in_cumulative_sums_gpu() -> Result<(), Error> {
    let mut data = vec![1f32; 5000];
    (data[100], data[3000]) = (f32::INFINITY, f32::NEG_INFINITY);
    let x = Array::new([5000], &data)?;
    for device in [Some(Device::cpu()), device::gpu()].into_iter().flatten() {
        let graph = Graph::new();
        let sums = graph.input("x", [5000], DType::F32).cumsum(0).eval(&device, &[("x", &x)])?;
        for (index, value) in sums.to_f64().into_iter().enumerate() {
            match index {
                0..100 => assert_eq!(value, index as f64 + 1.0),
                100..3000 => assert_eq!(value, f64::INFINITY, "{device:?}: element {index}"),
                _ => assert!(value.is_nan(), "{device:?}: element {index} is {value}"),
            }
        }
    }
    Ok(())
}

/// Many columns in hundreds of parts.
#[test]
fn sums_of_columns() -> Result<(), Error> {
    let len = 40_000;
    let exact = |_| f64::from(ELEMENT) * len as f64;
    let error = error(&Device::cpu(), &[len, 1], |x| x.broadcast_to([len, 700]).sum(0), exact)?;
    assert!(error <= 1e-6, "{error:e}");
    Ok(())
}

/// The gradient of a weight that is used at very many positions.
#[test]
fn weights_of_convolutions() -> Result<(), Error> {
    let len = 1_000_000;
    let exact = |_| f64::from(ELEMENT) * (len - 2) as f64;
    let error = error(&Device::cpu(), &[1, 1, len], of_weight, exact)?;
    assert!(error <= 1e-5, "{error:e}");
    Ok(())
}

fn of_weight(x: Tensor<'_>) -> Tensor<'_> {
    let weight = x.graph().variable("weight", [1, 1, 3], DType::F32, Init::Ones);
    let sum = x.convolution(weight, Geometry::new(1)).sum(..);
    autodiff::grad(sum, &[weight])[0]
}

/// Products of few elements, each of many terms.
#[test]
fn products() -> Result<(), Error> {
    let (len, square) = (300_000, f64::from(ELEMENT).powi(2));
    for rows in [1, 3] {
        let exact = |_| square * len as f64;
        let dims = [rows, len];
        let error = error(&Device::cpu(), &dims, |x| x.matmul(x.transpose([1, 0])), exact)?;
        assert!(error <= 1e-5, "{rows} rows: {error:e}");
    }
    Ok(())
}
