//! An open adapter and the state its programs share.

pub(crate) mod adapter;
pub(crate) mod arrival;
mod compile;
pub(crate) mod counters;
#[cfg(any(test, feature = "cli"))]
pub(crate) mod edit;
pub(crate) mod embedding;
pub(crate) mod faults;
mod matrices;
#[cfg(feature = "files")]
pub(crate) mod pipeline_files;
pub(crate) mod pipelines;
mod poll;
pub(crate) mod proof_cache;
mod proof_entry;
#[cfg(feature = "files")]
mod proof_log;
mod requirements;
mod software;
mod spin;
#[cfg(feature = "files")]
mod tuned;
#[cfg(feature = "files")]
mod tuning;
pub(crate) mod unchecked;
mod verification;
mod wait;
mod waiter;

pub use adapter::{AdapterSummary, adapters, open_all, open_any, open_best_hardware, open_named};
pub use counters::Counters;
pub use matrices::CooperativeMatrix;
pub use verification::{Proofs, Verification};

use crate::{
    array::Array,
    dtype::DType,
    error::{DeviceError, Error},
    ops::kernel::MAX_GROUPS,
};
use counters::{Tally, count};
use faults::{Faults, fault, scoped};
#[cfg(feature = "files")]
use pipeline_files::PipelineFiles;
use pipelines::Pipelines;
use proof_cache::ProofCache;
use spin::patience;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
#[cfg(feature = "files")]
use tuning::Tuning;
use waiter::Waiter;

/// Features that kernels and timing benefit from, where an adapter has them.
const FEATURES: wgpu::Features = wgpu::Features::SHADER_F16
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES)
    .union(wgpu::Features::PIPELINE_CACHE);

/// An open GPU. Clones refer to the same device.
///
/// It is `Send` and `Sync`. Threads that compile, run and read on clones of it get the bits of serial
/// runs, whatever the order of their steps, and each is told of its own errors only; programs share the
/// memory of intermediate values, so the runs of a device come one after another. Threads should share
/// a device rather than open one each: NVIDIA's driver was seen to wait for itself where several threads
/// opened and dropped devices of their own.
///
/// A device that is lost, by a reset of the driver or a GPU that is unplugged, stays lost:
/// [`DeviceError::Lost`] is what every thread gets from its next compilation, run or read on it, and
/// what waits for it ends. Another handle can be opened in the same process; programs are compiled
/// again for it, and values that were in the memory of the lost device are loaded from a checkpoint,
/// into the same store or another one.
#[derive(Clone)]
pub struct GpuDevice {
    pub(crate) shared: Arc<Shared>,
    /// Whether buffers are surrounded by guard words; see `memory/guard_bands.rs`.
    pub(crate) is_guarded: bool,
    /// Whether grids have more rows than they need; see `run/compile.rs`.
    pub(crate) folds_grids: bool,
    /// How long its waits stay awake; see `spin.rs`.
    pub(crate) patience: Duration,
    /// When kernels are verified; see `verify/prove.rs`.
    pub(crate) verification: Verification,
    /// Whether all kernels run with the runtime checks of wgpu.
    pub(crate) is_checked: bool,
    /// Whether compiled pipelines are kept on disk.
    #[cfg(feature = "files")]
    pub(crate) keeps_pipelines: bool,
    /// Makes shaders wrong, to see whether that is noticed.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) edit: Option<Arc<edit::Edit>>,
}

/// State shared by the clones of a device.
pub(crate) struct Shared {
    /// Dropped first: its thread may have the device in hand.
    waiter: Waiter,
    pub device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: wgpu::Adapter,
    info: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    pub faults: Arc<Faults>,
    pub tally: Tally,
    pub pipelines: Mutex<Pipelines>,
    /// Pipelines on disk, where the driver hands them out.
    #[cfg(feature = "files")]
    pipeline_files: Option<PipelineFiles>,
    pub proof_cache: Mutex<ProofCache>,
    #[cfg(feature = "files")]
    tuning: Mutex<Tuning>,
    pub proofs: Mutex<Proofs>,
    /// Buffers used as slots, shared between programs.
    pub slots: Mutex<Vec<Weak<wgpu::Buffer>>>,
    /// Buffers of constants, shared between programs that have the array.
    pub constants: Mutex<Vec<(Weak<Array>, Weak<wgpu::Buffer>)>>,
    /// Idle readback buffers.
    pub staging: Mutex<Vec<wgpu::Buffer>>,
    submitting: Mutex<()>,
    /// Number of further buffer allocations before an out-of-memory error, for tests.
    #[cfg(test)]
    pub allocations_left: std::sync::atomic::AtomicI64,
    /// Bytes of all buffers created.
    #[cfg(test)]
    pub allocated: std::sync::atomic::AtomicU64,
    /// Number of steps verified together, and the memory counted for them.
    #[cfg(test)]
    pub batches: Mutex<Vec<(usize, usize)>>,
}

