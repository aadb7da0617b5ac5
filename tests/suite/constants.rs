//! Constants made of arrays, on every device.

use crate::device;
use half::f16;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, GraphError, OpError, Reduction, Tensor, Variables,
    autodiff, ops::Pow,
};

fn devices() -> Vec<Device> {
    [Some(Device::Reference), Some(Device::cpu()), device::gpu()].into_iter().flatten().collect()
}

#[test]
fn what_a_constant_is_made_of_on_cpu_and_gpu() -> Result<(), Error> {
    let graph = Graph::new();
    let row: &[f64] = &[0.1, -2.5];
    let nested: &[[[u32; 1]; 2]; 1] = &[[[u32::MAX], [3]]];
    let given = Array::new([3], &[f16::from_f32(0.1), f16::ONE, f16::INFINITY])?;
    let halves = graph.constant(&given);
    assert_eq!(halves.dtype(), DType::F16);
    let tensors = [
        (graph.constant([[1.0, 2.0, 4.0], [8.0, 0.1, f64::NAN]]), vec![2, 3]),
        (graph.constant(vec![vec![1i32, -7], vec![i32::MIN, i32::MAX]]), vec![2, 2]),
        (graph.constant(nested), vec![1, 2, 1]),
        (graph.constant([true, false, true]), vec![3]),
        (graph.constant(row), vec![2]),
        (graph.constant(vec![[0.5f32; 3], [0.25, -0.0, 1e-40]]), vec![2, 3]),
        (graph.constant(Array::scalar(3i32)), vec![]),
        (graph.constant(2.5), vec![]),
        (graph.constant([7.0; 5]), vec![5]),
        (graph.constant([[0.0f32; 0]; 4]), vec![4, 0]),
        (graph.constant(Vec::<[u32; 2]>::new()), vec![0, 2]),
        (halves.cast(DType::F32), vec![3]),
    ];
    let words: [Vec<u32>; 12] = [
        [1.0, 2.0, 4.0, 8.0, 0.1, f32::NAN].map(f32::to_bits).to_vec(),
        [1, -7, i32::MIN, i32::MAX].map(|x: i32| x as u32).to_vec(),
        vec![u32::MAX, 3],
        vec![1, 0, 1],
        [0.1f32, -2.5].map(f32::to_bits).to_vec(),
        [0.5f32, 0.5, 0.5, 0.25, -0.0, 1e-40].map(f32::to_bits).to_vec(),
        vec![3],
        vec![2.5f32.to_bits()],
        vec![7f32.to_bits(); 5],
        vec![],
        vec![],
        [f16::from_f32(0.1).to_f32(), 1.0, f32::INFINITY].map(f32::to_bits).to_vec(),
    ];
    let outputs: Vec<_> = tensors.iter().map(|(tensor, _)| *tensor).collect();
    for ((tensor, dims), words) in tensors.iter().zip(&words) {
        assert_eq!(tensor.shape().dims(), dims);
        assert_eq!(tensor.shape().len(), words.len());
    }
    for device in devices() {
        // What has no f16 refuses the last one.
        let count = if device.name().contains("f16") { 12 } else { 11 };
        let program = graph.compile(&device, &outputs[..count])?;
        for _ in 0..2 {
            let results = program.run(&Variables::new(0), &[])?;
            for (k, expected) in words.iter().enumerate().take(count) {
                let got = results.read_blocking(k)?;
                let is_same = |(&a, &b): (&u32, &u32)| {
                    let [x, y] = [a, b].map(f32::from_bits);
                    a == b || got.dtype() == DType::F32 && x.is_nan() && y.is_nan()
                };
                let same = got.words().iter().zip(expected).all(is_same);
                assert!(same && got.words().len() == expected.len(), "{k} on {}", device.name());
            }
        }
    }
    for device in [Device::Reference, Device::cpu()] {
        let got = outputs[11].eval(&device, &[])?;
        assert_eq!(got.words(), words[11], "halves on {}", device.name());
    }
    Ok(())
}

