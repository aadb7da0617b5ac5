//! Devices that run programs.

use crate::{
    backend::Backend,
    cpu::CpuDevice,
    error::{DeviceError, Error},
    gpu::{self, GpuDevice, Verification},
    reference::ReferenceDevice,
};

/// A device that runs programs.
#[doc(alias = "torch.device")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// An f64 interpreter: slow, and the definition of every result.
    Reference,
    /// Threads and SIMD.
    Cpu(CpuDevice),
    /// A GPU.
    Gpu(GpuDevice),
}

/// A device selected by name, as on the command line: `cpu`, `reference`, `gpu`, `gpu:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// [`Device::best`].
    Best,
    /// The CPU device.
    Cpu,
    /// The reference device.
    Reference,
    /// The best adapter; a software one only if there is no other.
    Gpu,
    /// The adapter with this index, or the first whose name contains this text, ignoring case.
    Adapter(String),
}

impl std::str::FromStr for Selection {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "best" => Ok(Selection::Best),
            "cpu" => Ok(Selection::Cpu),
            "reference" => Ok(Selection::Reference),
            "gpu" => Ok(Selection::Gpu),
            _ => match text.strip_prefix("gpu:") {
                Some(name) if !name.is_empty() => Ok(Selection::Adapter(name.to_owned())),
                _ => Err(DeviceError::Syntax { text: text.to_owned() }),
            },
        }
    }
}

impl Device {
    /// The CPU with one thread per core.
    pub fn cpu() -> Self {
        Device::Cpu(CpuDevice::new())
    }

    /// The CPU with `threads` threads, at least one. Results do not depend on the number of
    /// threads.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Threads`] if the system refuses them.
    pub fn cpu_with_threads(threads: usize) -> Result<Self, Error> {
        Ok(Device::Cpu(CpuDevice::with_threads(threads)?))
    }

    /// The best hardware adapter, discrete before integrated; the CPU device if there is none.
    /// Software rasterizers are skipped: the CPU device is faster.
    ///
    /// In a browser, where nothing can wait, [`select`](Self::select) opens [`Selection::Best`].
    #[doc(alias = "is_available")]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn best() -> Self {
        pollster::block_on(Device::best_of_all())
    }

    /// The best GPU, and a software one only if there is no other: what `--device gpu` of the
    /// command line opens.
    ///
    /// In a browser, where nothing can wait, [`select`](Self::select) opens [`Selection::Gpu`].
    ///
    /// ```no_run
    /// use wgrad::Device;
    ///
    /// let device = Device::gpu()?;
    /// println!("{}, a {}", device.name(), device.kind());
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoAdapter`], which lists what was found and cannot be used; that of opening
    /// it.
    #[doc(alias("cuda", "mps"))]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn gpu() -> Result<Self, Error> {
        Device::select_blocking(&Selection::Gpu)
    }

    async fn best_of_all() -> Self {
        match gpu::open_best_hardware().await {
            Ok(device) => Device::Gpu(device),
            Err(Error::Device(DeviceError::NoAdapter { .. })) => Device::cpu(),
            Err(error) => {
                log::warn!("{error}: using the CPU");
                Device::cpu()
            }
        }
    }

    /// Opens the selected device.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] if there is no such adapter or it does not open.
    pub async fn select(selection: &Selection) -> Result<Self, Error> {
        match selection {
            Selection::Best => Ok(Device::best_of_all().await),
            Selection::Cpu => Ok(Device::cpu()),
            Selection::Reference => Ok(Device::Reference),
            Selection::Gpu => Ok(Device::Gpu(gpu::open_any().await?)),
            Selection::Adapter(name) => Ok(Device::Gpu(gpu::open_named(name).await?)),
        }
    }

    /// Opens the selected device, blocking until it is open.
    ///
    /// # Errors
    ///
    /// Same as [`select`](Self::select).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn select_blocking(selection: &Selection) -> Result<Self, Error> {
        pollster::block_on(Device::select(selection))
    }

    /// Sets when a GPU verifies the kernels of programs compiled for this handle. No effect on the
    /// CPU and the reference device, which have no driver to verify.
    pub fn with_verification(self, verification: Verification) -> Self {
        match self {
            Device::Gpu(gpu) => Device::Gpu(gpu.with_verification(verification)),
            other => other,
        }
    }

    /// Human-readable name.
    pub fn name(&self) -> String {
        self.backend().name()
    }

    /// Machine-readable kind: `reference`, `cpu`, `discrete-gpu`, `integrated-gpu`, `virtual-gpu`,
    /// `software-gpu` or `other-gpu`.
    pub fn kind(&self) -> &'static str {
        self.backend().kind()
    }

    /// Identifies the arithmetic that its results come from: with one version of the crate, two devices of
    /// the same identity give the same bits. It is the instruction set of a CPU, and adapter, driver and
    /// driver version of a GPU.
    pub fn numerics(&self) -> String {
        self.backend().numerics()
    }

    /// The implementation of this device.
    pub(crate) fn backend(&self) -> &dyn Backend {
        match self {
            Device::Reference => &ReferenceDevice,
            Device::Cpu(cpu) => cpu,
            Device::Gpu(gpu) => gpu,
        }
    }
}
