//! Derivatives of every operation, first and second order, against differences in f64.

use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Meta, Tensor, autodiff, ops,
    testing::{Domain, SLOPE_BOUNDS, slopes},
};

#[test]
fn derivatives_are_the_slopes() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for sample in ops::samples() {
        match sample.slopes() {
            Ok(None) => {}
            Ok(Some(slopes)) => {
                checked += 1;
                for (order, (slope, bound)) in slopes.iter().zip(SLOPE_BOUNDS).enumerate() {
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
        let slopes = slopes(std::slice::from_ref(&x), function)?.expect("x is a float");
        Ok(slopes.map(|slope| slope.error()))
    };
    // x^3, as it is.
    let [first, second] = errors(|_, x| x[0] * x[0] * x[0])?;
    assert!(first < SLOPE_BOUNDS[0] && second < SLOPE_BOUNDS[1], "{first:e} {second:e}");
    // x^2 whose derivative seems to be x.
    let [first, _] = errors(|_, x| x[0].detach() * x[0])?;
    assert!(first > 0.1, "{first:e}");
    // x^3 whose derivative is 3 x^2 as it should be, and constant.
    let [first, second] = errors(|_, x| {
        let d = x[0].detach();
        x[0] * d * d * 3.0 - d * d * d * 2.0
    })?;
    assert!(first < SLOPE_BOUNDS[0], "{first:e}");
    assert!(second > 0.1, "{second:e}");
    Ok(())
}

#[test]
fn ties_and_kinks_follow_the_convention() -> Result<(), Error> {
    for sample in ops::samples() {
        if let Some([got, agreed]) = sample.at_kink()? {
            assert_eq!(got, agreed, "{sample}");
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
