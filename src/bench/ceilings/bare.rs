//! Runs shaders directly, on a separate device opened with all features of the adapter, including
//! experimental matrix units.

use crate::{
    error::{DeviceError, Error},
    gpu::{GpuDevice, ModuleKind, unchecked},
};
use std::{
    borrow::Cow,
    sync::mpsc,
    time::{Duration, Instant},
};
use wgpu::{BufferUsages, Features};

/// An adapter opened for measuring ceilings.
pub(super) struct Bare {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pub limits: wgpu::Limits,
    /// Whether its shaders support f16.
    pub has_f16: bool,
    /// Subgroup size for 16 × 16 matrix products in f16, if there are units for them.
    pub matrix_lanes: Option<u32>,
    clock: Option<Clock>,
}

/// GPU timestamps before and after a pass.
struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
}

/// A compiled shader with its buffers.
pub(super) struct Kernel {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl Bare {
    /// Opens the adapter of a device again.
    pub fn open(gpu: &GpuDevice) -> Result<Self, Error> {
        let adapter = gpu.wgpu_adapter();
        let (offered, info) = (adapter.features(), adapter.get_info());
        let mut features = offered & (Features::SHADER_F16 | Features::TIMESTAMP_QUERY);
        let mut matrix_lanes = None;
        if offered.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
            && offered.contains(Features::SHADER_F16)
            && adapter.cooperative_matrix_properties().iter().any(is_f16_to_f32)
        {
            features |= Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            matrix_lanes = Some(info.subgroup_max_size.max(1));
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgrad ceilings"),
            required_features: features,
            required_limits: adapter.limits(),
            experimental_features: unchecked::experimental(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| DeviceError::Open {
            adapter: info.name.clone(),
            message: error.to_string(),
        })?;
        // Errors are caught by scopes and results; without a handler wgpu panics.
        device.on_uncaptured_error(std::sync::Arc::new(|_| ()));
        let clock = features.contains(Features::TIMESTAMP_QUERY).then(|| Clock {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 16,
                usage: BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
        });
        let (limits, has_f16) = (device.limits(), features.contains(Features::SHADER_F16));
        Ok(Bare { device, queue, limits, has_f16, matrix_lanes, clock })
    }

    /// Creates a buffer that shaders read and write.
    pub fn storage(&self, bytes: u64) -> Result<wgpu::Buffer, Error> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        self.scoped(|| {
            let (label, mapped_at_creation) = (None, false);
            let size = bytes.next_multiple_of(16);
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label,
                size,
                usage,
                mapped_at_creation,
            })
        })
    }

    /// Creates a uniform buffer with these words.
    pub fn uniform(&self, words: &[u32]) -> wgpu::Buffer {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 16,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.write(&buffer, words);
        buffer
    }

    /// Writes words to a buffer.
    pub fn write(&self, buffer: &wgpu::Buffer, words: &[u32]) {
        self.queue.write_buffer(buffer, 0, bytemuck::cast_slice(words));
    }

    /// Compiles a shader and binds its buffers in order, starting with binding `first`.
    pub fn kernel(
        &self,
        text: Cow<'_, str>,
        overrides: &[(&str, f64)],
        first: u32,
        buffers: &[&wgpu::Buffer],
    ) -> Result<Kernel, Error> {
        self.scoped(|| {
            // As kernels are that were proved: runtime checks would lower the ceilings.
            let module = unchecked::module(&self.device, "ceiling", text, ModuleKind::Trusted);
            let compilation_options = wgpu::PipelineCompilationOptions {
                constants: overrides,
                zero_initialize_workgroup_memory: false,
            };
            let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options,
                cache: None,
            });

            let entries = (first..).zip(buffers).map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            });
            let entries: Vec<_> = entries.collect();
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            Kernel { pipeline, group }
        })
    }

    /// Runs a shader `times` times in one pass and waits; returns the duration of the pass
    /// according to GPU timestamps, or to the host's clock if there are none.
    pub fn pass(&self, kernel: &Kernel, groups: u32, times: u32) -> Result<Duration, Error> {
        let begin = Instant::now();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let timestamp_writes = self.clock.as_ref().map(|clock| wgpu::ComputePassTimestampWrites {
            query_set: &clock.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.group, &[]);
        (0..times).for_each(|_| pass.dispatch_workgroups(groups, 1, 1));
        drop(pass);
        if let Some(clock) = &self.clock {
            encoder.resolve_query_set(&clock.queries, 0..2, &clock.resolved, 0);
        }
        self.queue.submit([encoder.finish()]);
        self.wait()?;
        let ours = begin.elapsed();
        let Some(clock) = &self.clock else { return Ok(ours) };
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&self.read(&clock.resolved, 16)?);
        let nanoseconds =
            ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(self.queue.get_timestamp_period());
        // Equal timestamps are not usable.
        if nanoseconds > 0.0 { Ok(Duration::from_secs_f64(nanoseconds * 1e-9)) } else { Ok(ours) }
    }

    /// Numbers of workgroups and of dispatches with which a pass takes this long.
    pub fn sized(
        &self,
        kernel: &Kernel,
        most_groups: u32,
        wanted: Duration,
    ) -> Result<(u32, u32), Error> {
        let (mut groups, mut times) = (1, 1);
        while self.pass(kernel, groups, times)? < wanted && times < 1 << 10 {
            if groups < most_groups { groups = (2 * groups).min(most_groups) } else { times *= 2 }
        }
        Ok((groups, times))
    }

    /// Like [`pass`](Self::pass), timed by the host's clock from recording until completion is known.
    pub fn wall(&self, kernel: &Kernel, times: u32) -> Result<Duration, Error> {
        let begin = Instant::now();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.group, &[]);
        (0..times).for_each(|_| pass.dispatch_workgroups(1, 1, 1));
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.wait()?;
        Ok(begin.elapsed())
    }

    /// Uploads words to a buffer and waits for completion.
    pub fn upload(&self, buffer: &wgpu::Buffer, words: &[u32]) -> Result<Duration, Error> {
        let begin = Instant::now();
        self.write(buffer, words);
        self.queue.submit([]);
        self.wait()?;
        Ok(begin.elapsed())
    }

    /// Reads the first bytes of a buffer.
    pub fn read(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, Error> {
        let staging = self.staging(bytes)?;
        self.fetch(buffer, &staging, bytes)
    }

    /// Creates a buffer that [`fetch`](Self::fetch) copies to.
    pub fn staging(&self, bytes: u64) -> Result<wgpu::Buffer, Error> {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        self.scoped(|| {
            let (label, mapped_at_creation) = (None, false);
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label,
                size: bytes,
                usage,
                mapped_at_creation,
            })
        })
    }

    /// Reads the first bytes of a buffer through a staging buffer.
    pub fn fetch(
        &self,
        from: &wgpu::Buffer,
        staging: &wgpu::Buffer,
        bytes: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from, 0, staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |outcome| _ = sender.send(outcome));
        self.wait()?;
        let failed = |message: String| DeviceError::Reported { message };
        match receiver.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string()).into()),
            Err(error) => return Err(failed(error.to_string()).into()),
        }
        let view = staging.get_mapped_range(0..bytes).map_err(|error| failed(error.to_string()))?;
        let content = view.to_vec();
        drop(view);
        staging.unmap();
        Ok(content)
    }

    fn wait(&self) -> Result<(), Error> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        polled
            .map(drop)
            .map_err(|error| DeviceError::Reported { message: error.to_string() }.into())
    }

    /// Runs `create` and returns any error that the device reports for it.
    fn scoped<T>(&self, create: impl FnOnce() -> T) -> Result<T, Error> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes =
            [OutOfMemory, Internal, Validation].map(|filter| self.device.push_error_scope(filter));
        let created = create();
        let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
        match errors.collect::<Vec<_>>().into_iter().flatten().next() {
            Some(error) => Err(DeviceError::Reported { message: error.to_string() }.into()),
            None => Ok(created),
        }
    }
}

fn is_f16_to_f32(unit: &wgpu::CooperativeMatrixProperties) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    (unit.m_size, unit.n_size, unit.k_size) == (16, 16, 16)
        && (unit.ab_type, unit.cr_type) == (F16, F32)
}
