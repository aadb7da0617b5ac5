//! Operations and whole trainings against PyTorch in f64.
//!
//! `golden/generate.py` wrote the numbers, from the same operands, weights and batches. The
//! reference computes in f64 too, but constants in its graphs are rounded to f32; there they are
//! rounded alike. What `judge` holds is of PyTorch's own Adam, without that.

#![cfg(feature = "cli")]

mod device;
#[path = "golden/list.rs"]
mod list;

use serde_json::Value;
use std::path::Path;
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Tensor, Variables, autodiff,
    nn::{
        Activation, BatchNorm, Conv2d, Dense, Embedding, GlobalAvgPool, MaxPool2d, Mode, Module,
        Scope, Sequential, cross_entropy,
    },
    ops::{Geometry, Window},
    optim::{Adam, Optimizer, Sgd},
};

fn entries(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    serde_json::from_str(&text).expect("it is a list")
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => value.as_f64().expect("a number"),
    }
}

fn list<T>(value: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(of).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value, number)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn integer(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn integers(value: &Value) -> Vec<usize> {
    list(value, integer)
}

fn axis(value: &Value) -> i32 {
    value.as_i64().expect("an axis") as i32
}

fn flag(value: &Value) -> bool {
    value.as_bool().expect("a truth value")
}

fn pairs(value: &Value) -> Vec<(usize, usize)> {
    list(value, |pair| (integer(&pair[0]), integer(&pair[1])))
}

fn array(value: &Value, dtype: DType) -> Result<Array, Error> {
    let data = numbers(&value["data"]);
    // The last digit of f64 is lost in reading.
    let exact = |&x: &f64| !x.is_finite() || (dtype.round(x) - x).abs() <= 1e-15 * x.abs();
    assert!(data.iter().all(exact), "what both sides begin with is rounded: {value}");
    let meta = wgrad::Meta::new(integers(&value["shape"]), dtype);
    Array::from_f64(meta, &data)
}

fn dtype(value: &Value) -> DType {
    if value["dtype"] == "u32" { DType::U32 } else { DType::F32 }
}

/// The largest difference, relative to the largest number that is expected or to 1. Infinite
/// where one is NaN or infinite and the other is not the same.
fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len(), "numbers of elements");
    let finite = expected.iter().filter(|x| x.is_finite());
    let scale = finite.fold(1.0, |scale: f64, x| scale.max(x.abs()));
    let apart = |(&got, &expected): (&f64, &f64)| match got == expected {
        true => 0.0,
        false if got.is_nan() && expected.is_nan() => 0.0,
        false if got.is_finite() && expected.is_finite() => (got - expected).abs() / scale,
        false => f64::INFINITY,
    };
    got.iter().zip(expected).map(apart).fold(0.0, f64::max)
}

// Operations.

fn geometry(case: &Value) -> Geometry {
    let strides = integers(&case["stride"]);
    let geometry = Geometry::new(strides.len())
        .stride(strides)
        .dilation(integers(&case["dilation"]))
        .groups(integer(&case["groups"]));
    if case["padding"] == "same" {
        return geometry.same();
    }
    geometry.padding(pairs(&case["padding"]))
}

fn windows(case: &Value) -> Vec<Window> {
    let (extents, strides) = (integers(&case["extent"]), integers(&case["stride"]));
    let (dilations, pads) = (integers(&case["dilation"]), pairs(&case["padding"]));
    let of = |k: usize| Window {
        extent: extents[k],
        stride: strides[k],
        dilation: dilations[k],
        low: pads[k].0,
        high: pads[k].1,
        ceil_mode: flag(&case["ceil_mode"]),
    };
    (0..extents.len()).map(of).collect()
}

/// A scale and a shift for each channel.
fn scaled<'g>(x: Tensor<'g>, scale: Tensor<'g>, shift: Tensor<'g>) -> Tensor<'g> {
    let mut dims = vec![1; x.rank() - 1];
    dims[0] = x.dim(1);
    x * scale.reshape(dims.as_slice()) + shift.reshape(dims.as_slice())
}

/// Added to variances.
const EPS: f64 = 1e-5;

