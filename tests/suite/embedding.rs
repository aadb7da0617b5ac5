//! A renderer that opened its own device, and programs that run beside it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use wgpu::{BufferUsages, util::DeviceExt};
use wgrad::{
    Array, BufferError, DType, Device, DeviceError, Error, Feed, Graph, Init, Value, Variables,
    Verification,
    gpu::{GpuDevice, wgpu},
};

/// Someone who uses wgpu without this crate.
struct Renderer {
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// How many errors its handler was told of.
    errors: Arc<AtomicUsize>,
}

impl Renderer {
    fn opened(adapter: wgpu::Adapter, features: wgpu::Features, limits: wgpu::Limits) -> Self {
        let renderer = Renderer::heedless(adapter, features, limits);
        let counter = renderer.errors.clone();
        renderer.device.on_uncaptured_error(Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        renderer
    }

    /// Without a handler of errors: wgpu then panics.
    fn heedless(adapter: wgpu::Adapter, features: wgpu::Features, limits: wgpu::Limits) -> Self {
        let opened = adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: adapter.features() & features,
            required_limits: limits,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(opened).expect("it opened before");
        Renderer { adapter, device, queue, errors: Arc::default() }
    }

    /// With limits as small as may be, which are those of WebGPU.
    fn new() -> Option<Self> {
        let Some(Device::Gpu(gpu)) = crate::device::gpu() else { return None };
        let adapter = gpu.wgpu_adapter().clone();
        Some(Renderer::opened(adapter, wgpu::Features::SHADER_F16, wgpu::Limits::default()))
    }

    fn shared(&self) -> Result<GpuDevice, Error> {
        let Renderer { adapter, device, queue, .. } = self;
        GpuDevice::from_wgpu(adapter.clone(), device.clone(), queue.clone())
    }

    fn buffer(&self, bytes: &[u8], usage: BufferUsages) -> wgpu::Buffer {
        let (label, contents) = (Some("of the renderer"), bytes);
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label, contents, usage })
    }

    /// Binds buffers in their order, and runs `main` with an invocation for each of `count` elements.
    fn pass(&self, wgsl: &str, buffers: &[wgpu::BindingResource<'_>], count: u32) {
        let source = wgpu::ShaderSource::Wgsl(wgsl.into());
        let descriptor = wgpu::ShaderModuleDescriptor { label: None, source };
        let module = self.device.create_shader_module(descriptor);
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = buffers.iter().enumerate().map(|(binding, resource)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: resource.clone(),
        });
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries.collect::<Vec<_>>(),
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(count, 1, 1);
        drop(pass);
        self.queue.submit([encoder.finish()]);
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("it can be read"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("it finishes");
        staging.get_mapped_range(..).expect("it is mapped").to_vec()
    }

    fn errors(&self) -> usize {
        self.errors.load(Ordering::Relaxed)
    }
}

const SHARED: BufferUsages =
    BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

