//! Whole trainings.

use super::{array, device, difference, dtype, entries, integers, list, numbers, text};
use serde_json::Value;
use wgrad::{
    Array, DType, Device, Error, Graph, Init, Tensor, Variables,
    nn::{
        Activation, BatchNorm, Conv2d, Dense, Embedding, GlobalAvgPool, MaxPool2d, Mode, Module,
        Scope, Sequential, cross_entropy,
    },
    optim::{Adam, Optimizer, Sgd},
};

/// The mean of the vectors of symbols, then a dense layer.
struct Bag;

impl Module for Bag {
    fn name(&self) -> &str {
        "bag"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let x = Embedding::new(20, 6).forward(&mut cx.child("embedding"), x).mean(1);
        Dense::new(4).forward(&mut cx.child("dense"), x)
    }
}

fn network(name: &str) -> (Box<dyn Module>, Box<dyn Optimizer>) {
    let both = [(1, 1), (1, 1)];
    match name {
        "mlp" => {
            let net = Sequential::new()
                .add(Dense::new(16))
                .add(Activation::relu())
                .add(Dense::new(8))
                .add(Activation::tanh())
                .add(Dense::new(4));
            (Box::new(net), Box::new(Adam::new(0.01)))
        }
        "cnn" => {
            let net = Sequential::new()
                .add(Conv2d::new(4, [3, 3]).padding(both))
                .add(BatchNorm::new())
                .add(Activation::relu())
                .add(MaxPool2d::new(2))
                .add(Conv2d::new(6, [3, 3]).stride([2, 2]).padding(both))
                .add(Activation::relu())
                .add(GlobalAvgPool::new())
                .add(Dense::new(3));
            (Box::new(net), Box::new(Sgd::new(0.02).momentum(0.9)))
        }
        "embedding" => (Box::new(Bag), Box::new(Adam::new(0.02))),
        other => unreachable!("{other} is not known"),
    }
}

/// Names and values of an object of arrays, in order of name.
fn named(value: &Value) -> Result<Vec<(String, Array)>, Error> {
    let object = value.as_object().expect("an object");
    object.iter().map(|(path, value)| Ok((path.clone(), array(value, DType::F32)?))).collect()
}

/// Variables with all the digits they have on the device.
fn values(device: &Device, store: &Variables, of: &Value) -> Result<Vec<Vec<f64>>, Error> {
    let graph = Graph::new();
    let variable = |(path, value): (&String, &Value)| {
        graph.variable(path, integers(&value["shape"]), DType::F32, Init::Zeros)
    };
    let outputs: Vec<_> = of.as_object().expect("an object").iter().map(variable).collect();
    let results = graph.compile_pure(device, &outputs)?.run(store, &[])?;
    results.values().iter().map(wgrad::Value::read_f64).collect()
}

/// Tolerances: of losses and weights, of the losses of PyTorch's own Adam, and of running
/// statistics and what follows from them.
struct Bounds {
    loss: f64,
    weight: f64,
    judge: f64,
    state: f64,
}

fn follows(device: &Device, entry: &Value, bounds: &Bounds) -> Result<(), Error> {
    let name = text(&entry["name"]);
    let (net, optimizer) = network(name);
    let batches = list(&entry["batches"], |batch| {
        let labels = array(&batch["labels"], DType::U32)?;
        Ok::<_, Error>([array(&batch["x"], dtype(&batch["x"]))?, labels])
    });
    let batches = batches.into_iter().collect::<Result<Vec<_>, _>>()?;
    let [x, labels] = &batches[0];

    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let input = graph.input("x", x.shape().dims(), x.dtype());
    let truth = graph.input("labels", labels.shape().dims(), DType::U32);
    let loss = cross_entropy(net.forward(&mut cx, input), truth);
    optimizer.update(&mut cx, loss);
    let program = graph.compile(device, &[loss])?;
    let store = Variables::new(0);
    program.prepare(&store)?;
    store.set_all(named(&entry["weights"])?)?;
    let expected = numbers(&entry["losses"]);
    let mut losses = Vec::new();
    for step in 0..expected.len() {
        let [x, labels] = &batches[step % batches.len()];
        losses.push(program.run(&store, &[("x", x), ("labels", labels)])?);
    }
    let losses = losses.iter().map(|outputs| Ok(outputs.get(0)?.read_f64()?[0]));
    let losses = losses.collect::<Result<Vec<f64>, Error>>()?;

    let worst_loss = |expected: &[f64], bound: f64, whose: &str| {
        let mut worst = 0.0f64;
        for (step, (got, expected)) in losses.iter().zip(expected).enumerate() {
            let by = (got - expected).abs() / expected.abs();
            assert!(by <= bound, "{name}, step {step}: {got}, not {expected} of {whose}: {by:e}");
            worst = worst.max(by);
        }
        worst
    };
    let device_name = device.name();
    let by = worst_loss(&expected, bounds.loss, "PyTorch");
    eprintln!("{by:.1e} on {device_name}: {name}, losses");
    if let Some(judge) = entry.get("judge") {
        let by = worst_loss(&numbers(judge), bounds.judge, "PyTorch's own Adam");
        eprintln!("{by:.1e} on {device_name}: {name}, losses of PyTorch's own Adam");
    }
    assert!(expected[expected.len() - 1] < 0.8 * expected[0], "nothing was learned: {expected:?}");

    for (of, bound) in [("final", bounds.weight), ("state", bounds.state)] {
        let expected = entry[of].as_object().expect("an object");
        for ((path, expected), got) in expected.iter().zip(values(device, &store, &entry[of])?) {
            let by = difference(&got, &numbers(&expected["data"]), DType::F32);
            eprintln!("{by:.1e} on {device_name}: {name}, {path}");
            assert!(by <= bound, "{name}, {path}: {by:e}");
        }
    }
    if let Some(evaluated) = entry.get("evaluated") {
        let graph = Graph::new();
        let input = graph.input("x", x.shape().dims(), x.dtype());
        let logits = net.forward(&mut Scope::new(&graph, Mode::Eval), input);
        let results = graph.compile_pure(device, &[logits])?.run(&store, &[("x", x)])?;
        let by = difference(&results.get(0)?.read_f64()?, &numbers(evaluated), DType::F32);
        eprintln!("{by:.1e} on {device_name}: {name}, logits in evaluation");
        assert!(by <= bounds.state, "{name}, logits in evaluation: {by:e}");
    }
    Ok(())
}

fn all_follow(device: &Device, bounds: &Bounds) -> Result<(), Error> {
    let entries = entries("trajectories.json");
    assert_eq!(entries.len(), 3);
    entries.iter().try_for_each(|entry| follows(device, entry, bounds))
}

/// The share of a batch in the running statistics is rounded to f32, which PyTorch's is not.
#[test]
fn the_reference_trains_as_pytorch_does() -> Result<(), Error> {
    let bounds = Bounds { loss: 1e-8, weight: 1e-8, judge: 2e-6, state: 1e-6 };
    all_follow(&Device::Reference, &bounds)
}

/// Rounding to f32 in each of 100 steps adds up.
const F32: Bounds = Bounds { loss: 1e-3, weight: 1e-3, judge: 1e-3, state: 1e-3 };

#[test]
fn the_cpu_trains_as_pytorch_does() -> Result<(), Error> {
    all_follow(&Device::cpu(), &F32)
}

#[test]
fn the_gpu_trains_as_pytorch_does() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| all_follow(&device, &F32))
}
