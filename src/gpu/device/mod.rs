//! An open adapter and the state its programs share.

pub(crate) mod adapter;
pub(crate) mod arrival;
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
mod tuning;
pub(crate) mod unchecked;
mod verification;
mod waiter;

pub use adapter::{AdapterSummary, adapters, open_all, open_any, open_best_hardware, open_named};
pub use counters::Counters;
pub use matrices::CooperativeMatrix;
pub use verification::{Proofs, Verification};

use super::codegen::Assembly;
use crate::{
    dtype::DType,
    error::{DeviceError, Error},
    ops::kernel::{MAX_GROUPS, Shader},
    resident::Wait,
};
use arrival::Arrival;
use counters::{Tally, count};
use faults::{Faults, fault, scoped};
#[cfg(feature = "files")]
use pipeline_files::PipelineFiles;
use pipelines::{Pipeline, Pipelines};
use poll::poll;
use proof_cache::ProofCache;
use spin::{patience, spin};
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

    /// Whether it is a driver that calculates on the CPU.
    pub(crate) fn is_software(&self) -> bool {
        self.shared.info.device_type == wgpu::DeviceType::Cpu
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

    /// Blocks until everything submitted so far has finished.
    ///
    /// # Errors
    ///
    /// Any fault the device has reported.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait_idle(&self) -> Result<(), Error> {
        self.finish_soon(|| false);
        self.poll(wgpu::PollType::wait_indefinitely())
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

    /// Stays awake for a moment, until there is what is waited for or the queue is empty. A wait for
    /// work behind which other work is in flight has no reason to: it is not in a hurry.
    fn finish_soon(&self, is_there: impl Fn() -> bool) {
        spin(self.patience, || {
            let polled = poll(&self.shared.device, wgpu::PollType::Poll);
            is_there() || polled.is_ok_and(|status| status.is_queue_empty())
        });
    }

    /// Waits for the last submission of this thread.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_for_last(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        self.finish_soon(|| false);
        self.wait(submission)
    }

    /// Waits for a submission; in a browser the event loop does that.
    pub(crate) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        if cfg!(target_arch = "wasm32") {
            return self.shared.faults.check();
        }
        self.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })
    }

    /// Waits for what arrives when a submission has finished: on this thread, or as a task that is
    /// woken. `None` if nothing will arrive.
    pub(crate) async fn arrived<T: Clone>(
        &self,
        arrival: &Arrival<T>,
        submission: &wgpu::SubmissionIndex,
        wait: Wait,
    ) -> Result<Option<T>, Error> {
        let Shared { device, waiter, faults, .. } = &*self.shared;
        if wait == Wait::Yield && !cfg!(target_arch = "wasm32") {
            // Not a wait with a timeout: wgpu 30 panics where one ends while another thread polls.
            let _ = poll(device, wgpu::PollType::Poll);
            if !arrival.is_there() {
                let finished = waiter.wait(device, submission.clone());
                if finished.receive().await.is_none() {
                    self.wait(submission.clone())?;
                }
                if !arrival.is_there() {
                    self.notice_loss();
                }
            }
            faults.alive()?;
        } else {
            if !cfg!(target_arch = "wasm32") {
                self.finish_soon(|| arrival.is_there());
            }
            if arrival.is_there() {
                faults.check()?;
            } else {
                self.wait(submission.clone())?;
            }
        }
        // Whoever saw the submission finished brings it, this thread or another one; in a browser it is
        // the event loop.
        Ok(arrival.receive().await)
    }

    fn poll(&self, kind: wgpu::PollType) -> Result<(), Error> {
        let polled = poll(&self.shared.device, kind);
        match &polled {
            Ok(_) => {}
            Err(lost @ DeviceError::Lost { .. }) => self.shared.faults.record(lost.clone()),
            Err(_) => self.notice_loss(),
        }
        // A fault explains a failed poll better than the poll's own error.
        self.shared.faults.check()?;
        polled?;
        Ok(())
    }

    /// Sets whether programs compiled for this handle keep the runtime checks of wgpu in every shader:
    /// indices are clamped, loops bounded, and workgroup memory zeroed. Without, kernels of this crate
    /// lose them once both forms were seen to give the same bits; those of other crates never do.
    ///
    /// By default only software drivers keep them, which take longer to compile a second form than it
    /// would save.
    pub fn with_runtime_checks(self, is_checked: bool) -> GpuDevice {
        GpuDevice { is_checked, ..self }
    }

    /// A handle that neither reads compiled pipelines from the cache directory nor keeps them there.
    /// Drivers with a cache of their own, as most have, are not affected.
    #[cfg(feature = "files")]
    pub fn without_pipeline_files(self) -> GpuDevice {
        GpuDevice { keeps_pipelines: false, ..self }
    }

    /// The pipeline of a shader, compiled on first use.
    pub(crate) fn pipeline(&self, assembly: &Assembly) -> Result<Arc<Pipeline>, Error> {
        self.pipelines_for(assembly).of(assembly, || self.compiled(assembly))
    }

    /// Compiles the pipelines that are missing, side by side. One that fails is left to
    /// [`pipeline`](Self::pipeline).
    pub(crate) fn compile_all<'a>(&self, assemblies: impl Iterator<Item = &'a Assembly> + Clone) {
        let Some(first) = assemblies.clone().next() else { return };
        self.pipelines_for(first).compile_all(assemblies, |assembly| self.compiled(assembly));
    }

    /// The fastest of these variants, if that was measured on this adapter and driver.
    pub(crate) fn tuned(&self, variants: &[Shader]) -> Option<usize> {
        #[cfg(feature = "files")]
        return self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner).best(variants);
        #[cfg(not(feature = "files"))]
        {
            let _ = variants;
            None
        }
    }

    /// Notes the fastest of these variants for programs that are compiled from now on.
    #[cfg(feature = "bench")]
    pub(crate) fn tune(&self, variants: &[Shader], best: usize, label: &str) {
        let mut tuning = self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        tuning.note(variants, best, label);
    }

    /// Writes what was noted to the cache directory; returns the file, `None` if there is no such
    /// directory.
    #[cfg(feature = "bench")]
    pub(crate) fn save_tuning(&self) -> std::io::Result<Option<std::path::PathBuf>> {
        let tuning = self.shared.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tuning.save()?.map(Into::into))
    }

    fn compiled(&self, assembly: &Assembly) -> Result<Pipeline, Error> {
        self.leave_room(0)?;
        count(&self.shared.tally.pipelines, 1);
        let source = pipelines::Source {
            device: &self.shared.device,
            #[cfg(feature = "files")]
            files: self.shared.pipeline_files.as_ref().filter(|_| self.keeps_pipelines),
        };
        source.compile(assembly)
    }

    /// A handle that changes shaders before it compiles them.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn edited(&self, change: impl Fn(&mut Assembly) + Send + Sync + 'static) -> Self {
        GpuDevice { edit: Some(Arc::new(edit::Edit::new(change))), ..self.clone() }
    }

    /// The cache in which the pipeline of a shader belongs.
    fn pipelines_for(&self, _assembly: &Assembly) -> MutexGuard<'_, Pipelines> {
        let pipelines = self.shared.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(any(test, feature = "cli"))]
        if let Some(edit) = self.edit.as_ref().filter(|_| !pipelines.has(_assembly)) {
            return edit.pipelines();
        }
        pipelines
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