fn bytes(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn refusal(value: Result<Value, Error>) -> BufferError {
    match value {
        Err(Error::Device(DeviceError::Buffer(error))) => error,
        other => unreachable!("{other:?} is no error of a buffer"),
    }
}

/// A pass of the renderer writes what a program reads, and another one reads what the program wrote.
#[test]
fn passes_and_programs_follow_one_another_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let graph = Graph::new();
    let x = graph.input("x", [50, 2], DType::F32);
    let y = x * 2.0 + 1.0;
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[("y", y), ("sum", y.sum(..))])?;

    let field = renderer.buffer(&[0; 256 + 400], SHARED);
    let image = renderer.buffer(&[0; 400], SHARED);
    let value = gpu.import(&field, 256, [50, 2], DType::F32)?;
    let written = "
        @group(0) @binding(0) var<storage, read_write> field: array<f32>;
        @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            field[64 + id.x] += f32(id.x) * 0.5;
        }";
    let read = "
        @group(0) @binding(0) var<storage, read> y: array<f32>;
        @group(0) @binding(1) var<storage, read_write> image: array<f32>;
        @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            image[id.x] = y[id.x] - 3.0;
        }";
    let mut held = Vec::new();
    let before = gpu.counters();
    for frame in 1..=5u8 {
        // Nothing here waits: the queue has the order.
        renderer.pass(written, &[field.as_entire_binding()], 100);
        let outputs = program.run(&Variables::new(0), &[("x", &value)])?;
        let y = gpu.export(outputs.get("y")?)?;
        assert_eq!(y.size(), 400);
        let y = wgpu::BindingResource::Buffer(y.try_into().expect("it is not empty"));
        renderer.pass(read, &[y, image.as_entire_binding()], 100);
        let of = |k: u8| f32::from(k) * 0.5 * f32::from(frame) * 2.0 + 1.0;
        let expected: Vec<f32> = (0..100).map(|k| of(k) - 3.0).collect();
        assert_eq!(floats(&renderer.read(&image)), expected, "frame {frame}");
        assert_eq!(outputs.scalar("sum")?, (0..100).map(|k| f64::from(of(k))).sum::<f64>());
        if frame < 3 {
            held.push((outputs, expected));
        }
    }
    // The input was bound once for each of the sets of results.
    let created = gpu.counters().bind_groups - before.bind_groups;
    assert!(created > 0 && created <= 3 * 3 * 3, "{created} bind groups");
    for (outputs, expected) in &held {
        let y = outputs.read_blocking("y")?.to_vec::<f32>()?;
        assert_eq!(y, expected.iter().map(|y| y + 3.0).collect::<Vec<_>>());
    }
    let imported = value.read_blocking()?.to_vec::<f32>()?;
    assert_eq!(imported, (0..100).map(|k| k as f32 * 2.5).collect::<Vec<_>>());
    assert_eq!(renderer.errors(), 0);
    Ok(())
}

/// Halves take two bytes, an odd number of them two more, and a bool is a word.
#[test]
fn elements_lie_as_documented_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let device = Device::Gpu(gpu.clone());
    let exported = |value: &Value| {
        let range = gpu.export(value)?;
        let all = renderer.read(range.buffer());
        Ok::<_, Error>(all[range.offset() as usize..][..range.size() as usize].to_vec())
    };
    if gpu.has(DType::F16) {
        let graph = Graph::new();
        let x = graph.input("x", [3], DType::F16);
        let program = graph.compile(&device, &[x * 2.0])?;
        // 1, -0.5, 65504, padding.
        let halves: Vec<u8> =
            [0x3c00u16, 0xb800, 0x7bff, 0x1234].iter().flat_map(|h| h.to_le_bytes()).collect();
        let value = gpu.import(&renderer.buffer(&halves, SHARED), 0, [3], DType::F16)?;
        assert_eq!(value.read_blocking()?.to_f64(), [1.0, -0.5, 65504.0]);
        let doubled = program.run(&Variables::new(0), &[("x", &value)])?;
        let doubled = exported(doubled.get(0)?)?;
        let expected = [0x4000u16, 0xbc00, 0x7c00].map(u16::to_le_bytes);
        assert_eq!(doubled.len(), 8);
        assert_eq!(doubled[..6], *expected.as_flattened());
    }
    let graph = Graph::new();
    let mask = graph.input("mask", [4], DType::Bool);
    let n = graph.input("n", [4], DType::I32);
    let program = graph.compile(&device, &[mask.select(n, -n), !mask])?;
    let mask = gpu.import(&renderer.buffer(&bytes([1, 0, 0, 1]), SHARED), 0, [4], DType::Bool)?;
    let n = renderer.buffer(&bytes([1, 2, 3u32.wrapping_neg(), 4]), SHARED);
    let n = gpu.import(&n, 0, [4], DType::I32)?;
    let outputs = program.run(&Variables::new(0), &[("mask", &mask as &dyn Feed), ("n", &n)])?;
    let expected = [1, 2u32.wrapping_neg(), 3, 4];
    assert_eq!(exported(outputs.get(0)?)?, bytes(expected));
    assert_eq!(exported(outputs.get(1)?)?, bytes([0, 1, 1, 0]));
    Ok(())
}

