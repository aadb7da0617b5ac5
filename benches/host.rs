//! Host overhead: compiling a training step, recording and submitting one without waiting for the
//! device, and what a [`Trainer`] adds to the loop that one would write.
//!
//! Programs are compiled for the CPU, so that no driver takes part. The baseline of a submission is wgpu
//! itself recording the same number of dispatches in one pass. Run with `cargo bench --bench host`; the
//! device is the one that `--device gpu` selects.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::{Duration, Instant};
use wgrad::{
    Array, DType, Device, Error, Feed, Graph, Init, Selection, Tensor, Variables,
    bench::workloads,
    data::{Labeled, Loader, digits},
    nn::{Activation, Dense, Mode, Module, Scope, Sequential, cross_entropy, models},
    optim::{Adam, Optimizer, OptimizerExt},
    testing::Noise,
    train::Trainer,
};

const BATCH: usize = 32;

/// Times `submit` alone; `settle` runs between the measurements, so that no queue fills up.
fn timed(
    iterations: u64,
    mut submit: impl FnMut() -> Result<(), Error>,
    mut settle: impl FnMut() -> Result<(), Error>,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iterations {
        let begin = Instant::now();
        submit().expect("a step that ran before runs again");
        total += begin.elapsed();
        settle().expect("the device works");
    }
    total
}

/// Traces, differentiates and plans the training step of a ResNet-18.
fn compile(criterion: &mut Criterion) {
    let name = "resnet18_cifar_train";
    let workload = workloads(&[]).into_iter().find(|workload| workload.name == name);
    let workload = workload.expect("it is one of the models");
    criterion.bench_function(&format!("compile {name}"), |bencher| {
        bencher.iter(|| workload.program(&Device::cpu()).expect("it compiles"));
    });
}

