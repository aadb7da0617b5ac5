//! The thread pool and the instruction set.

use crate::error::Error;
use pulp::{Arch, Simd, WithSimd};
#[cfg(feature = "threads")]
use {
    crate::error::DeviceError,
    rayon::prelude::*,
    std::sync::{Arc, OnceLock},
};

/// The CPU. Clones share its threads.
#[derive(Clone)]
pub struct CpuDevice {
    /// `None` if everything runs on the caller's thread.
    #[cfg(feature = "threads")]
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl std::fmt::Debug for CpuDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CpuDevice({})", self.name())
    }
}

impl Default for CpuDevice {
    fn default() -> Self {
        CpuDevice::new()
    }
}

impl CpuDevice {
    /// Uses one thread per core, or a single one if the system refuses threads or the feature
    /// `threads` is off. All devices created here share one pool.
    pub fn new() -> Self {
        #[cfg(feature = "threads")]
        {
            static SHARED: OnceLock<CpuDevice> = OnceLock::new();
            let cores = || std::thread::available_parallelism().map_or(1, usize::from);
            let open = || {
                CpuDevice::with_threads(cores()).unwrap_or_else(|error| {
                    log::warn!("{error}: using one thread");
                    CpuDevice { pool: None }
                })
            };
            SHARED.get_or_init(open).clone()
        }
        #[cfg(not(feature = "threads"))]
        CpuDevice {}
    }

    /// Creates a pool of `threads` threads, at least one. Results do not depend on the number of
    /// threads.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Threads`] if the system refuses them.
    #[cfg(feature = "threads")]
    pub fn with_threads(threads: usize) -> Result<Self, Error> {
        if threads <= 1 {
            return Ok(CpuDevice { pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("wgrad-cpu-{index}"))
            .build()
            .map_err(|error| DeviceError::Threads { message: error.to_string() })?;
        Ok(CpuDevice { pool: Some(Arc::new(pool)) })
    }

    /// Uses one thread regardless of the argument: the feature `threads` is off.
    ///
    /// # Errors
    ///
    /// None; the signature matches that of builds with threads.
    #[cfg(not(feature = "threads"))]
    pub fn with_threads(_: usize) -> Result<Self, Error> {
        Ok(CpuDevice {})
    }

    /// Its human-readable name: `CPU, 2 threads, AVX2`.
    pub fn name(&self) -> String {
        match self.threads() {
            1 => format!("CPU, 1 thread, {}", self.simd()),
            threads => format!("CPU, {threads} threads, {}", self.simd()),
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            return pool.current_num_threads();
        }
        1
    }

    /// The instruction set of elementwise loops, detected at run time.
    pub fn simd(&self) -> &'static str {
        match (Arch::new().dispatch(Lanes), cfg!(target_arch = "x86_64")) {
            (16, true) => "AVX-512",
            (8, true) => "AVX2",
            (_, true) => "SSE2",
            (4, _) if cfg!(target_arch = "aarch64") => "NEON",
            (4, _) => "SIMD128",
            _ => "scalar",
        }
    }

    /// Runs `f` with the threads of this device available to [`each`].
    ///
    /// Waking a pool and waiting for it costs several microseconds, so this is done once per run,
    /// not once per step.
    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            return pool.install(f);
        }
        f()
    }
}

/// Number of f32 lanes of the widest vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Calls `f` with the index and content of every chunk of `width` jobs, on all threads if
/// `parallel`, which requires being inside [`CpuDevice::install`].
pub(crate) fn each<T: Send>(
    jobs: &mut [T],
    width: usize,
    parallel: bool,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    #[cfg(feature = "threads")]
    if parallel && jobs.len() > width {
        let jobs = jobs.par_chunks_mut(width).enumerate();
        return jobs.for_each(|(index, job)| f(index, job));
    }
    let _ = parallel;
    jobs.chunks_mut(width).enumerate().for_each(|(index, job)| f(index, job));
}

/// Like [`each`] for several results at once: each chunk has `widths[k]` elements of result `k`.
pub(crate) fn each_of_all(
    outs: &mut [&mut [u32]],
    widths: &[usize],
    parallel: bool,
    f: impl Fn(usize, &mut [&mut [u32]]) + Sync,
) {
    if let ([out], &[width]) = (&mut *outs, widths) {
        return each(out, width, parallel, |chunk, out| f(chunk, &mut [out]));
    }
    // The parts of all results for the first chunk, then those for the second, ...
    let mut chunks: Vec<_> =
        outs.iter_mut().zip(widths).map(|(out, &width)| out.chunks_mut(width)).collect();
    let count = chunks.first().map_or(0, |chunks| chunks.len());
    let mut parts = Vec::with_capacity(chunks.len() * count);
    for _ in 0..count {
        parts.extend(chunks.iter_mut().filter_map(Iterator::next));
    }
    if count > 0 {
        each(&mut parts, widths.len(), parallel, f);
    }
}