/// Proofs, variables and derivatives on a device with other limits than this crate would ask for.
#[test]
fn training_on_the_device_of_a_renderer_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let device = Device::Gpu(gpu.clone()).with_verification(Verification::Full);
    assert_eq!(device.name(), renderer.adapter.get_info().name);
    let mut ends = Vec::new();
    for device in [device, Device::Reference] {
        let graph = Graph::new();
        let x = graph.input("x", [8, 3], DType::F32);
        let w = graph.variable("w", [3, 2], DType::F32, Init::Constant(0.25));
        let loss = (x.matmul(w).tanh() - 0.5).square().mean(..);
        let gradient = wgrad::autodiff::grad(loss, &[w])[0];
        graph.assign(w, w - gradient * 0.5);
        let step = graph.compile(&device, &[("loss", loss)])?;
        let variables = Variables::new(0);
        let x: Vec<f32> = (0..24).map(|k| (k * 7 % 11) as f32 / 8.0 - 0.5).collect();
        for _ in 0..4 {
            step.run(&variables, &[("x", &Array::new([8, 3], &x)?)])?;
        }
        ends.push(variables.get("w")?.to_f64());
    }
    for (got, expected) in ends[0].iter().zip(&ends[1]) {
        // Four steps of some tens of roundings each, 2^-24 relative: of sums below 1.
        assert!((got - expected).abs() < 1e-5, "{got} is not {expected}");
    }
    let proofs = gpu.proofs();
    assert!(proofs.proved > 0 && proofs.quarantined.is_empty(), "{proofs:?}");
    assert_eq!(renderer.errors(), 0);
    Ok(())
}

/// Each is told of its own errors, and of no other.
#[test]
fn errors_have_owners_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[x + 1.0])?;
    let buffer = |n: u32| renderer.buffer(&bytes([n.wrapping_mul(1 << 23); 4]), SHARED);
    let run = |value: &Value| program.run(&Variables::new(0), &[("x", value)]);
    let value = gpu.import(&buffer(127), 0, [4], DType::F32)?;
    assert_eq!(run(&value)?.read_blocking(0)?.to_f64(), [2.0; 4]);
    assert_eq!(renderer.errors(), 0);

    // A mistake of the renderer, between two calls that would be told.
    let sealed = renderer.buffer(&[0; 16], BufferUsages::COPY_SRC);
    renderer.queue.write_buffer(&sealed, 0, &[0; 4]);
    assert_eq!(renderer.errors(), 1);
    assert_eq!(run(&value)?.read_blocking(0)?.to_f64(), [2.0; 4]);
    gpu.wait_idle()?;

    // Mistakes of the renderer on another thread, during ours.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..50).for_each(|_| renderer.queue.write_buffer(&sealed, 0, &[0; 4])));
        for _ in 0..20 {
            assert_eq!(run(&value)?.read_blocking(0)?.to_f64(), [2.0; 4]);
        }
        Ok::<_, Error>(())
    })?;
    assert_eq!(renderer.errors(), 51);

    // A mistake that a run has to tell, as the buffer was whole when it was imported.
    let taken = buffer(128);
    let gone = gpu.import(&taken, 0, [4], DType::F32)?;
    taken.destroy();
    let error = run(&gone).expect_err("it is destroyed");
    assert!(matches!(error, Error::Device(DeviceError::Reported { .. })), "{error}");
    let error = gone.read_blocking().expect_err("it is destroyed");
    assert!(matches!(error, Error::Device(DeviceError::Reported { .. })), "{error}");
    assert_eq!(renderer.errors(), 51);
    assert_eq!(run(&value)?.read_blocking(0)?.to_f64(), [2.0; 4]);
    Ok(())
}

