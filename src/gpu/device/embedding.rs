//! Devices that others opened: a renderer, an engine, a tool that uses wgpu itself.
//!
//! wgpu has one error handler and one callback for a loss on each device, which are the owner's: neither
//! is replaced. Error scopes around all calls of this crate catch its errors and no others, as a scope
//! is of a thread.

use super::{
    GpuDevice,
    faults::{Faults, fault, scoped},
    requirements::{self, Lack},
};
use crate::error::{DeviceError, Error};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use wgpu::{Adapter, BufferUsages, Device, Queue};

impl GpuDevice {
    /// Uses a device that you opened, beside you: its programs share your queue and your memory.
    ///
    /// ```no_run
    /// use wgrad::{Device, gpu::{GpuDevice, wgpu}};
    ///
    /// # fn renderer() -> (wgpu::Adapter, wgpu::Device, wgpu::Queue) { unreachable!() }
    /// let (adapter, device, queue) = renderer();
    /// let device = Device::Gpu(GpuDevice::from_wgpu(adapter, device, queue)?);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// Any features and limits will do that kernels can live with: at least 5 storage buffers in a shader
    /// and 256 invocations and 16 KiB of memory in a workgroup, which are among the default limits of
    /// WebGPU. `SHADER_F16` is needed for f16, `TIMESTAMP_QUERY` for the times of a run, and large limits
    /// of buffers and bindings for large tensors.
    ///
    /// Your handler of uncaptured errors and your callback for a loss stay in place, and can be replaced
    /// at any time. What goes wrong in a call of this crate is the error of that call, and of no other;
    /// what goes wrong in yours is reported to you. (Callbacks of yours that wgpu calls during a call of
    /// this crate are the exception, as it polls and submits. In a browser, where errors arrive later,
    /// those of this crate arrive at your handler.) A loss is noticed by what fails for it: a compilation,
    /// a read, most runs. To tell at once, let your callback call [`loss_callback`](Self::loss_callback).
    ///
    /// # Errors
    ///
    /// [`DeviceError::Limit`], or [`DeviceError::Open`] without compute shaders; [`DeviceError::NotTogether`];
    /// [`DeviceError::Lost`].
    pub fn from_wgpu(adapter: Adapter, device: Device, queue: Queue) -> Result<Self, Error> {
        let info = device.adapter_info();
        match requirements::lack(adapter.get_downlevel_capabilities().flags, &device.limits()) {
            Some(Lack::ComputeShaders) => {
                let message = "it has no compute shaders".to_owned();
                return Err(DeviceError::Open { adapter: info.name, message }.into());
            }
            Some(Lack::Limit { limit, offered, needed }) => {
                let adapter = info.name;
                return Err(DeviceError::Limit { adapter, limit, needed, offered }.into());
            }
            None => {}
        }
        if adapter.get_info() != info {
            return Err(DeviceError::NotTogether { what: "adapter" }.into());
        }
        let sealed = sealed(&device)?;
        if !reports_to(&device, || queue.write_buffer(&sealed, 0, &[0; 4])) {
            return Err(DeviceError::NotTogether { what: "queue" }.into());
        }
        Ok(GpuDevice::over(adapter, device, queue, Arc::new(Faults::default())))
    }

    /// The adapter, for others that use the device too.
    pub fn wgpu_adapter(&self) -> &Adapter {
        &self.shared.adapter
    }

    /// The device, for others that use it too.
    ///
    /// Errors of what you do with it are yours to catch, by an error scope or a handler of uncaptured
    /// errors. Without either, on a device that this crate opened, the next call of the same thread
    /// returns them. Do not destroy it, or expect [`DeviceError::Lost`].
    pub fn wgpu_device(&self) -> &Device {
        &self.shared.device
    }

    /// The queue, for others that use it too. What is submitted runs in that order, whoever submits it:
    /// when a run has returned, it has been submitted.
    pub fn wgpu_queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// A callback for a loss of the device, to be set as its only one or to be called by yours: then
    /// [`DeviceError::Lost`] is what every thread gets from its next compilation, run or read. It does not
    /// keep the device open, as a callback that has a handle would.
    pub fn loss_callback(&self) -> impl Fn(wgpu::DeviceLostReason, String) + Send + Sync + use<> {
        let faults = self.shared.faults.clone();
        move |_, message| faults.record(DeviceError::Lost { message })
    }

    /// Looks whether the device is lost, and remembers it. wgpu tells a callback, which may be someone
    /// else's, and reports no error for what it did not do.
    pub(crate) fn notice_loss(&self) {
        if let Err(Error::Device(lost @ DeviceError::Lost { .. })) = sealed(&self.shared.device) {
            self.shared.faults.record(lost);
        }
    }
}

/// A buffer to which nothing can be written; an error if the device is lost.
fn sealed(device: &Device) -> Result<wgpu::Buffer, Error> {
    let descriptor = wgpu::BufferDescriptor {
        label: Some("sealed"),
        size: wgpu::COPY_BUFFER_ALIGNMENT,
        usage: BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    };
    let created = scoped(device, || device.create_buffer(&descriptor));
    let buffer = created.map_err(|error| fault(error, Some(descriptor.size)))?;
    // What a lost device creates looks like a buffer until it is used.
    if let Err(error) = buffer.get_mapped_range(..) {
        let message = format!("it creates nothing any more: {error}");
        return Err(DeviceError::Lost { message }.into());
    }
    buffer.unmap();
    Ok(buffer)
}

/// Whether what `mistake` is done with belongs to the device: whether the device is told of it.
///
/// wgpu 30 has no other way to ask. It numbers devices, queues and buffers within an instance, and takes
/// a number of another instance for one of its own, or panics.
pub(crate) fn reports_to(device: &Device, mistake: impl FnOnce()) -> bool {
    // In a browser errors arrive later, at the handler, and nothing has numbers.
    if cfg!(target_arch = "wasm32") {
        return true;
    }
    scoped(device, || catch_unwind(AssertUnwindSafe(mistake)).is_ok()).is_err()
}