/// As an operand of what is fused, of products, and of indexing, in two programs and with effects.
#[test]
fn constants_among_operands_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        let x = graph.input("x", [2, 3], DType::F32);
        let weights = graph.constant([[1.0, -2.0], [0.5, 3.0], [2.0, 0.25]]);
        let order = graph.constant([1u32, 0, 1]);
        let mask = graph.constant([[true, false], [false, true]]);
        let product = x.matmul(weights);
        let chosen =
            mask.select(product, -1.0).index_select(order, 0) + graph.constant([10.0, 20.0]);
        let slope = autodiff::grad(chosen.sum(..), &[x])[0];
        let total = graph.variable("total", [2, 3], DType::F32, wgrad::Init::Zeros);
        graph.assign(total, total + x * graph.constant([1.0, 2.0, 3.0]));
        let value = Array::new([2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
        let inputs = [("x", &value as &dyn Feed)];
        let variables = Variables::new(0);
        // Products are [8, 4.75] and [18.5, 8.5].
        let expected = [9.0, 28.5, 18.0, 19.0, 9.0, 28.5];
        let expected_slope = [1.0, 0.5, 2.0, -4.0, 6.0, 0.5];
        let first = graph.compile(&device, &[chosen])?;
        let second = graph.compile(&device, &[slope, chosen])?;
        for _ in 0..2 {
            let outputs = first.run(&variables, &inputs)?;
            assert_eq!(outputs.read_blocking(0)?.to_vec::<f32>()?, expected, "{}", device.name());
            let outputs = second.run(&variables, &inputs)?;
            let slope = outputs.read_blocking(0)?.to_vec::<f32>()?;
            assert_eq!(slope, expected_slope, "{}", device.name());
            assert_eq!(outputs.read_blocking(1)?.to_vec::<f32>()?, expected);
        }
        let total = variables.get("total")?.to_vec::<f32>()?;
        assert_eq!(total, [4.0, 16.0, 36.0, 16.0, 40.0, 72.0], "{}", device.name());
        if second.plan().is_some() {
            let named = [("x", &value)];
            let diff = second.diff(&Variables::new(0), &named, std::slice::from_ref(&device))?;
            assert!(diff.divergence.is_none() && diff.compared > 0, "{}", device.name());
        }
        drop(first);
        let outputs = second.run(&variables, &inputs)?;
        assert_eq!(outputs.read_blocking(1)?.to_vec::<f32>()?, expected, "{}", device.name());
    }
    Ok(())
}

#[test]
fn a_constant_has_no_derivative() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [2], DType::F32);
    let c = graph.constant([1.0, 2.0]);
    let y = (x * c).exp();
    let slopes = autodiff::vjp(y, y.full_like(1.0), &[x, c]);
    assert!(slopes[0].is_some() && slopes[1].is_none_or(|slope| slope.shape().dims() == [2]));
    graph.check().map_err(Error::from)
}

#[test]
fn a_plan_counts_each_constant_once() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [64], DType::F32);
    let table: Vec<f32> = (0..1000).map(|k| k as f32).collect();
    let [a, b] = [0, 1].map(|_| graph.constant(&table));
    let index = x.cast(DType::U32);
    let y = a.index_select(index, 0) + b.index_select(index + 1u32, 0);
    let program = graph.compile(&Device::cpu(), &[y])?;
    let plan = program.plan().expect("it is planned");
    let text = plan.to_string();
    assert!(text.contains("const0") && !text.contains("const1"), "{text}");
    let bytes = plan.peak_bytes();
    assert!((4000 + 256..2 * 4000).contains(&bytes), "{bytes} bytes");
    let dump = graph.to_string();
    assert!(dump.contains("constant[0, 1, 2, 3, ..](): [1000] f32"), "{dump}");
    assert!(graph.to_dot().len() < 2000);
    Ok(())
}

#[test]
fn nested_vectors_that_differ_are_refused() {
    let refused = |build: fn(&Graph)| {
        let graph = Graph::new();
        build(&graph);
        match graph.check() {
            Err(GraphError::Op { op, reason, place, .. }) => {
                assert_eq!(op, "constant");
                assert!(place.location.file().ends_with("constants.rs"));
                reason
            }
            other => unreachable!("{other:?} is not that"),
        }
    };
    let ragged = OpError::Argument("nested rows differ in length");
    assert_eq!(refused(|g| _ = g.constant(vec![vec![1.0], vec![1.0, 2.0]])), ragged);
    assert_eq!(refused(|g| _ = g.constant(vec![vec![], vec![1.0]])), ragged);
    assert_eq!(refused(|g| _ = g.constant([[[0.0f32; 0]; 1 << 20]; 1 << 20])), OpError::TooLarge);
}

fn table(graph: &Graph) -> Tensor<'_> {
    graph.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
}