#[test]
fn buffers_that_cannot_be_values_are_refused_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let import = |buffer: &wgpu::Buffer, offset, shape: [usize; 2]| {
        gpu.import(buffer, offset, shape, DType::F32)
    };
    let buffer = renderer.buffer(&[0; 1024], SHARED);
    for (offset, shape) in [(0, [16, 16]), (256, [3, 64]), (1024 - 256, [1, 1]), (0, [0, 5])] {
        // Twice: looking whose buffer it is leaves nothing behind.
        for _ in 0..2 {
            assert_eq!(import(&buffer, offset, shape)?.meta().shape.dims(), shape);
        }
    }
    let unusable = |missing| BufferError::Usage { missing };
    for (usage, error) in [
        (BufferUsages::STORAGE, unusable(BufferUsages::COPY_SRC)),
        (BufferUsages::VERTEX | BufferUsages::COPY_SRC, unusable(BufferUsages::STORAGE)),
        (BufferUsages::UNIFORM, unusable(BufferUsages::STORAGE | BufferUsages::COPY_SRC)),
    ] {
        assert_eq!(refusal(import(&renderer.buffer(&[0; 64], usage), 0, [1, 4])), error);
    }
    let text = "the buffer lacks the usages COPY_SRC | STORAGE";
    assert_eq!(unusable(BufferUsages::STORAGE | BufferUsages::COPY_SRC).to_string(), text);

    let alignment = u64::from(renderer.device.limits().min_storage_buffer_offset_alignment);
    for offset in [4, 8, alignment / 2, alignment + 1] {
        let unaligned = BufferError::Unaligned { offset, alignment };
        assert_eq!(refusal(import(&buffer, offset, [1, 4])), unaligned);
    }
    for (offset, shape, needed) in [
        (0, [1, 257], 1028),
        (256, [1, 193], 772),
        (1024, [1, 1], 4),
        (1024, [0, 1], 4),
        (u64::MAX - u64::from(u8::MAX), [1, 1], 4),
    ] {
        match refusal(import(&buffer, offset, shape)) {
            BufferError::TooSmall { needed: bytes, size: 1024, .. } => assert_eq!(bytes, needed),
            other => unreachable!("{other:?}"),
        }
    }
    for shape in [[1 << 31, 1], [usize::MAX, 1], [usize::MAX, usize::MAX]] {
        assert!(matches!(refusal(import(&buffer, 0, shape)), BufferError::TooLarge { .. }));
    }

    let mapped = renderer.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 64,
        usage: SHARED,
        mapped_at_creation: true,
    });
    assert_eq!(refusal(import(&mapped, 0, [1, 4])), BufferError::Mapped);
    let mut view = mapped.get_mapped_range_mut(..).expect("it stays mapped");
    assert_eq!(refusal(import(&mapped, 0, [1, 4])), BufferError::Mapped);
    view.slice(..4).copy_from_slice(&2.5f32.to_le_bytes());
    drop(view);
    mapped.unmap();
    assert_eq!(import(&mapped, 0, [1, 1])?.read_blocking()?.to_f64(), [2.5]);

    buffer.destroy();
    let error = refusal(import(&buffer, 0, [1, 4]));
    assert!(matches!(error, BufferError::Unusable { .. }), "{error:?}");
    assert_eq!(renderer.errors(), 0);

    let graph = Graph::new();
    let outputs = graph.compile(&Device::cpu(), &[graph.full([2], DType::F32, 1.0)])?;
    let outputs = outputs.run(&Variables::new(0), &[])?;
    let error = gpu.export(outputs.get(0)?).map(drop).expect_err("it is on the CPU");
    assert!(matches!(error, Error::Device(DeviceError::Buffer(BufferError::NotOnDevice { .. }))));
    Ok(())
}