/// The operation of a case. Everything but convolutions, poolings and normalisations is a method
/// of its name.
fn build<'g>(case: &Value, of: &[Tensor<'g>]) -> Tensor<'g> {
    let x = of[0];
    let along = || axis(&case["axis"]);
    let axes = || list(&case["axes"], axis);
    macro_rules! methods {
        (unary: $($unary:ident)*; binary: $($binary:ident)*; axes: $($reduce:ident)*) => {
            match text(&case["op"]) {
                $(stringify!($unary) => x.$unary(),)*
                $(stringify!($binary) => x.$binary(of[1]),)*
                $(stringify!($reduce) => x.$reduce(axes().as_slice()),)*
                "leaky_relu" => x.leaky_relu(number(&case["slope"])),
                "elu" => x.elu(number(&case["alpha"])),
                "celu" => x.celu(number(&case["alpha"])),
                "soft_shrink" => x.soft_shrink(number(&case["width"])),
                "hard_shrink" => x.hard_shrink(number(&case["width"])),
                "threshold" => x.threshold(number(&case["threshold"]), number(&case["value"])),
                "glu" => x.glu(along()),
                "mul" => x * of[1],
                "div" => x / of[1],
                "rem" => x % of[1],
                "convolution" => x.convolution(of[1], geometry(case)),
                "transposed_convolution" => {
                    let more = integers(&case["output_padding"]);
                    x.transposed_convolution(of[1], geometry(case), more)
                }
                "max_pool" => x.max_pool(&windows(case)),
                "avg_pool" => x.avg_pool(&windows(case), flag(&case["count_padding"])),
                "adaptive_max_pool" => x.adaptive_max_pool(&integers(&case["outputs"])),
                "adaptive_avg_pool" => x.adaptive_avg_pool(&integers(&case["outputs"])),
                "batch_norm" => {
                    let axes: Vec<i32> = (0..x.rank() as i32).filter(|&k| k != 1).collect();
                    scaled(x.normalize(axes.as_slice(), EPS), of[1], of[2])
                }
                "group_norm" => {
                    scaled(x.group_norm(integer(&case["groups"]), EPS), of[1], of[2])
                }
                "layer_norm" => x.layer_norm(of[1], of[2], EPS),
                "rms_norm" => x.rms_norm(of[1], EPS),
                "cumsum" => {
                    x.cumsum_from(along(), flag(&case["exclusive"]), flag(&case["reverse"]))
                }
                "sort" => x.sort(along(), flag(&case["descending"])),
                "argsort" => x.argsort(along(), flag(&case["descending"])),
                "top_k" => x.top_k(integer(&case["k"]), along()).0,
                "softmax" => x.softmax(along()),
                "log_softmax" => x.log_softmax(along()),
                "gather" => x.gather(of[1], along()),
                "take_along_axis" => x.take_along_axis(of[1], along()),
                "scatter_add" => x.scatter_add(of[1], along(), integer(&case["extent"])),
                "scatter_add_along_axis" => {
                    x.scatter_add_along_axis(of[1], along(), integer(&case["extent"]))
                }
                other => unreachable!("{other} is not known"),
            }
        };
    }
    methods! {
        unary: abs relu sign floor ceil round trunc exp tanh sigmoid erf sin cos sqrt log log1p
            expm1 relu6 selu gelu gelu_tanh silu mish hard_sigmoid hard_swish hard_tanh softplus
            softsign tanh_shrink log_sigmoid;
        binary: maximum minimum pow matmul cross_entropy prelu;
        axes: max min prod sum mean argmax argmin
    }
}