/// Differentiates and plans graphs of several sizes: the throughput is that of one parameter, or of
/// one layer, so it stays the same as long as the time is proportional to the size.
fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    for params in [100u64, 1_000, 10_000] {
        group.throughput(Throughput::Elements(params));
        for (name, clipped) in [("parameters", false), ("parameters, clipped", true)] {
            group.bench_function(BenchmarkId::new(name, params), |bencher| {
                bencher.iter_batched(
                    Graph::new,
                    |graph| {
                        let mut cx = Scope::new(&graph, Mode::Train);
                        let terms = (0..params as usize).map(|index| {
                            // Not all have the same length, as in a model.
                            let shape = [1 + index % 97];
                            let param = cx.param(&index.to_string(), shape, Init::Ones);
                            (param * param).sum(..)
                        });
                        let loss = terms.reduce(|sum, term| sum + term).expect("there are some");
                        compile_step(&graph, &mut cx, loss, clipped)
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    for layers in [6u64, 48] {
        group.throughput(Throughput::Elements(layers));
        group.bench_function(BenchmarkId::new("layers of a transformer", layers), |bencher| {
            let network = models::Transformer::new(50, 16).width(32, 64).layers(layers as usize);
            bencher.iter_batched(
                Graph::new,
                |graph| {
                    let mut cx = Scope::new(&graph, Mode::Train);
                    let [x, y] = ["x", "y"].map(|name| graph.input(name, [2, 16], DType::U32));
                    let loss = cross_entropy(network.forward(&mut cx, x), y).mean(..);
                    compile_step(&graph, &mut cx, loss, true)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn compile_step<'g>(graph: &'g Graph, cx: &mut Scope<'g>, loss: Tensor<'g>, clipped: bool) {
    let adam = Adam::new(1e-3);
    match clipped {
        true => adam.clip_norm(1.0).update(cx, loss),
        false => adam.update(cx, loss),
    }
    graph.compile(&Device::cpu(), &[loss]).expect("it compiles");
}

fn step(criterion: &mut Criterion, device: &Device) -> Result<(), Error> {
    let Device::Gpu(gpu) = device else { return Ok(()) };
    let network = Sequential::new()
        .add(Dense::new(128))
        .add(Activation::relu())
        .add(Dense::new(64))
        .add(Activation::relu())
        .add(Dense::new(digits::CLASSES));
    let (data, variables, adam) = (digits::load()?, Variables::new(0), Adam::new(2e-3));
    let program = Trainer::classifier(&network, &adam).step(device, &data, BATCH)?;
    program.prepare(&variables)?;
    let batch = data.rows(&(0..BATCH).collect::<Vec<_>>())?;
    let inputs: [(&str, &dyn Feed); 2] = [("inputs", batch.inputs()), ("targets", batch.targets())];
    let before = gpu.counters().dispatches;
    program.run(&variables, &inputs)?;
    let dispatches = gpu.counters().dispatches - before;

    let mut group = criterion.benchmark_group(format!("host, {dispatches} dispatches"));
    group.throughput(Throughput::Elements(dispatches));
    group.bench_function("wgrad: upload, record, submit", |bencher| {
        bencher.iter_custom(|iterations| {
            let run = || program.run(&variables, &inputs).map(drop);
            timed(iterations, run, || gpu.wait_idle())
        });
    });
    let raw = Raw::new()?;
    group.bench_function("wgpu: record", |bencher| {
        bencher.iter_custom(|iterations| {
            let record = || {
                drop(raw.record(dispatches));
                Ok(())
            };
            timed(iterations, record, || Ok(()))
        });
    });
    group.bench_function("wgpu: record, submit", |bencher| {
        bencher.iter_custom(|iterations| {
            let submit = || {
                raw.queue.submit([raw.record(dispatches)]);
                Ok(())
            };
            let wait = || {
                let done = raw.device.poll(wgpu::PollType::wait_indefinitely());
                done.map(drop).map_err(|error| {
                    let message = error.to_string();
                    wgrad::DeviceError::Reported { message }.into()
                })
            };
            timed(iterations, submit, wait)
        });
    });
    group.finish();
    Ok(())
}

/// Dispatches of a trivial copy shader, directly through wgpu.
struct Raw {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    groups: [wgpu::BindGroup; 2],
}

impl Raw {
    fn new() -> Result<Self, Error> {
        let failed = |message: String| wgrad::DeviceError::Reported { message };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default());
        let adapter = pollster::block_on(adapter).map_err(|error| failed(error.to_string()))?;
        let opened = adapter.request_device(&wgpu::DeviceDescriptor::default());
        let (device, queue) =
            pollster::block_on(opened).map_err(|error| failed(error.to_string()))?;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(
                "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
                 @group(1) @binding(0) var<storage, read> x: array<f32>;
                 @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3<u32>) {
                     if g.x < arrayLength(&y) { y[g.x] = x[g.x]; }
                 }"
                .into(),
            ),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let groups = [0, 1].map(|group| {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 256,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            });
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(group),
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                }],
            })
        });
        Ok(Raw { device, queue, pipeline, groups })
    }

    fn record(&self, dispatches: u64) -> wgpu::CommandBuffer {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..dispatches {
            pass.set_pipeline(&self.pipeline);
            for (number, group) in self.groups.iter().enumerate() {
                pass.set_bind_group(number as u32, group, &[]);
            }
            pass.dispatch_workgroups(1, 1, 1);
        }
        drop(pass);
        encoder.finish()
    }
}

/// Epochs of eight steps of the workload `mlp_train`, with rows drawn from a data set: by the trainer, and
/// by the loop that one would write, each without compilation.
fn trainer(criterion: &mut Criterion) -> Result<(), Error> {
    const BATCH: usize = 128;
    const ROWS: usize = 8 * BATCH;
    let (network, adam, cpu) = (models::mlp(&[512, 256], 10), Adam::new(1e-3), Device::cpu());
    let mut noise = Noise::new(0);
    let pixels: Vec<f32> = (0..ROWS * 784).map(|_| noise.unit() as f32).collect();
    let labels: Vec<u32> = (0..10).cycle().take(ROWS).collect();
    let data = Labeled::new(Array::from_vec([ROWS, 784], pixels)?, Array::from(labels))?;
    let mut group = criterion.benchmark_group("mlp_train, 8 steps");
    group.throughput(Throughput::Elements(8));
    group.bench_function("bare loop", |bencher| {
        let variables = Variables::new(0);
        let trainer = Trainer::classifier(&network, &adam);
        let program = trainer.step(&cpu, &data, BATCH).expect("it compiles");
        program.prepare(&variables).expect("there is memory");
        let loader = Loader::new(&data, BATCH);
        let epoch = |number: usize| -> Result<f64, Error> {
            let mut total = 0.0;
            for batch in loader.epoch(number)? {
                total += program.run(&variables, &batch?.feeds())?.scalar("loss")?;
            }
            Ok(total)
        };
        let mut number = 0;
        bencher.iter(|| {
            number += 1;
            epoch(number).expect("it trains")
        });
    });
    group.bench_function("trainer", |bencher| {
        let variables = Variables::new(0);
        bencher.iter_custom(|epochs| {
            let mut trainer = Trainer::classifier(&network, &adam);
            trainer = trainer.epochs(epochs as usize).batch(BATCH);
            let report = trainer.fit(&cpu, &variables, &data).expect("it trains");
            Duration::from_secs_f64(report.seconds)
        });
    });
    group.finish();
    Ok(())
}

fn host(criterion: &mut Criterion) {
    compile(criterion);
    growth(criterion);
    trainer(criterion).expect("what compiles trains");
    match Device::select_blocking(&Selection::Gpu) {
        Ok(device) => step(criterion, &device).expect("a program that compiles runs"),
        Err(error) => eprintln!("no step was measured: {error}"),
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = host
}
criterion_main!(benches);
