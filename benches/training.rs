//! Training steps that other engines are measured by, on the CPU device and on the GPU.
//!
//! Run with `cargo bench --bench training`; add `-- resnet` for some of them. The workloads:
//! a convolution of 16 images of 64 channels of 56x56 with 64 filters of 3x3, forward and both
//! gradients; a max pooling of as many images by windows of 2x2, and its gradient; a small CNN on 64 images of 28x28 with Adam; ResNet-18 for 32x32 pictures (He et al.
//! 2016), 16 at a time, with momentum. Everything stays on the device; a step is waited for.

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;
use wgrad::{
    DType, Device, Error, Graph, Init, Program, Selection, Tensor, Variables, autodiff,
    nn::{
        self, Activation, BatchNorm, Conv2d, Dense, Flatten, GlobalAvgPool, MaxPool2d, Mode,
        Module, Scope, Sequential,
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

/// One step of a classifier of random pictures, which are made once and stay on the device.
fn step(
    name: &'static str,
    device: &Device,
    model: &dyn Module,
    optimizer: &dyn Optimizer,
    pictures: [usize; 4],
) -> Result<Workload, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let normal = Init::Normal { mean: 0.0, std: 1.0 };
    let x = graph.variable("pictures", pictures, DType::F32, normal);
    let labels = (graph.iota([pictures[0]], 0, DType::U32)) % 10u32;
    let loss = nn::cross_entropy(model.forward(&mut cx.child("net"), x), labels);
    optimizer.update(&mut cx, loss);
    let program = graph.compile(device, &[loss])?;
    Ok((name, program, Variables::new(0)))
}

fn cnn(device: &Device) -> Result<Workload, Error> {
    let model = Sequential::new()
        .add(Conv2d::new(32, [3, 3]))
        .add(Activation::relu())
        .add(Conv2d::new(64, [3, 3]))
        .add(Activation::relu())
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Dense::new(128))
        .add(Activation::relu())
        .add(Dense::new(10));
    step("cnn_train", device, &model, &Adam::new(1e-3), [64, 1, 28, 28])
}

/// Two convolutions around which the input passes: `relu(x + f(x))`.
struct Block {
    body: Sequential,
    shortcut: Sequential,
}

impl Block {
    fn new(channels: usize, stride: usize, widens: bool) -> Self {
        let conv = |window, stride| {
            Conv2d::new(channels, [window, window])
                .stride([stride, stride])
                .padding([(window / 2, window / 2); 2])
                .without_bias()
        };
        let body = Sequential::new()
            .add(conv(3, stride))
            .add(BatchNorm::new())
            .add(Activation::relu())
            .add(conv(3, 1))
            .add(BatchNorm::new());
        let shortcut = match widens {
            true => Sequential::new().add(conv(1, stride)).add(BatchNorm::new()),
            false => Sequential::new(),
        };
        Block { body, shortcut }
    }
}

impl Module for Block {
    fn name(&self) -> &str {
        "block"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let y = self.body.forward(&mut cx.child("body"), x);
        (y + self.shortcut.forward(&mut cx.child("shortcut"), x)).relu()
    }
}

fn resnet18(device: &Device) -> Result<Workload, Error> {
    let stem = Conv2d::new(64, [3, 3]).padding([(1, 1); 2]).without_bias();
    let mut model = Sequential::new().add(stem).add(BatchNorm::new()).add(Activation::relu());
    for (stage, channels) in [64, 128, 256, 512].into_iter().enumerate() {
        let stride = if stage == 0 { 1 } else { 2 };
        model =
            model.add(Block::new(channels, stride, stage > 0)).add(Block::new(channels, 1, false));
    }
    let model = model.add(GlobalAvgPool::new()).add(Dense::new(10));
    let sgd = Sgd::new(0.01).momentum(0.9);
    step("resnet18_cifar_train", device, &model, &sgd, [16, 3, 32, 32])
}

fn measure(criterion: &mut Criterion, device: &Device) -> Result<(), Error> {
    let mut group = criterion.benchmark_group(device.name());
    for build in [convolution, pooling, cnn, resnet18] {
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
