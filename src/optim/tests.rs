use super::*;
use crate::{
    Array, Device, Variables,
    error::Error,
    graph::Graph,
    nn::{Mode, mean_squared_error},
};

/// `steps` updates of a parameter that begins at 3 towards 0, where the gradient is `2 p`.
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
