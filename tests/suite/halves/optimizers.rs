//! Optimizers of parameters in halves: steps are those of f32, and rounded once.

use super::devices;
use half::f16;
use wgrad::{
    Array, DType, Device, Error, Graph, Init, Variables,
    nn::{Mode, Scope},
    optim::{Adam, AdamW, Optimizer, OptimizerExt, Sgd},
};

/// The parameter after some steps, in which the gradient is the same, and its second one.
fn updated(optimizer: &dyn Optimizer, device: &Device, steps: usize) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = graph.variable("p", [2], DType::F16, Init::Constant(1.1));
    let slopes = graph.variable("slopes", [2], DType::F16, Init::Zeros);
    let loss = (p * slopes).cast(DType::F32).sum(..);
    optimizer.update_params(&mut cx, loss, &[("p".to_owned(), p)]);
    let program = graph.compile(device, &[])?;
    let variables = Variables::new(0);
    program.prepare(&variables)?;
    variables.set("slopes", Array::new([2], &SLOPES.map(f16::from_f64))?)?;
    for _ in 0..steps {
        program.run(&variables, &[])?;
    }
    Ok(variables.get("p")?.to_f64())
}

/// Gradients whose squares are no halves.
const SLOPES: [f64; 2] = [300.0, -400.0];

fn round(x: f64) -> f64 {
    f16::from_f64(x).to_f64()
}

fn agree(
    optimizer: &dyn Optimizer,
    what: &str,
    step: impl Fn(f64, f64) -> f64,
) -> Result<(), Error> {
    let expected = SLOPES.map(|slope| (0..3).fold(round(1.1), |p, _| round(step(p, slope))));
    for device in devices().into_iter().chain([Device::Reference]) {
        let got = updated(optimizer, &device, 3)?;
        assert_eq!(got, expected, "{what} on {}", device.name());
    }
    Ok(())
}

#[test]
fn gradients_are_clipped_and_decay_in_f32_on_the_gpu_too() -> Result<(), Error> {
    // The norm is 500, so that the gradient becomes 0.6 and -0.8.
    let clipped = |slope: f64| slope / 500.0;
    agree(&Sgd::new(0.37).clip_norm(1.0), "clipped", |p, g| p - 0.37 * clipped(g))?;
    agree(&Sgd::new(0.001).weight_decay(0.3), "decay", |p, g| p - 0.001 * (g + 0.3 * p))?;
    // Both moments are those of a constant gradient, so that a step is the learning rate.
    agree(&Adam::new(0.0123), "Adam", |p, g| p - 0.0123 * g.signum())?;
    agree(&AdamW::new(0.0123).weight_decay(0.7), "AdamW", |p, g| {
        p * (1.0 - 0.0123 * 0.7) - 0.0123 * g.signum()
    })?;
    agree(&Adam::new(0.0123).clip_norm(1.0), "clipped Adam", |p, g| p - 0.0123 * g.signum())
}