/// wgpu numbers the buffers of an instance: one of another instance has the number of one of ours.
#[test]
fn buffers_of_other_devices_are_refused_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let same = Renderer::new().expect("it opened before");
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let backends = renderer.adapter.get_info().backend.into();
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let adapter = adapters.into_iter().next().expect("it was found before");
    let (features, limits) = (wgpu::Features::empty(), wgpu::Limits::default());
    let heedless = [&adapter, &renderer.adapter]
        .map(|adapter| Renderer::heedless(adapter.clone(), features, limits.clone()));
    let other = Renderer::opened(adapter, features, limits);
    // As many as there are here, so that numbers meet; and one whose number is too large.
    let own: Vec<_> = (0..64).map(|_| renderer.buffer(&[0; 256], SHARED)).collect();
    for foreign in [&same, &other] {
        let foreign: Vec<_> = (0..200).map(|_| foreign.buffer(&[0; 256], SHARED)).collect();
        for buffer in &foreign {
            let refused = refusal(gpu.import(buffer, 0, [64], DType::F32));
            assert_eq!(refused, BufferError::Foreign);
        }
    }
    for foreign in &heedless {
        let buffer = foreign.buffer(&[0; 256], SHARED);
        assert_eq!(refusal(gpu.import(&buffer, 0, [64], DType::F32)), BufferError::Foreign);
    }
    for buffer in &own {
        gpu.import(buffer, 0, [64], DType::F32)?;
    }
    assert_eq!(renderer.errors(), 0);
    // A value of the one is none of the other.
    let value = gpu.import(&own[0], 0, [64], DType::F32)?;
    assert!(same.shared()?.export(&value).is_err());
    let graph = Graph::new();
    let x = graph.input("x", [64], DType::F32);
    let program = graph.compile(&Device::Gpu(same.shared()?), &[x + 1.0])?;
    let error = program.run(&Variables::new(0), &[("x", &value)]).expect_err("it is elsewhere");
    assert!(error.to_string().contains("lives on another device"), "{error}");

    for other in [&same, &other, &heedless[0], &heedless[1]] {
        let Renderer { adapter, device, .. } = &renderer;
        let mixed = GpuDevice::from_wgpu(adapter.clone(), device.clone(), other.queue.clone());
        let error = mixed.expect_err("the queue is that of another device");
        let expected = DeviceError::NotTogether { what: "queue" };
        assert!(matches!(&error, Error::Device(error) if *error == expected), "{error}");
    }
    assert_eq!(renderer.errors(), 0);
    Ok(())
}

/// What was exported may be imported, in another shape, and outlive the result it was.
#[test]
fn an_exported_result_may_be_the_next_input_on_gpu() -> Result<(), Error> {
    let Some(renderer) = Renderer::new() else { return Ok(()) };
    let gpu = renderer.shared()?;
    let graph = Graph::new();
    let x = graph.input("x", [6], DType::F32);
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[x * 2.0])?;
    let mut x = Array::from([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut first = gpu.import(&renderer.buffer(&[0; 64], SHARED), 0, [6], DType::F32)?;
    for round in 0..6 {
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        let range = gpu.export(outputs.get(0)?)?;
        first = gpu.import(range.buffer(), range.offset(), [6], DType::F32)?;
        drop(outputs);
        // Its results would be written to its input, if they went where there is room.
        for _ in 0..4 {
            let again = program.run(&Variables::new(0), &[("x", &first)])?;
            let expected: Vec<f64> = x.to_f64().iter().map(|x| 4.0 * x).collect();
            assert_eq!(again.read_blocking(0)?.to_f64(), expected, "round {round}");
        }
        x = first.read_blocking()?;
    }
    assert_eq!(first.read_blocking()?.to_f64()[0], 64.0);
    assert_eq!(renderer.errors(), 0);
    Ok(())
}

#[test]
fn devices_that_lack_what_kernels_need_are_refused_on_gpu() {
    let Some(renderer) = Renderer::new() else { return };
    let few = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::default() };
    let small =
        wgpu::Limits { max_compute_workgroup_storage_size: 8 << 10, ..wgpu::Limits::default() };
    for (limits, limit, offered, needed) in [
        (few, "storage buffers in a shader", 4, 5),
        (small, "bytes of memory in a workgroup", 8 << 10, 16 << 10),
    ] {
        let poor =
            Renderer::opened(renderer.adapter.clone(), wgpu::Features::empty(), limits).shared();
        let adapter = renderer.adapter.get_info().name;
        let expected = DeviceError::Limit { adapter, limit, needed, offered };
        let error = poor.expect_err("it lacks something");
        assert!(matches!(&error, Error::Device(error) if *error == expected), "{error}");
    }
    // Without features there are no halves, and all else.
    let bare = Renderer::opened(
        renderer.adapter.clone(),
        wgpu::Features::empty(),
        wgpu::Limits::default(),
    );
    let gpu = bare.shared().expect("it has what kernels need");
    assert!(!gpu.has(DType::F16) && gpu.has(DType::Bool));
}

