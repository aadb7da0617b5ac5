//! Optimizers, step by step.

use super::{array, device, difference, entries, list, numbers, text};
use serde_json::Value;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Variables,
    nn::{Mode, Scope},
    optim::{
        Adadelta, Adagrad, Adam, AdamW, AdjustLr, Lamb, Lion, Muon, NAdam, Optimizer, OptimizerExt,
        RAdam, RmsProp, Sgd, Update,
    },
};

const LR: f64 = 1.0 / 64.0;
const DECAY: f64 = 1.0 / 16.0;
const EPS: f64 = 1.0 / (1 << 20) as f64;
const BETAS: [f64; 2] = [7.0 / 8.0, 1.0 - 1.0 / 1024.0];

fn optimizer(name: &str) -> Box<dyn Optimizer> {
    let [beta1, beta2] = BETAS;
    let adam = Adam::new(LR).betas(beta1, beta2).eps(EPS);
    let nadam = NAdam::new(LR).betas(beta1, beta2).eps(EPS);
    let radam = RAdam::new(LR).betas(beta1, beta2).eps(EPS);
    let rmsprop = RmsProp::new(LR).alpha(7.0 / 8.0).eps(EPS);
    let muon = Muon::new(LR).momentum(7.0 / 8.0).weight_decay(DECAY);
    match name {
        "sgd" => Box::new(Sgd::new(LR)),
        "sgd momentum" => Box::new(Sgd::new(LR).momentum(7.0 / 8.0)),
        "sgd nesterov decay" => {
            Box::new(Sgd::new(LR).momentum(7.0 / 8.0).nesterov().weight_decay(DECAY))
        }
        "adam by default" => Box::new(Adam::new(LR)),
        "adam" => Box::new(adam),
        "adam decay" => Box::new(adam.weight_decay(DECAY)),
        "adam amsgrad" => Box::new(adam.amsgrad()),
        "adamw by default" => Box::new(AdamW::new(LR)),
        "adamw" => Box::new(AdamW::new(LR).betas(beta1, beta2).eps(EPS).weight_decay(DECAY)),
        "nadam by default" => Box::new(NAdam::new(LR)),
        "nadam" => Box::new(nadam.momentum_decay(1.0 / 32.0).weight_decay(DECAY)),
        "nadam decoupled" => Box::new(nadam.decoupled_weight_decay(DECAY)),
        "radam by default" => Box::new(RAdam::new(LR)),
        "radam" => Box::new(radam.weight_decay(DECAY)),
        "radam decoupled" => Box::new(radam.decoupled_weight_decay(DECAY)),
        "radam short" => Box::new(RAdam::new(LR).betas(0.5, 0.75)),
        "adagrad by default" => Box::new(Adagrad::new(LR)),
        "adagrad" => {
            let adagrad = Adagrad::new(LR).lr_decay(1.0 / 8.0).initial_sum(0.25).eps(EPS);
            Box::new(adagrad.weight_decay(DECAY))
        }
        "adadelta by default" => Box::new(Adadelta::new(1.0)),
        "adadelta" => {
            let adadelta = Adadelta::new(0.5).rho(7.0 / 8.0).eps(1.0 / 4096.0);
            Box::new(adadelta.weight_decay(DECAY))
        }
        "rmsprop by default" => Box::new(RmsProp::new(LR)),
        "rmsprop" => Box::new(rmsprop.weight_decay(DECAY)),
        "rmsprop momentum" => Box::new(rmsprop.momentum(0.5)),
        "rmsprop centered" => Box::new(rmsprop.momentum(0.5).centered()),
        "lion by default" => Box::new(Lion::new(LR)),
        "lion" => Box::new(Lion::new(LR).betas(7.0 / 8.0, 31.0 / 32.0).weight_decay(DECAY)),
        "lamb by default" => Box::new(Lamb::new(LR)),
        "lamb" => Box::new(Lamb::new(LR).betas(beta1, beta2).eps(EPS).weight_decay(0.0)),
        "muon by default" => Box::new(Muon::new(LR)),
        "muon" => Box::new(muon),
        "muon plain" => Box::new(muon.without_nesterov()),
        "muon as adamw" => Box::new(muon.adjust_lr(AdjustLr::MatchRmsAdamW)),
        other => unreachable!("{other} is not known"),
    }
}

/// Names of the parameters, and of the inputs with their gradients.
const PARAMS: [&str; 3] = ["a", "b", "c"];