#[test]
fn constant_indices_are_looked_at_while_the_graph_is_built() -> Result<(), Error> {
    let refused = |build: fn(&Graph)| {
        let graph = Graph::new();
        build(&graph);
        match graph.check() {
            Err(GraphError::Op { reason: OpError::Index { index, extent }, .. }) => {
                Some((index, extent))
            }
            Err(error) => unreachable!("{error}"),
            Ok(()) => None,
        }
    };
    assert_eq!(refused(|g| _ = table(g).index_select(g.constant([2u32, 0, 3]), 0)), Some((3, 3)));
    // What a slice cuts off does not matter, and what it keeps does.
    assert_eq!(
        refused(|g| _ = table(g).index_select(g.constant([2u32, 0, 3]).slice(0, ..2), 0)),
        None
    );
    assert_eq!(
        refused(|g| {
            let indices = g.constant([[2u32, 0], [3, 1]]).t().flip(0).reshape([4]);
            table(g).index_select(indices, 0);
        }),
        Some((3, 3))
    );
    assert_eq!(
        refused(
            |g| _ = table(g).scatter_add_along_axis(g.constant([[0u32, 9], [1, 1], [0, 0]]), 1, 4)
        ),
        Some((9, 4))
    );
    assert_eq!(
        refused(|g| {
            table(g).log_softmax(1).negative_log_likelihood(
                g.constant([0u32, 1, 2]),
                -1,
                Reduction::None,
            );
        }),
        Some((2, 2))
    );
    assert_eq!(
        refused(|g| _ = table(g).index_put(g.constant([[0u32, 5]]), g.constant([1.0]))),
        Some((5, 2))
    );
    // Beside an input they are found when the program is compiled.
    let graph = Graph::new();
    let x = graph.input("x", [1], DType::U32);
    let both = graph.concat(&[x, graph.constant([0u32, 8])], 0);
    let y = table(&graph).index_select(both, 0);
    graph.check()?;
    let error = graph.compile(&Device::cpu(), &[y]).expect_err("8 is out of range");
    assert!(error.to_string().contains("index 8 is out of range for extent 3"), "{error}");
    Ok(())
}

/// Numbers on both sides of a selection and on the left of operators, and the types that result.
#[test]
fn numbers_beside_tensors() -> Result<(), Error> {
    let graph = Graph::new();
    let mask = graph.constant([true, false]);
    let whole = graph.constant([7i32, -7]);
    let counts = graph.constant([7u32, 2]);
    let x = graph.constant([3.0, 0.5]);
    let cases = [
        (mask.select(1.0, 0.0), DType::F32, [1.0, 0.0]),
        (mask.select(1, 0), DType::I32, [1.0, 0.0]),
        (mask.select(5u32, 6u32), DType::U32, [5.0, 6.0]),
        (mask.select(x, 9.0), DType::F32, [3.0, 9.0]),
        (mask.select(9, whole), DType::I32, [9.0, -7.0]),
        (mask.select(counts, 0), DType::U32, [7.0, 0.0]),
        (2.0 * x, DType::F32, [6.0, 1.0]),
        (1.0 - x, DType::F32, [-2.0, 0.5]),
        (2.0 / x, DType::F32, [2.0 / 3.0, 4.0]),
        (7.0 % x, DType::F32, [1.0, 0.0]),
        (2 * whole, DType::I32, [14.0, -14.0]),
        (20 % whole, DType::I32, [6.0, 6.0]),
        (-whole, DType::I32, [-7.0, 7.0]),
        (2u32 * counts, DType::U32, [14.0, 4.0]),
        (1u32 << counts, DType::U32, [128.0, 4.0]),
        (2f64.pow(x), DType::F32, [8.0, std::f64::consts::SQRT_2]),
        (Pow::pow(0.5, x), DType::F32, [0.125, std::f64::consts::FRAC_1_SQRT_2]),
        (whole.remainder(4), DType::I32, [3.0, 1.0]),
        (whole.floor_divide(4), DType::I32, [1.0, -2.0]),
        (whole % 4, DType::I32, [3.0, -3.0]),
        (whole / 4, DType::I32, [1.0, -1.0]),
        ((!mask).cast(DType::I32), DType::I32, [0.0, 1.0]),
    ];
    graph.check()?;
    for (k, (tensor, dtype, expected)) in cases.into_iter().enumerate() {
        assert_eq!(tensor.dtype(), dtype, "case {k}");
        let got = tensor.eval(&Device::cpu(), &[])?.to_f64();
        let near = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-6);
        assert!(near, "case {k}: {got:?}");
    }
    Ok(())
}
