//! Derivatives of every operation, first and second order, against differences in f64.

use std::collections::BTreeMap;
use wgrad::{
    Array, Array64, DType, Device, Error, Feed, Graph, Meta, Reduction, Tensor, autodiff,
    testing::{Domain, GRAD_CHECK_BOUNDS, Sample, evaluate, grad_check, samples},
};

const NOISE: Domain = Domain::Range(-1.0, 1.0);

#[test]
fn derivatives_are_the_slopes() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for sample in samples() {
        match sample.grad_check() {
            Ok(None) => {}
            Ok(Some(slopes)) => {
                checked += 1;
                for (order, (slope, bound)) in slopes.iter().zip(GRAD_CHECK_BOUNDS).enumerate() {
                    let error = slope.error();
                    if error.is_nan() || error > bound {
                        let order = order + 1;
                        failures.push(format!("{sample}, order {order}: {error:.1e}, {slope:?}"));
                    }
                }
            }
            Err(error) => failures.push(format!("{sample}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{} of {checked}:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 50, "only {checked} samples have a derivative");
}

/// `x` that derivatives do not see makes wrong ones: the check notices, of the first order and of the
/// second.
#[test]
fn wrong_derivatives_are_noticed() -> Result<(), Error> {
    type Function = for<'g> fn(&'g Graph, &[Tensor<'g>]) -> Tensor<'g>;
    let x = Domain::Range(0.5, 2.0).fill(&Meta::new([7], DType::F32), 3);
    let errors = |function: Function| -> Result<[f64; 2], Error> {
        let slopes = grad_check(std::slice::from_ref(&x), function)?.expect("x is a float");
        Ok(slopes.map(|slope| slope.error()))
    };
    // x^3, as it is.
    let [first, second] = errors(|_, x| x[0] * x[0] * x[0])?;
    assert!(first < GRAD_CHECK_BOUNDS[0] && second < GRAD_CHECK_BOUNDS[1], "{first:e} {second:e}");
    // x^2 whose derivative seems to be x.
    let [first, _] = errors(|_, x| x[0].detach() * x[0])?;
    assert!(first > 0.1, "{first:e}");
    // x^3 whose derivative is 3 x^2 as it should be, and constant.
    let [first, second] = errors(|_, x| {
        let d = x[0].detach();
        x[0] * d * d * 3.0 - d * d * d * 2.0
    })?;
    assert!(first < GRAD_CHECK_BOUNDS[0], "{first:e}");
    assert!(second > 0.1, "{second:e}");
    Ok(())
}

/// An operand whose derivative is a little wrong, while its values are right.
type Mutation = for<'g> fn(Tensor<'g>) -> Tensor<'g>;

/// Zero, with the derivatives of `x`.
fn trace(x: Tensor<'_>) -> Tensor<'_> {
    x - x.detach()
}

/// Cotangents too large by a hundredth, each by one more than the one before.
fn scaled(x: Tensor<'_>) -> Tensor<'_> {
    let len = x.shape().len();
    let more = x.graph().iota([len], 0, x.dtype()) * 0.01 + 0.01;
    x + trace(x) * more.reshape(x.shape())
}

/// A part of each cotangent goes to the wrong element.
fn misplaced(x: Tensor<'_>) -> Tensor<'_> {
    let flat = x.reshape([x.shape().len()]);
    x + trace(flat.flip(0)).reshape(x.shape()) * 0.1
}

/// Right in the first order, and wrong in the second.
fn bent(x: Tensor<'_>) -> Tensor<'_> {
    x + trace(x) * trace(x)
}

/// Whether the result does not depend on an operand, as far as differentiation knows.
fn is_constant(sample: &Sample, operand: usize) -> Result<bool, Error> {
    let graph = Graph::new();
    let (inputs, y) = sample.build(&graph);
    let c = graph.input("c", y.shape(), y.dtype());
    let gradient = autodiff::grad((y * c).sum(..), &[inputs[operand]])[0];
    let mut given: Vec<(String, Array64)> = vec![("c".to_owned(), NOISE.fill(&y.meta(), 100))];
    given.extend(sample.values().into_iter().enumerate().map(|(k, x)| (k.to_string(), x)));
    let given: Vec<(&str, &Array64)> = given.iter().map(|(name, x)| (name.as_str(), x)).collect();
    Ok(evaluate(&graph, &[gradient], &given)?[0].data.iter().all(|&g| g == 0.0))
}

/// Every derivative of every operation, by every operand, made wrong in three ways: none of it
/// passes. So what passes is right by each operand.
#[test]
fn a_wrong_derivative_of_any_operation_is_noticed() -> Result<(), Error> {
    let mutations: [(&str, Mutation, usize); 3] =
        [("scaled", scaled, 0), ("misplaced", misplaced, 0), ("bent", bent, 1)];
    let mut unnoticed = Vec::new();
    // By operation and operand: how many samples tell.
    let mut telling: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    for sample in samples() {
        if !matches!(sample.grad_check(), Ok(Some(_))) {
            continue;
        }
        for (operand, (meta, _)) in sample.operands.iter().enumerate() {
            // One element alone has no wrong place.
            if !meta.dtype.is_float() || meta.shape.len() < 2 {
                continue;
            }
            let tells = telling.entry((sample.subject.name(), operand)).or_default();
            if is_constant(&sample, operand)? {
                continue;
            }
            *tells += 1;
            for (name, mutation, order) in mutations {
                let wrong = grad_check(&sample.values(), |graph, inputs| {
                    let mut inputs = inputs.to_vec();
                    inputs[operand] = mutation(inputs[operand]);
                    sample.apply(graph, &inputs)
                })?;
                let slope = wrong.expect("it had slopes before")[order];
                if slope.error() < 10.0 * GRAD_CHECK_BOUNDS[order] {
                    unnoticed.push(format!("{sample}, operand {operand}, {name}: {slope:?}"));
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}:\n{}", unnoticed.len(), unnoticed.join("\n"));
    // Which cell is the largest is constant almost everywhere, and so is what a sign chooses; a
    // derivative or a sibling takes all operands of its family, and not each needs all.
    let constant = [
        ("max_pool_grad", 0),
        ("max_pool_select", 0),
        ("attention_value_grad", 2),
        ("attention_log_sum_exp", 2),
        ("cosine_embedding", 2),
        ("hinge_embedding", 1),
        ("grid_sample_nearest", 1),
        ("gru_cell_grad", 2),
        ("lstm_cell_grad", 1),
        ("bernoulli", 0),
    ];
    telling.retain(|key, _| !constant.contains(key));
    let silent: Vec<_> = telling.iter().filter(|(_, count)| **count == 0).collect();
    assert!(silent.is_empty(), "no sample tells of {silent:?}");
    assert!(telling.len() > 50, "{telling:?}");
    Ok(())
}

#[test]
fn ties_and_kinks_follow_the_convention() -> Result<(), Error> {
    for sample in samples() {
        if let Some([got, agreed]) = sample.at_kink()? {
            assert_eq!(got, agreed, "{sample}");
        }
    }
    Ok(())
}

/// `ln(1 + e^-15)` and its derivatives, on both sides: where a classifier is right, what is left of its
/// loss is not lost in a difference.
#[test]
fn a_small_binary_cross_entropy_keeps_its_digits() -> Result<(), Error> {
    const LOSS: f64 = 3.059_022_737_137_205e-7;
    const SLOPE: f64 = 3.059_022_269_256_247e-7;
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let [x, t] = ["x", "t"].map(|name| graph.input(name, [2], DType::F32));
        let y = x.binary_cross_entropy_with_logits(t, Reduction::None);
        let first = autodiff::grad(y.sum(..), &[x])[0];
        let second = autodiff::grad(first.sum(..), &[x])[0];
        let program = graph.compile(&device, &[y, first, second])?;
        let values = [Array::new([2], &[15.0f32, -15.0])?, Array::new([2], &[1.0f32, 0.0])?];
        let feeds: [(&str, &dyn Feed); 2] = [("x", &values[0]), ("t", &values[1])];
        let outputs = program.run(&wgrad::Variables::new(0), &feeds)?;
        for (k, expected) in [[LOSS, LOSS], [-SLOPE, SLOPE], [SLOPE, SLOPE]].iter().enumerate() {
            for (got, expected) in outputs.read_blocking(k)?.to_f64().iter().zip(expected) {
                assert!((got / expected - 1.0).abs() < 1e-6, "{k}: {got}, not {expected}");
            }
        }
    }
    Ok(())
}

/// The neuron of the first lesson: one input, one weight, one bias, by hand.
#[test]
fn the_textbook_neuron() -> Result<(), Error> {
    for device in [Device::Reference, Device::cpu()] {
        let graph = Graph::new();
        let [x, w, b] = ["x", "w", "b"].map(|name| graph.input(name, [], DType::F32));
        let z = x * w + b;
        let y = z.relu();
        let gradients = autodiff::grad(y, &[x, w, b]);
        let program = graph.compile(&device, &[y, gradients[0], gradients[1], gradients[2]])?;
        let [x, w, b] = [0.5, 0.1, 0.2].map(Array::scalar::<f32>);
        let inputs: [(&str, &dyn Feed); 3] = [("x", &x), ("w", &w), ("b", &b)];
        let outputs = program.run(&wgrad::Variables::new(0), &inputs)?;
        // y = relu(0.5 * 0.1 + 0.2); dy/dx = w, dy/dw = x, dy/db = 1.
        for (k, expected) in [0.25, 0.1, 0.5, 1.0].into_iter().enumerate() {
            let got = outputs.read_blocking(k)?.item();
            let close = got.is_some_and(|got| (got - expected).abs() < 1e-7);
            assert!(close, "output {k} is {got:?} instead of {expected} on {}", device.name());
        }
    }
    Ok(())
}

/// d2/dx2 of x^3 is 6x, and the third derivative 6: autodiff closes over itself.
#[test]
fn derivatives_of_derivatives() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [], DType::F32);
    let mut y = x * x * x;
    let mut derivatives = vec![y];
    for _ in 0..3 {
        y = autodiff::grad(y, &[x])[0];
        derivatives.push(y);
    }
    let program = graph.compile(&Device::cpu(), &derivatives)?;
    let outputs = program.run(&wgrad::Variables::new(0), &[("x", &Array::scalar(1.5f32))])?;
    for (k, expected) in [3.375, 6.75, 9.0, 6.0].into_iter().enumerate() {
        assert_eq!(outputs.read_blocking(k)?.item(), Some(expected));
    }
    Ok(())
}
