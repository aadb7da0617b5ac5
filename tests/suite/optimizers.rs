//! Properties of all optimizers, and of some; `golden/optimizers.rs` has
//! their formulas.

use crate::model;
use half::f16;
use wgrad::{
    Array, DType, Device, Error, Graph, GraphError, Init, Variables,
    data::digits,
    nn::{Mode, Scope},
    optim::{
        Adadelta, Adagrad, Adam, AdamW, Lamb, Lion, Muon, NAdam, Optimizer, RAdam, RmsProp, Sgd,
        Update,
    },
    train::Trainer,
};

/// Every optimizer, with a learning rate for [`descent`] and otherwise its defaults.
fn optimizers() -> Vec<(&'static str, Box<dyn Optimizer>)> {
    vec![
        ("Sgd", Box::new(Sgd::new(0.05))),
        ("Sgd with momentum", Box::new(Sgd::new(0.02).momentum(0.9))),
        ("Sgd of Nesterov", Box::new(Sgd::new(0.02).momentum(0.9).nesterov())),
        ("Adam", Box::new(Adam::new(0.1))),
        ("Adam of the largest", Box::new(Adam::new(0.1).amsgrad())),
        ("AdamW", Box::new(AdamW::new(0.1))),
        ("NAdam", Box::new(NAdam::new(0.1))),
        ("RAdam", Box::new(RAdam::new(0.1))),
        ("Adagrad", Box::new(Adagrad::new(0.5))),
        // Its steps grow from `√ε` on.
        ("Adadelta", Box::new(Adadelta::new(20.0))),
        ("RmsProp", Box::new(RmsProp::new(0.05))),
        ("RmsProp, centered", Box::new(RmsProp::new(0.02).momentum(0.5).centered())),
        ("Lion", Box::new(Lion::new(0.05))),
        ("Lamb", Box::new(Lamb::new(0.05))),
        ("Muon", Box::new(Muon::new(0.1))),
    ]
}

/// The loss of 100 steps toward a matrix, with curvatures that differ by 100. Everything is finite,
/// also where an element's gradient is always 0.
fn descent(optimizer: &dyn Optimizer) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    graph.check_finite();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [3, 4], Init::Constant(0.25));
    let target = graph.constant(&Array::new([3, 4], &TARGET)?);
    let curvature = graph.constant(&Array::new([3, 4], &CURVATURE)?);
    let loss = ((p - target).square() * curvature).sum(..) * 0.5;
    optimizer.update(&mut cx, loss);
    let program = graph.compile(&Device::Reference, &[loss])?;
    let store = Variables::new(0);
    let step = |_| Ok(program.run(&store, &[])?.get(0)?.read_f64()?[0]);
    (0..100).map(step).collect()
}

const TARGET: [f32; 12] = [1., -1., 0.5, 2., -0.5, 1.5, -2., 0.25, 1., 0.75, -1.5, -1.];
const CURVATURE: [f32; 12] = [0., 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10., 0.3, 1., 5.];

/// Formulas of `golden/optimizers.rs` might all have a sign that is wrong.
#[test]
fn every_optimizer_descends() -> Result<(), Error> {
    for (name, optimizer) in optimizers() {
        let losses = descent(&*optimizer)?;
        let [first, last] = [losses[0], losses[99]];
        eprintln!("{name}: {first:.3} to {last:.5}");
        assert!(last < 0.1 * first, "{name}: {first} to {last}");
    }
    Ok(())
}

/// A parameter of this type after a step.
fn stepped(optimizer: &dyn Optimizer, dtype: DType) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let param = graph.variable("p", [2, 3], dtype, Init::Constant(1.5));
    let gradient = graph.constant(&Array::new([2, 3], &[0.5, -0.25, 0.0, 3.0, -2.0, 0.125])?);
    optimizer.apply(&mut cx, &[Update::new("p", param, gradient)]);
    let store = Variables::new(0);
    graph.compile(&Device::cpu(), &[])?.run(&store, &[])?;
    Ok(store.get("p")?.to_f64())
}

