use super::*;
use crate::{
    Array, DType, Device, Init, Variables,
    error::{Error, GraphError},
    graph::Graph,
    nn::{Mode, mean_squared_error},
};

/// Runs `steps` updates of a parameter from 3 toward 0, where the gradient is `2 p`.
fn descend(optimizer: &dyn Optimizer, steps: usize, lr: Option<f32>) -> Result<f64, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [1], Init::Constant(3.0));
    let loss = mean_squared_error(p, p.full_like(0.0));
    optimizer.update(&mut cx, loss);
    let program = graph.compile(&Device::Reference, &[])?;
    let variables = Variables::new(0);
    program.prepare(&variables)?;
    if let Some(lr) = lr {
        variables.set("optim/lr", Array::scalar(lr))?;
    }
    for _ in 0..steps {
        program.run(&variables, &[])?;
    }
    Ok(variables.get("p")?.to_f64()[0])
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-5, "{a} is not {b}");
}

#[test]
fn descent_is_its_formula() -> Result<(), Error> {
    close(descend(&Sgd::new(0.1), 2, None)?, 3.0 * 0.8 * 0.8);
    // m = 6, p = 2.4; m = 3 + 4.8, p = 2.4 - 0.78.
    close(descend(&Sgd::new(0.1).momentum(0.5), 2, None)?, 1.62);
    Ok(())
}

/// Two parameters with gradients `a` and `b`, after one step of descent with a rate of 1, clipped.
fn clipped(device: &Device, [a, b]: [f32; 2], longest: f64) -> Result<[f64; 2], Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let slopes = [graph.input("a", [2], DType::F32), graph.input("b", [], DType::F32)];
    let p = cx.param("p", [2], Init::Zeros);
    let q = cx.param("q", [], Init::Zeros);
    let loss = (p * slopes[0]).sum(..) + q * slopes[1];
    Sgd::new(1.0).clip_norm(longest).update(&mut cx, loss);
    let program = graph.compile(device, &[])?;
    let variables = Variables::new(0);
    program.run(&variables, &[("a", &Array::new([2], &[a, 0.0])?), ("b", &Array::scalar(b))])?;
    Ok([variables.get("p")?.to_f64()[0], variables.get("q")?.item().unwrap_or(f64::NAN)])
}

/// Gradients that are 3 and 4 in some unit are clipped to 0.6 and 0.8 of the limit, also where
/// their squares are no f32.
#[test]
fn a_norm_is_clipped_whatever_its_squares() -> Result<(), Error> {
    for device in [Device::cpu(), Device::Reference] {
        for unit in [1.0f32, 1e12, 1e18, 1e19, 3e19, 5e37, 8e37] {
            for longest in [1.0, 3.0, 0.25] {
                let got = clipped(&device, [3.0 * unit, 4.0 * unit], longest)?;
                for (got, share) in got.iter().zip([0.6, 0.8]) {
                    // The epsilon is a millionth where the norm is 5.
                    let off = (got / longest + share).abs();
                    assert!(off < 1e-6, "{}, {unit:e}, {longest}: {got}", device.name());
                }
            }
        }
        // Below the limit nothing changes.
        let small = [3e-25f32, 4e-25];
        assert_eq!(clipped(&device, small, 1.0)?, small.map(|x| -f64::from(x)));
    }
    Ok(())
}

#[test]
fn the_learning_rate_is_a_variable() -> Result<(), Error> {
    close(descend(&Sgd::new(0.1), 1, Some(0.5))?, 0.0);
    Ok(())
}

#[test]
fn adam_is_its_formula() -> Result<(), Error> {
    let (mut p, mut m, mut v) = (3.0f64, 0.0, 0.0);
    for t in 1..=5 {
        let g = 2.0 * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        p -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
    }
    close(descend(&Adam::new(0.01), 5, None)?, p);
    Ok(())
}

#[test]
fn decay_and_shortened_gradients_are_their_formulas() -> Result<(), Error> {
    // The first step of Adam equals the learning rate, independent of the gradient.
    close(descend(&Adam::new(0.1).weight_decay(0.5), 1, None)?, 3.0 * (1.0 - 0.1 * 0.5) - 0.1);
    close(descend(&Sgd::new(0.1).weight_decay(0.5), 1, None)?, 3.0 - 0.1 * (6.0 + 1.5));
    // The gradient is 6, and clipped to 2; it does not reach 10.
    close(descend(&Sgd::new(0.1).clip_norm(2.0), 1, None)?, 3.0 - 0.2);
    close(descend(&Sgd::new(0.1).clip_norm(10.0), 1, None)?, 3.0 - 0.6);
    close(descend(&Adam::new(0.1).clip_norm(2.0), 1, None)?, 3.0 - 0.1);
    Ok(())
}

/// The two sides of a GAN: two parameters moving toward 0, in one graph or in separate ones.
fn descend_apart(graphs: usize, names: [&str; 2]) -> Result<[f64; 2], Error> {
    let variables = Variables::new(0);
    let mut programs = Vec::new();
    let parts = [("g", Adam::new(0.5).named(names[0])), ("d", Adam::new(0.125).named(names[1]))];
    for parts in parts.chunks(2 / graphs) {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        for (path, optimizer) in parts {
            let p = cx.param(path, [1], Init::Constant(3.0));
            let loss = mean_squared_error(p, p.full_like(0.0));
            optimizer.update_params(&mut cx, loss, &[((*path).to_owned(), p)]);
        }
        programs.push(graph.compile(&Device::Reference, &[])?);
    }
    for program in &programs {
        program.run(&variables, &[])?;
    }
    Ok([variables.get("g")?.to_f64()[0], variables.get("d")?.to_f64()[0]])
}

#[test]
fn two_optimizers_work_in_one_store() -> Result<(), Error> {
    // The first step of Adam equals the learning rate, independent of the gradient.
    for graphs in [1, 2] {
        let [g, d] = descend_apart(graphs, ["gen", "disc"])?;
        close(g, 2.5);
        close(d, 2.875);
    }
    Ok(())
}

#[test]
fn two_optimizers_of_one_name_are_an_error() {
    let error = descend_apart(1, ["optim", "optim"]).expect_err("they would share a rate");
    let Error::Graph(GraphError::Reinitialized { name, first, second, .. }) = &error else {
        unreachable!("{error:?} is typed otherwise")
    };
    assert_eq!(name, "optim/lr");
    assert_eq!([*first, *second], [Init::Constant(0.5), Init::Constant(0.125)]);
    let text =
        "optim/lr: initialized with Constant(0.5), and again with Constant(0.125) in optim, made";
    assert!(error.to_string().starts_with(text), "{error}");
}
