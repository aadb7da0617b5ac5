//! Training steps that other engines are measured by, on the CPU device and on the GPU.
//!
//! Run with `cargo bench --bench training`; add `-- resnet` for some of them. The workloads:
//! a convolution of 16 images of 64 channels of 56x56 with 64 filters of 3x3, forward and both
//! gradients; a max pooling of as many images by windows of 2x2, and its gradient; steps of training
//! of a perceptron, a small CNN on 64 images of 28x28, ResNet-18 on 16 pictures of 32x32, long
//! short-term memory on 32 sequences of 32 steps, and a transformer of two layers on 8 sequences of 64
//! symbols. Everything stays on the device; a step is waited for.

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;
use wgrad::{
    DType, Device, Error, Graph, Init, Program, Selection, Tensor, Variables, autodiff,
    nn::{
        self, Mode, Module, Scope,
        models::{self, LstmClassifier, ResNet, Stem, Transformer},
    },
    ops::{Geometry, Window},
    optim::{Adam, Optimizer, Sgd},
};

/// A program, the variables it works on, and its name.
type Workload = (&'static str, Program, Variables);

fn convolution(device: &Device) -> Result<Workload, Error> {
    let graph = Graph::new();
    let normal = Init::Normal { mean: 0.0, std: 0.1 };
    let x = graph.variable("x", [16, 64, 56, 56], DType::F32, normal);
    let w = graph.variable("w", [64, 64, 3, 3], DType::F32, normal);
    let y = x.convolution(w, Geometry::new(2).padding([(1, 1), (1, 1)]));
    let ones = y.full_like(1.0);
    let gradients: Vec<Tensor> = autodiff::vjp(y, ones, &[x, w]).into_iter().flatten().collect();
    let program = graph.compile(device, &[gradients[1], gradients[0], y])?;
    Ok(("conv2d_fwdbwd", program, Variables::new(0)))
}

fn pooling(device: &Device) -> Result<Workload, Error> {
    let graph = Graph::new();
    let normal = Init::Normal { mean: 0.0, std: 1.0 };
    let x = graph.variable("x", [16, 64, 56, 56], DType::F32, normal);
    let y = x.max_pool(&[Window::new(2); 2]);
    let gradients = autodiff::vjp(y, y.full_like(1.0), &[x]).into_iter().flatten();
    let program = graph.compile(device, &[vec![y], gradients.collect()].concat())?;
    Ok(("maxpool_fwdbwd", program, Variables::new(0)))
}

/// One step of a classifier of random numbers, which are made once and stay on the device.
fn step(
    name: &'static str,
    device: &Device,
    model: &dyn Module,
    optimizer: &dyn Optimizer,
    inputs: &[usize],
) -> Result<Workload, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let normal = Init::Normal { mean: 0.0, std: 1.0 };
    let x = graph.variable("inputs", inputs, DType::F32, normal);
    let labels = (graph.iota([inputs[0]], 0, DType::U32)) % 10u32;
    let loss = nn::cross_entropy(model.forward(&mut cx.child("net"), x), labels);
    optimizer.update(&mut cx, loss);
    let program = graph.compile(device, &[loss])?;
    Ok((name, program, Variables::new(0)))
}

fn mlp(device: &Device) -> Result<Workload, Error> {
    step("mlp_train", device, &models::mlp(&[512, 256], 10), &Adam::new(1e-3), &[128, 784])
}

fn cnn(device: &Device) -> Result<Workload, Error> {
    step("cnn_train", device, &models::cnn(10), &Adam::new(1e-3), &[64, 1, 28, 28])
}

fn resnet18(device: &Device) -> Result<Workload, Error> {
    let (model, sgd) = (ResNet::resnet18(Stem::Small, 10), Sgd::new(0.01).momentum(0.9));
    step("resnet18_cifar_train", device, &model, &sgd, &[16, 3, 32, 32])
}

fn lstm(device: &Device) -> Result<Workload, Error> {
    step("lstm_train", device, &LstmClassifier::new(128, 10), &Adam::new(1e-3), &[32, 32, 64])
}

/// Each symbol is to be told from those before it.
fn transformer(device: &Device) -> Result<Workload, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let symbols = graph.iota([8 * 65], 0, DType::U32) * 7919u32 % 1000u32;
    let symbols = symbols.reshape([8, 65]);
    let logits = Transformer::new(1000, 64).forward(&mut cx, symbols.slice(1, ..64));
    let loss = nn::cross_entropy(logits, symbols.slice(1, 1..));
    Adam::new(1e-3).weight_decay(0.01).update(&mut cx, loss);
    let program = graph.compile(device, &[loss])?;
    Ok(("transformer_train", program, Variables::new(0)))
}

fn measure(criterion: &mut Criterion, device: &Device) -> Result<(), Error> {
    let mut group = criterion.benchmark_group(device.name());
    for build in [convolution, pooling, mlp, cnn, resnet18, lstm, transformer] {
        let (name, program, variables) = build(device)?;
        program.prepare(&variables)?;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let outputs = program.run(&variables, &[]).expect("it was prepared");
                // The first output is the smallest: reading it waits for the step.
                outputs.read_blocking(0).expect("the device works")
            });
        });
    }
    group.finish();
    Ok(())
}

fn training(criterion: &mut Criterion) {
    let gpu = Device::select_blocking(&Selection::Best).ok();
    let hardware = gpu.filter(|device| matches!(device, Device::Gpu(_)));
    for device in [Some(Device::cpu()), hardware].into_iter().flatten() {
        if let Err(error) = measure(criterion, &device) {
            eprintln!("{} was not measured: {error}", device.name());
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(8));
    targets = training
}
criterion_main!(benches);
