//! A renderer with a device of its own, and a filter that runs between two of its passes.
//!
//! A compute pass of the renderer draws a disc, under noise, into a buffer. A program, which shares
//! device, queue and memory with it, filters what is there. A render pass draws what the program
//! returned. Nothing is copied on the way, and nothing waits before the picture is printed.
//!
//! Concepts: [`GpuDevice::from_wgpu`], and [`import`](GpuDevice::import) and
//! [`export`](GpuDevice::export) of buffers.
//!
//! ```sh
//! cargo run --release --example embed
//! ```

use wgpu::{BufferUsages, TextureFormat, TextureUsages};
use wgrad::{
    DeviceError,
    gpu::{GpuDevice, wgpu},
    ops::Window,
    prelude::*,
};

const WIDTH: u32 = 64;
const HEIGHT: u32 = 32;
const FRAMES: u32 = 3;
/// Bytes from one row of a texture to the next in a buffer: as wgpu demands.
const PITCH: u32 = wgpu::COPY_BYTES_PER_ROW_ALIGNMENT;

/// Draws the disc of a frame: an element is 1 within it and 0 outside, and a quarter of them are wrong.
const DRAW: &str = "
    override WIDTH: u32;
    override HEIGHT: u32;
    @group(0) @binding(0) var<storage, read_write> image: array<f32>;

    fn hash(x: u32) -> u32 {
        let y = ((x >> 16) ^ x) * 0x45d9f3bu;
        let z = ((y >> 16) ^ y) * 0x45d9f3bu;
        return (z >> 16) ^ z;
    }

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= WIDTH * HEIGHT { return; }
        let at = vec2(f32(id.x % WIDTH) * 0.5, f32(id.x / WIDTH)) - vec2(f32(HEIGHT) * 0.5);
        let is_inside = length(at) < f32(HEIGHT) * 0.375;
        let is_wrong = hash(id.x * 3u + 1u) % 4u == 0u;
        image[id.x] = select(0.0, 1.0, is_inside != is_wrong);
    }";

