use super::*;
use crate::{
    Array, Device, Error, Feed, Graph, Variables, autodiff, error::GraphError,
    ops::contract::Noise, testing::evaluate,
};

#[test]
fn keys_are_in_the_order_of_the_elements() {
    let floats =
        [f32::NEG_INFINITY, -3e38, -1.0, -2e-38, 0.0, 2e-38, 1.0, 3e38, f32::INFINITY, f32::NAN];
    let of_floats = floats.map(|x| sort_key(x.to_bits(), DType::F32, false));
    assert!(of_floats.is_sorted_by(|a, b| a < b), "{of_floats:?}");
    let of_ints = [i32::MIN, -1, 0, 1, i32::MAX].map(|x| sort_key(x as u32, DType::I32, false));
    assert!(of_ints.is_sorted_by(|a, b| a < b), "{of_ints:?}");
    let key = |x: f32| sort_key(x.to_bits(), DType::F32, true);
    assert_eq!(key(-0.0), key(0.0));
    assert_eq!(key(f32::NAN), key(-f32::NAN));
}

/// Elements and indices of the largest three of each column, and their cotangents.
#[test]
fn the_largest_few() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [5, 2], DType::F32);
    let (values, indices) = x.top_k(3, 0);
    let weights = graph.input("w", [3, 2], DType::F32);
    let gradient = autodiff::grad((values * weights).sum(..), &[x])[0];
    let device = Device::cpu();
    let program = graph.compile(&device, &[values, indices, gradient])?;
    let given = Array::new([5, 2], &[1.0f32, 7.0, 3.0, 8.0, 3.0, 9.0, 2.0, 7.0, -1.0, 7.0])?;
    let weights = Array::new([3, 2], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let inputs: [(&str, &dyn Feed); 2] = [("x", &given), ("w", &weights)];
    let outputs = program.run(&Variables::new(0), &inputs)?;
    assert_eq!(outputs.read_blocking(0)?.to_f64(), [3.0, 9.0, 3.0, 8.0, 2.0, 7.0]);
    assert_eq!(outputs.read_blocking(1)?.to_f64(), [1.0, 2.0, 2.0, 1.0, 3.0, 0.0]);
    let expected = [0.0, 6.0, 1.0, 4.0, 3.0, 2.0, 5.0, 0.0, 0.0, 0.0];
    assert_eq!(outputs.read_blocking(2)?.to_f64(), expected);
    Ok(())
}

#[test]
fn more_than_there_are() {
    let graph = Graph::new();
    graph.input("x", [4, 3], DType::F32).top_k(4, 1);
    let refused = graph.check();
    assert!(
        matches!(refused, Err(GraphError::Op { reason: OpError::Range { end: 4, .. }, .. })),
        "{refused:?}"
    );
}

/// Short and long rows, each with a cotangent that is scattered back to the original positions.
#[test]
fn sorting_is_sorting() -> Result<(), Error> {
    for cols in [1, 5, 300, 5000] {
        let graph = Graph::new();
        let x = graph.input("x", [2, cols], DType::F32);
        let up = x.sort(1, false);
        let down = x.sort(1, true);
        let ranks = graph.iota([2, cols], 1, DType::F32);
        let gradient = autodiff::grad((up * ranks).sum(..), &[x])[0];
        let mut noise = Noise::new(7);
        let data: Vec<f32> = (0..2 * cols).map(|_| (noise.unit() * 1000.0) as f32).collect();
        let given = Array::new([2, cols], &data)?;
        let program = graph.compile(&Device::cpu(), &[up, down, gradient])?;
        let outputs = program.run(&Variables::new(0), &[("x", &given)])?;
        let [up, down, gradient] = [0, 1, 2].map(|k| outputs.read_blocking(k));
        let (up, down, gradient) = (up?.to_f64(), down?.to_f64(), gradient?.to_f64());
        for row in 0..2 {
            let row = row * cols..(row + 1) * cols;
            let mut expected: Vec<f64> = data[row.clone()].iter().map(|&x| x.into()).collect();
            let own = expected.clone();
            expected.sort_by(f64::total_cmp);
            assert_eq!(up[row.clone()], expected);
            for (x, &rank) in own.iter().zip(&gradient[row.clone()]) {
                assert_eq!(*x, expected[rank as usize], "rank {rank} of {cols}");
            }
            expected.reverse();
            assert_eq!(down[row], expected);
        }
    }
    Ok(())
}

/// Functions of sorted elements are differentiable again.
#[test]
fn the_median_of_squares_has_two_derivatives() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [3], DType::F32);
    let median = (x * x).sort(0, false).slice(0, 1..2).sum(..);
    let slope = autodiff::grad(median, &[x])[0];
    let curvature = autodiff::grad(slope.sum(..), &[x])[0];
    let at = Array64 { meta: x.meta(), data: vec![3.0, -1.0, 2.0] };
    let values = evaluate(&graph, &[median, slope, curvature], &[("x", &at)])?;
    assert_eq!(values[0].data, [4.0]);
    assert_eq!(values[1].data, [0.0, 0.0, 4.0]);
    assert_eq!(values[2].data, [0.0, 0.0, 2.0]);
    Ok(())
}