/// The owner's callback is called, and what compiles, reads or opens is told.
#[test]
fn a_renderer_that_destroys_its_device_on_gpu() -> Result<(), Error> {
    let renderers = [(); 4].map(|()| Renderer::new());
    let [Some(renderer), Some(gone), Some(told_by), Some(open)] = renderers else {
        return Ok(());
    };
    let is_lost = |error: &Error| matches!(error, Error::Device(DeviceError::Lost { .. }));
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    renderer.device.set_device_lost_callback(move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let gpu = renderer.shared()?;
    let compile = |gpu: &GpuDevice| {
        let graph = Graph::new();
        let x = graph.input("x", [20_000], DType::F32);
        graph.compile(&Device::Gpu(gpu.clone()), &[x + 1.0, x.sum(..)])
    };
    let program = compile(&gpu)?;
    let x = Array::full([20_000], 1.0f32)?;
    let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
    assert_eq!(outputs.scalar(1)?, 20_000.0);
    let imported = renderer.buffer(&[0; 64], SHARED);
    renderer.device.destroy();
    let error = outputs.read_blocking(0).expect_err("it is gone");
    assert!(is_lost(&error), "{error}");
    assert!(compile(&gpu).is_err_and(|error| is_lost(&error)));
    assert!(program.run(&Variables::new(0), &[("x", &x)]).is_err_and(|error| is_lost(&error)));
    assert!(gpu.import(&imported, 0, [4], DType::F32).is_err_and(|error| is_lost(&error)));
    assert!(gpu.export(outputs.get(0)?).is_err_and(|error| is_lost(&error)));
    assert!(renderer.shared().is_err_and(|error| is_lost(&error)));
    renderer.device.poll(wgpu::PollType::Poll).expect("it has nothing to do");
    assert_eq!((told.load(Ordering::Relaxed), renderer.errors()), (1, 0));

    // A run may be the first to touch a device that is gone.
    let gpu = gone.shared()?;
    let program = compile(&gpu)?;
    program.run(&Variables::new(0), &[("x", &x)])?.scalar(1)?;
    gone.device.destroy();
    let run = program.run(&Variables::new(0), &[("x", &x)]);
    assert!(run.and_then(|outputs| outputs.scalar(1)).is_err_and(|error| is_lost(&error)));
    assert_eq!(gone.errors(), 0);

    // Told by the owner, who knows first; and nobody keeps the device open for that.
    let gpu = told_by.shared()?;
    let (tell, told) = (gpu.loss_callback(), Arc::new(AtomicUsize::new(0)));
    let counter = told.clone();
    told_by.device.set_device_lost_callback(move |reason, message| {
        counter.fetch_add(1, Ordering::Relaxed);
        tell(reason, message);
    });
    let program = compile(&gpu)?;
    told_by.device.destroy();
    told_by.device.poll(wgpu::PollType::Poll).expect("it has nothing to do");
    assert_eq!(told.load(Ordering::Relaxed), 1);
    let error = program.run(&Variables::new(0), &[("x", &x)]).expect_err("it is lost");
    assert!(is_lost(&error), "{error}");
    // A callback is dropped with its device.
    let (gpu, held) = (open.shared()?, Arc::new(()));
    let (tell, callback) = (gpu.loss_callback(), Arc::downgrade(&held));
    open.device.set_device_lost_callback(move |reason, message| {
        let _held = &held;
        tell(reason, message);
    });
    let outputs = compile(&gpu)?.run(&Variables::new(0), &[("x", &x)])?;
    outputs.scalar(1)?;
    drop((open, gpu));
    assert_eq!(callback.strong_count(), 1, "the outputs have the device");
    drop(outputs);
    assert_eq!(callback.strong_count(), 0);
    Ok(())
}