/// Draws an image as shades of gray.
const SHOW: &str = "
    override WIDTH: u32;
    @group(0) @binding(0) var<storage, read> image: array<f32>;

    @vertex fn corners(@builtin(vertex_index) k: u32) -> @builtin(position) vec4<f32> {
        return vec4(f32(k & 1u) * 4.0 - 1.0, f32(k >> 1u) * 4.0 - 1.0, 0.0, 1.0);
    }

    @fragment fn shade(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {
        return vec4(image[u32(at.y) * WIDTH + u32(at.x)]);
    }";

/// The renderer, as it would be without this crate.
struct Renderer {
    device: wgpu::Device,
    queue: wgpu::Queue,
    image: wgpu::Buffer,
    draw: wgpu::ComputePipeline,
    show: wgpu::RenderPipeline,
    target: wgpu::Texture,
    printed: wgpu::Buffer,
}

impl Renderer {
    fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let buffer = |size, usage| {
            let (label, mapped_at_creation) = (None, false);
            device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation })
        };
        // The usages that an import asks for.
        let image = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let image = buffer(u64::from(WIDTH * HEIGHT * 4), image);
        let printed = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let printed = buffer(u64::from(PITCH * HEIGHT), printed);
        let module = |text: &'static str| {
            let source = wgpu::ShaderSource::Wgsl(text.into());
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source })
        };
        let sizes = [("WIDTH", f64::from(WIDTH)), ("HEIGHT", f64::from(HEIGHT))];
        let draw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("draw"),
            layout: None,
            module: &module(DRAW),
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &sizes,
                ..Default::default()
            },
            cache: None,
        });
        let shown = module(SHOW);
        let options =
            wgpu::PipelineCompilationOptions { constants: &sizes[..1], ..Default::default() };
        let show = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("show"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &shown,
                entry_point: None,
                compilation_options: options.clone(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &shown,
                entry_point: None,
                compilation_options: options,
                targets: &[Some(TextureFormat::R8Unorm.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("target"),
            size: wgpu::Extent3d { width: WIDTH, height: HEIGHT, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: TextureFormat::R8Unorm,
            usage: TextureUsages::RENDER_ATTACHMENT | TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        Renderer { device, queue, image, draw, show, target, printed }
    }

    fn bound(
        &self,
        layout: &wgpu::BindGroupLayout,
        image: wgpu::BindingResource,
    ) -> wgpu::BindGroup {
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: image }],
        })
    }

    /// Submits the pass that draws into the image.
    fn draw(&self) {
        let layout = self.draw.get_bind_group_layout(0);
        let group = self.bound(&layout, self.image.as_entire_binding());
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.draw);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups((WIDTH * HEIGHT).div_ceil(64), 1, 1);
        drop(pass);
        self.queue.submit([encoder.finish()]);
    }

    /// Submits the pass that draws this image, as if to a screen.
    fn show(&self, image: wgpu::BufferBinding) {
        let layout = self.show.get_bind_group_layout(0);
        let group = self.bound(&layout, wgpu::BindingResource::Buffer(image));
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let view = self.target.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.show);
        pass.set_bind_group(0, &group, &[]);
        pass.draw(0..3, 0..1);
        drop(pass);
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(PITCH),
            rows_per_image: None,
        };
        let printed = wgpu::TexelCopyBufferInfo { buffer: &self.printed, layout };
        encoder.copy_texture_to_buffer(self.target.as_image_copy(), printed, self.target.size());
        self.queue.submit([encoder.finish()]);
    }

    /// Waits for what was submitted, and prints the last picture.
    fn print(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.printed.map_async(wgpu::MapMode::Read, .., |_| ());
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        let bytes = self.printed.get_mapped_range(..)?;
        for row in bytes.chunks(PITCH as usize) {
            let shades =
                row[..WIDTH as usize].iter().map(|&shade| b" .:-=+*#%@"[shade as usize / 26]);
            println!("{}", shades.map(char::from).collect::<String>().trim_end());
        }
        Ok(())
    }
}

/// Opens a device as a renderer would, with what it needs: this crate is not asked.
fn open() -> Result<(wgpu::Adapter, wgpu::Device, wgpu::Queue), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    device.on_uncaptured_error(std::sync::Arc::new(|error| eprintln!("the renderer: {error}")));
    Ok((adapter, device, queue))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (adapter, device, queue) = match open() {
        Ok(opened) => opened,
        Err(error) => {
            println!("there is no GPU here, not even one that is software: {error}");
            return Ok(());
        }
    };
    let gpu = GpuDevice::from_wgpu(adapter, device.clone(), queue.clone())?;
    device.set_device_lost_callback(gpu.loss_callback());
    let renderer = Renderer::new(device, queue);

    // The mean of 7 x 7 elements, and what is more likely than not.
    let graph = Graph::new();
    let shape = [1, 1, HEIGHT as usize, WIDTH as usize];
    let noisy = graph.input("noisy", shape, DType::F32);
    let mean = noisy.avg_pool(&[Window::new(7).stride(1).padding(3); 2], false);
    let clean = ((mean - 0.5) * 20.0).sigmoid();
    let program = graph.compile(&Device::Gpu(gpu.clone()), &[("clean", clean)])?;

    let noisy = gpu.import(&renderer.image, 0, shape, DType::F32)?;
    let variables = Variables::new(0);
    for _ in 0..FRAMES {
        renderer.draw();
        let outputs = program.run(&variables, &[("noisy", &noisy)])?;
        // The buffer holds it as long as `outputs` does, and for all that was submitted by then.
        let clean = gpu.export(outputs.get("clean")?)?;
        renderer.show(clean.try_into().map_err(|()| "there are elements")?);
    }
    renderer.print()?;

    // What cannot be used is an error that says why.
    let refused = gpu.import(&renderer.printed, 0, shape, DType::F32);
    if let Err(Error::Device(DeviceError::Buffer(error))) = refused {
        println!("the buffer for printing is no input: {error}");
    }
    Ok(())
}