/// How far result, gradients and gradients of gradients are from those of the case.
fn check(case: &Value, device: &Device) -> Result<Vec<(String, f64)>, Error> {
    let graph = Graph::new();
    let mut values = Vec::new();
    let mut tensors = Vec::new();
    for (k, operand) in list(&case["operands"], Value::clone).iter().enumerate() {
        let value = array(operand, dtype(operand))?;
        let name = format!("operand {k}");
        tensors.push(graph.input(&name, value.shape().dims(), value.dtype()));
        values.push((name, value));
    }
    let y = build(case, &tensors);
    let mut expected = vec![("result".to_owned(), numbers(&case["y"]["data"]))];
    let mut outputs = vec![y];
    if let Some(cotangent) = case.get("cotangent") {
        let value = Array::from_f64(y.meta(), &numbers(cotangent))?;
        let seed = graph.input("cotangent", y.shape(), y.dtype());
        values.push(("cotangent".to_owned(), value));
        let gradients = list(&case["gradients"], Value::clone);
        let last = if case.get("base_only").is_some() { 1 } else { gradients.len() };
        let smooth: Vec<usize> = (0..last).filter(|&k| !gradients[k].is_null()).collect();
        let wrt: Vec<_> = smooth.iter().map(|&k| tensors[k]).collect();
        let mut first = Vec::new();
        for (&k, got) in smooth.iter().zip(autodiff::vjp(y, seed, &wrt)) {
            first.push(got.unwrap_or_else(|| tensors[k].full_like(0.0)));
            expected.push((format!("gradient of operand {k}"), numbers(&gradients[k])));
        }
        outputs.extend(&first);
        if let Some(second) = case.get("second") {
            let mut sum = y.graph().full([], DType::F32, 0.0);
            for (k, (g, weights)) in first.iter().zip(list(&case["weights"], numbers)).enumerate() {
                let name = format!("weights {k}");
                sum = sum + (*g * graph.input(&name, g.shape(), g.dtype())).sum(..);
                values.push((name, Array::from_f64(g.meta(), &weights)?));
            }
            let wrt: Vec<_> = wrt.iter().copied().chain([seed]).collect();
            for (k, expects) in list(second, numbers).into_iter().enumerate() {
                expected.push((format!("gradient of the gradients by {:?}", wrt[k]), expects));
            }
            outputs.extend(autodiff::grad(sum, &wrt));
        }
    }
    graph.check()?;
    assert_eq!(y.shape().dims(), integers(&case["y"]["shape"]), "shape of the result");
    let program = graph.compile_pure(device, &outputs)?;
    // What is constant does not read everything, and what is not read cannot be fed.
    let is_read = |name: &str| program.inputs().iter().any(|(input, _)| input == name);
    let feeds: Vec<(&str, &dyn Feed)> = values
        .iter()
        .filter(|(name, _)| is_read(name))
        .map(|(name, value)| (name.as_str(), value as &dyn Feed))
        .collect();
    let results = program.run(&Variables::new(0), &feeds)?;
    let compare = |(k, (what, expected)): (usize, (String, Vec<f64>))| {
        Ok((what, difference(&results.get(k)?.read_f64()?, &expected)))
    };
    expected.into_iter().enumerate().map(compare).collect()
}

/// Every case within this bound; the worst are shown.
fn operations_agree(device: &Device, bound: f64) {
    let cases = entries("operations.json");
    let mut all = Vec::new();
    for case in &cases {
        let label = text(&case["label"]);
        match check(case, device) {
            Ok(differences) => {
                all.extend(
                    differences.into_iter().map(|(what, by)| (by, format!("{label}, {what}"))),
                );
            }
            Err(error) => all.push((f64::INFINITY, format!("{label}: {error}"))),
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (by, what) in all.iter().take(6) {
        eprintln!("{by:.1e} on {}: {what}", device.name());
    }
    let wrong: Vec<_> = all.iter().filter(|(by, _)| *by > bound).collect();
    assert!(wrong.is_empty(), "{} differ by more than {bound:e}: {wrong:#?}", wrong.len());
    assert!(cases.len() >= 318, "only {} cases", cases.len());
}

#[test]
fn operations_of_the_reference_are_those_of_pytorch() {
    operations_agree(&Device::Reference, 1e-10);
}

/// Sums of up to 100 products of numbers up to 2, and roots and quotients of such.
#[test]
fn operations_of_the_cpu_are_those_of_pytorch() {
    operations_agree(&Device::cpu(), 1e-5);
}

#[test]
fn operations_of_the_gpu_are_those_of_pytorch() {
    if let Some(device) = device::gpu() {
        operations_agree(&device, 1e-5);
    }
}

// Trajectories.

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

/// What is admitted: of losses and weights, of the losses of PyTorch's own Adam, and of running
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
            let by = difference(&got, &numbers(&expected["data"]));
            eprintln!("{by:.1e} on {device_name}: {name}, {path}");
            assert!(by <= bound, "{name}, {path}: {by:e}");
        }
    }
    if let Some(evaluated) = entry.get("evaluated") {
        let graph = Graph::new();
        let input = graph.input("x", x.shape().dims(), x.dtype());
        let logits = net.forward(&mut Scope::new(&graph, Mode::Eval), input);
        let results = graph.compile_pure(device, &[logits])?.run(&store, &[("x", x)])?;
        let by = difference(&results.get(0)?.read_f64()?, &numbers(evaluated));
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

/// What is rounded to f32 in each of 100 steps grows.
const F32: Bounds = Bounds { loss: 1e-3, weight: 1e-3, judge: 1e-3, state: 1e-3 };

#[test]
fn the_cpu_trains_as_pytorch_does() -> Result<(), Error> {
    all_follow(&Device::cpu(), &F32)
}

#[test]
fn the_gpu_trains_as_pytorch_does() -> Result<(), Error> {
    device::gpu().map_or(Ok(()), |device| all_follow(&device, &F32))
}