impl GpuDevice {
    /// Opens an adapter with its full limits where kernels benefit from them.
    pub(crate) async fn open(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        GpuDevice::open_within(adapter, u64::MAX, u64::MAX).await
    }

    /// The same with at most this many bytes in a binding and in a buffer.
    async fn open_within(
        adapter: &wgpu::Adapter,
        binding: u64,
        buffer: u64,
    ) -> Result<Self, Error> {
        let info = adapter.get_info();
        software::check_memory(&info)?;
        let own = adapter.limits();
        let mut limits = wgpu::Limits::default().or_worse_values_from(&own);
        limits.max_storage_buffers_per_shader_stage = own.max_storage_buffers_per_shader_stage;
        limits.max_storage_buffer_binding_size = own.max_storage_buffer_binding_size.min(binding);
        limits.max_buffer_size = own.max_buffer_size.min(buffer);
        limits.max_compute_workgroup_storage_size = own.max_compute_workgroup_storage_size;
        limits.max_compute_invocations_per_workgroup = own.max_compute_invocations_per_workgroup;
        limits.max_compute_workgroup_size_x = own.max_compute_workgroup_size_x;
        limits.max_compute_workgroup_size_y = own.max_compute_workgroup_size_y;
        limits.min_uniform_buffer_offset_alignment = own.min_uniform_buffer_offset_alignment;
        // Some adapters report more than the validation layers accept.
        limits.max_compute_workgroups_per_dimension =
            own.max_compute_workgroups_per_dimension.min(MAX_GROUPS);

        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgrad"),
            required_features: adapter.features() & FEATURES,
            required_limits: limits,
            experimental_features: unchecked::experimental(),
            memory_hints: software::hints(&info),
            trace: wgpu::Trace::Off,
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) = opened.map_err(|error| DeviceError::Open {
            adapter: info.name.clone(),
            message: error.to_string(),
        })?;
        let faults = Faults::watch(&device);
        Ok(GpuDevice::over(adapter.clone(), device, queue, faults))
    }

    /// A handle to an open device, whose errors outside of any scope are recorded there.
    fn over(
        adapter: wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        faults: Arc<Faults>,
    ) -> Self {
        let (info, limits) = (device.adapter_info(), device.limits());
        let patience = patience(info.device_type);
        let is_checked = info.device_type == wgpu::DeviceType::Cpu;
        let proof_cache = Mutex::new(ProofCache::open(&info));
        #[cfg(feature = "files")]
        let tuning = Mutex::new(Tuning::of(&info));
        #[cfg(feature = "files")]
        let pipeline_files = device
            .features()
            .contains(wgpu::Features::PIPELINE_CACHE)
            .then(|| PipelineFiles::of(&info))
            .flatten();
        let shared = Shared {
            waiter: Waiter::default(),
            device,
            queue,
            adapter,
            info,
            limits,
            faults,
            tally: Tally::default(),
            pipelines: Mutex::default(),
            #[cfg(feature = "files")]
            pipeline_files,
            proof_cache,
            #[cfg(feature = "files")]
            tuning,
            proofs: Mutex::default(),
            slots: Mutex::default(),
            constants: Mutex::default(),
            staging: Mutex::default(),
            submitting: Mutex::default(),
            #[cfg(test)]
            allocations_left: i64::MAX.into(),
            #[cfg(test)]
            allocated: 0.into(),
            #[cfg(test)]
            batches: Mutex::default(),
        };
        GpuDevice {
            shared: Arc::new(shared),
            is_guarded: false,
            folds_grids: false,
            patience,
            verification: Verification::default(),
            is_checked,
            #[cfg(feature = "files")]
            keeps_pipelines: true,
            #[cfg(any(test, feature = "cli"))]
            edit: None,
        }
    }

    /// Name of the adapter.
    pub fn name(&self) -> String {
        self.shared.info.name.clone()
    }

    /// `discrete-gpu`, `integrated-gpu`, `virtual-gpu`, `software-gpu` or `other-gpu`.
    pub fn kind(&self) -> &'static str {
        kind(self.shared.info.device_type)
    }

    /// Graphics API: `vulkan`, `metal`, `dx12`, …
    pub fn backend(&self) -> String {
        self.shared.info.backend.to_string()
    }

    /// Name and version of the driver.
    pub fn driver(&self) -> String {
        let info = &self.shared.info;
        format!("{} {}", info.driver, info.driver_info).trim().to_owned()
    }

    /// The timestamp period in nanoseconds, and a query set for two timestamps if the device
    /// supports them.
    pub(crate) fn clock(&self) -> (f64, Option<wgpu::QuerySet>) {
        let Shared { device, queue, .. } = &*self.shared;
        let has_one = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let queries = has_one.then(|| {
            let (label, ty, count) = (None, wgpu::QueryType::Timestamp, 2);
            device.create_query_set(&wgpu::QuerySetDescriptor { label, ty, count })
        });
        (f64::from(queue.get_timestamp_period()), queries)
    }

    /// Whether its shaders can store elements of this type.
    pub fn has(&self, dtype: DType) -> bool {
        dtype != DType::F16 || self.shared.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Objects and commands created and executed since the device was opened.
    pub fn counters(&self) -> Counters {
        self.shared.tally.read()
    }

    /// Simulates the loss of the adapter.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.shared.faults.record(DeviceError::Lost { message: "a test took it".to_owned() });
        self.shared.device.destroy();
    }

    /// Whether two handles refer to the same open adapter.
    pub(crate) fn is(&self, other: &GpuDevice) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Runs an operation; an error that the device reports for any of its calls is the error of the
    /// operation, and of no other.
    pub(crate) fn attempt<T>(
        &self,
        operation: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outcome = scoped(&self.shared.device, operation);
        if !matches!(outcome, Ok(Ok(_))) {
            self.notice_loss();
        }
        // A loss explains everything else, and an error of the device that of the operation.
        self.shared.faults.check()?;
        outcome.map_err(|error| fault(error, None))?
    }

    /// Fails if a driver that is software would not find this much memory, and some for its work.
    pub(crate) fn leave_room(&self, bytes: u64) -> Result<(), Error> {
        software::leave_room(&self.shared.info, bytes)
    }

    /// Acquires the right to submit. While it is held, no other commands are interleaved.
    pub(crate) fn submissions(&self) -> Submissions<'_> {
        let turn = self.shared.submitting.lock().unwrap_or_else(PoisonError::into_inner);
        Submissions { shared: &self.shared, _turn: turn }
    }
}