/// Parameters after each step of several optimizers, all parts of one program: one after another,
/// with all the digits they have on the device.
fn steps(device: &Device, given: &Value, names: &[&str]) -> Result<Vec<Vec<f64>>, Error> {
    let start = list(&given["start"], |value| array(value, DType::F32));
    let start = start.into_iter().collect::<Result<Vec<_>, _>>()?;
    let [graph, reader] = [Graph::new(), Graph::new()];
    let mut cx = Scope::new(&graph, Mode::Train);
    let (mut outputs, mut begin) = (Vec::new(), Vec::new());
    for name in names {
        let mut updates = Vec::new();
        for (param, start) in PARAMS.iter().zip(&start) {
            let dims = start.shape().dims();
            let gradient = graph.input(param, dims, DType::F32);
            let path = format!("{name}/{param}");
            updates.push((*param, cx.child(name).param(param, dims, Init::Zeros), gradient));
            outputs.push(reader.variable(&path, dims, DType::F32, Init::Zeros));
            begin.push((path, start.clone()));
        }
        let updates = updates.into_iter().map(|(path, param, by)| Update::new(path, param, by));
        let updates: Vec<_> = updates.collect();
        optimizer(name).named(&format!("{name}/optim")).apply(&mut cx, &updates);
    }
    let (program, reader) = (graph.compile(device, &[])?, reader.compile_pure(device, &outputs)?);
    let store = Variables::new(0);
    program.prepare(&store)?;
    store.set_all(begin)?;
    let step = |gradients: &Value| {
        let gradients = start.iter().zip(list(gradients, numbers));
        let gradients = gradients.map(|(start, data)| Array::from_f64(start.meta().clone(), &data));
        let gradients = gradients.collect::<Result<Vec<_>, _>>()?;
        let inputs = PARAMS.iter().zip(&gradients);
        let inputs: Vec<_> = inputs.map(|(name, data)| (*name, data as &dyn Feed)).collect();
        program.run(&store, &inputs)?;
        let after = reader.run(&store, &[])?;
        let values = after.values().iter().map(wgrad::Value::read_f64);
        Ok(values.collect::<Result<Vec<_>, _>>()?.concat())
    };
    list(&given["gradients"], step).into_iter().collect()
}

/// Tolerances: with numbers that f32 has, and with the defaults, which it rounds.
struct Bounds {
    exact: f64,
    default: f64,
}

fn all_follow(device: &Device, bounds: &Bounds) -> Result<(), Error> {
    let entries = entries("optimizers.json");
    let mut count = 0;
    for given in &entries[..2] {
        let of: Vec<_> = entries.iter().filter(|entry| entry["of"] == given["name"]).collect();
        let names: Vec<_> = of.iter().map(|entry| text(&entry["name"])).collect();
        let steps = steps(device, given, &names)?;
        for (k, (entry, name)) in of.iter().zip(&names).enumerate() {
            let is_default = name.ends_with("by default");
            let bound = if is_default { bounds.default } else { bounds.exact };
            let mut worst = 0.0f64;
            let expected = list(&entry["after"], |step| list(step, numbers).concat());
            for (step, (got, expected)) in steps.iter().zip(expected).enumerate() {
                let got = &got[k * expected.len()..][..expected.len()];
                let by = difference(got, &expected, DType::F32);
                assert!(by <= bound, "{name}, step {step}, on {}: {by:e}", device.name());
                worst = worst.max(by);
            }
            eprintln!("{worst:.1e} on {}: {name}", device.name());
            count += 1;
        }
    }
    assert_eq!(count + 2, entries.len());
    Ok(())
}

/// A step goes 1/64 or so, and rounding of constants, of `ln β` or of the defaults, changes that by
/// less than 1e-7 of it.
#[test]
fn the_reference_steps_as_pytorch_does() -> Result<(), Error> {
    all_follow(&Device::Reference, &Bounds { exact: 5e-9, default: 2e-8 })
}

/// A parameter of order 1 is rounded in each of 12 steps, by 6e-8 at most, and so is what is added
/// to it; iterations of Muon lengthen what was rounded of small singular values.
const F32: Bounds = Bounds { exact: 2e-6, default: 2e-6 };

#[test]
fn the_cpu_steps_as_pytorch_does() -> Result<(), Error> {
    all_follow(&Device::cpu(), &F32)
}

#[test]
fn the_gpu_steps_as_pytorch_does() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| all_follow(&device, &F32))
}