/// A parameter of halves is that of f32, rounded once.
#[test]
fn halves_are_updated_in_f32() -> Result<(), Error> {
    for (name, optimizer) in optimizers() {
        let [half, full] = [DType::F16, DType::F32].map(|dtype| stepped(&*optimizer, dtype));
        let expected: Vec<_> = full?.into_iter().map(|x| f16::from_f64(x).to_f64()).collect();
        assert_eq!(half?, expected, "{name}");
        assert_ne!(expected, [1.5; 6], "{name}");
    }
    Ok(())
}

/// Rules that treat all elements alike update all parameters of a network in one dispatch, beside
/// one for what follows from the step count: they take no more than Adam.
#[test]
fn parameters_are_updated_together() -> Result<(), Error> {
    let (data, network) = (digits::load()?, model::network());
    let dispatches = |optimizer: &dyn Optimizer| -> Result<usize, Error> {
        let trainer = Trainer::classifier(&network, optimizer);
        Ok(trainer.step(&Device::cpu(), &data, model::BATCH)?.shaders().len())
    };
    let most = dispatches(&Adam::new(0.1))?;
    for (name, optimizer) in optimizers() {
        // Norms and products belong to one parameter. A momentum that is the only use of a gradient
        // is calculated where the gradient is.
        if !matches!(name, "Lamb" | "Muon" | "Sgd with momentum") {
            let count = dispatches(&*optimizer)?;
            assert!(count <= most, "{name}: {count} dispatches, {most} of Adam");
        }
    }
    Ok(())
}

/// Factors of the first steps of RAdam: with a gradient of 1, a step is the factor.
fn factors(device: &Device, beta2: f64) -> Result<Vec<f64>, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [1], Init::Zeros);
    let rule = RAdam::new(1.0).betas(0.5, beta2).eps(0.0);
    rule.apply(&mut cx, &[Update::new("p", p, p.full_like(1.0))]);
    let program = graph.compile(device, &[])?;
    let store = Variables::new(0);
    let step = |_| {
        program.run(&store, &[])?;
        let step = -store.get("p")?.to_f64()[0];
        store.set("p", Array::full([1], 0.0f32)?)?;
        Ok(step)
    };
    (0..100).map(step).collect()
}

/// Steps become adaptive where the paper says, and by its factor, however near 1 `β2` is.
///
/// Its `ρ_t = ρ∞ - 2 t β^t / (1 - β^t)` equals `2 Σ k β^(k-1) / Σ β^(k-1) - 1`, with sums over `k`
/// from 1 to `t`: nothing cancels there.
#[test]
fn adam_is_rectified_from_the_right_step_on() -> Result<(), Error> {
    for beta2 in [0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 0.99999] {
        let power = |k: i32| f64::powi(beta2, k - 1);
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        for device in [Device::Reference, Device::cpu()] {
            let mut sums = [0.0; 2];
            for (t, got) in (1..).zip(factors(&device, beta2)?) {
                sums = [sums[0] + f64::from(t) * power(t), sums[1] + power(t)];
                let length = 2.0 * sums[0] / sums[1] - 1.0;
                let share = longest / ((longest - 4.0) * (longest - 2.0));
                let expected = match length > 5.0 {
                    true => ((length - 4.0) * (length - 2.0) / length * share).sqrt(),
                    false => 1.0,
                };
                let by = (got / expected - 1.0).abs();
                // The moments are sums of up to 100 rounded terms.
                let of = format!("{beta2}, step {t} on {}", device.name());
                assert!(by < 5e-6, "{of}: {got}, not {expected}, off by {by:e}");
            }
        }
    }
    Ok(())
}

#[test]
fn muon_names_what_is_no_matrix() {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let loss = cx.param("net/weight", [2, 3], Init::Ones).sum(..)
        + cx.param("net/bias", [3], Init::Zeros).sum(..);
    Muon::new(0.1).update(&mut cx, loss);
    let error = graph.check().expect_err("a bias is no matrix");
    let GraphError::NotAMatrix { param, .. } = &error else { unreachable!("{error:?}") };
    assert_eq!(param, "net/bias");
    let text = "muon: net/bias is [3] f32, no matrix; give vectors to another optimizer: \
                `.group(\"vectors\", Select::Vectors, AdamW::new(lr))`";
    assert_eq!(error.to_string(), text);
}