/// The exclusive right to submit to a device.
pub(crate) struct Submissions<'a> {
    shared: &'a Shared,
    _turn: MutexGuard<'a, ()>,
}

impl Submissions<'_> {
    /// Creates a command encoder.
    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.shared.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// Submits the recorded commands.
    pub fn submit(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        count(&self.shared.tally.submissions, 1);
        self.shared.queue.submit([encoder.finish()])
    }

    /// Writes bytes before the next submission. wgpu creates a hidden buffer for it, so this is not
    /// suited to the path of every run.
    pub fn write(&self, buffer: &wgpu::Buffer, first: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.shared.queue.write_buffer(buffer, first, bytes);
        }
    }
}

impl std::fmt::Debug for GpuDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GpuDevice({} on {})", self.shared.info.name, self.shared.info.backend)
    }
}

/// The kind of device, named as in [`Device::kind`](crate::Device::kind).
pub(crate) fn kind(device_type: wgpu::DeviceType) -> &'static str {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete-gpu",
        wgpu::DeviceType::IntegratedGpu => "integrated-gpu",
        wgpu::DeviceType::VirtualGpu => "virtual-gpu",
        wgpu::DeviceType::Cpu => "software-gpu",
        wgpu::DeviceType::Other => "other-gpu",
    }
}
