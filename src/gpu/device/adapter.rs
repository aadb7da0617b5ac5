//! The adapters of this machine: listing them and choosing one.

use super::{GpuDevice, kind};
use crate::error::{DeviceError, Error};

/// What an adapter is and offers, for people and for `wgrad devices`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterSummary {
    /// Its name.
    pub name: String,
    /// `discrete-gpu`, `integrated-gpu`, `virtual-gpu`, `software-gpu` or `other-gpu`.
    pub kind: &'static str,
    /// The interface it is reached through: `vulkan`, `metal`, `dx12`, `gl`, …
    pub backend: String,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver.
    pub driver_info: String,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Largest part of a buffer in bytes that a shader can see.
    pub max_binding: u64,
    /// Storage buffers a dispatch can bind.
    pub max_storage_buffers: u32,
    /// Invocations in a workgroup.
    pub max_invocations: u32,
    /// Bytes of workgroup memory.
    pub max_workgroup_memory: u32,
    /// Least and greatest number of invocations in a subgroup.
    pub subgroup_sizes: (u32, u32),
    /// What it can do beyond what every adapter can: `f16`, `subgroups`, `timestamps`, …
    pub features: Vec<&'static str>,
    /// Whether programs can run on it.
    pub is_usable: bool,
}

/// Every adapter, the best first; the order is that of the indices that
/// [`open_named`] takes.
pub async fn adapters() -> Vec<AdapterSummary> {
    sorted().await.iter().map(summary).collect()
}

/// Opens the best hardware adapter: a discrete one before an integrated one.
///
/// # Errors
///
/// [`DeviceError::NoAdapter`] where there is none, [`DeviceError::Open`] where it does not open.
pub async fn open_best_hardware() -> Result<GpuDevice, Error> {
    let hardware =
        |adapter: &wgpu::Adapter| adapter.get_info().device_type != wgpu::DeviceType::Cpu;
    open_first(sorted().await.into_iter().filter(hardware).collect()).await
}

/// Opens the best adapter; one in software only where there is no other.
///
/// # Errors
///
/// As for [`open_best_hardware`].
pub async fn open_any() -> Result<GpuDevice, Error> {
    open_first(sorted().await).await
}

/// Opens the adapter of this index, or the first whose name contains this, ignoring case.
///
/// # Errors
///
/// [`DeviceError::NoSuchAdapter`], which names those there are; [`DeviceError::Open`].
pub async fn open_named(name: &str) -> Result<GpuDevice, Error> {
    let adapters = sorted().await;
    let wanted = name.to_lowercase();
    let position = match name.parse::<usize>() {
        Ok(index) if index < adapters.len() => Some(index),
        _ => adapters
            .iter()
            .position(|adapter| adapter.get_info().name.to_lowercase().contains(&wanted)),
    };
    let Some(position) = position else {
        let names = adapters.iter().enumerate().map(|(index, adapter)| {
            let info = adapter.get_info();
            format!("{index} {} ({})", info.name, info.backend)
        });
        let available = match names.collect::<Vec<_>>() {
            names if names.is_empty() => "none".to_owned(),
            names => names.join(", "),
        };
        return Err(DeviceError::NoSuchAdapter { name: name.to_owned(), available }.into());
    };
    GpuDevice::open(&adapters[position]).await
}

/// Opens the first usable adapter that opens at all.
async fn open_first(adapters: Vec<wgpu::Adapter>) -> Result<GpuDevice, Error> {
    let mut refusal = DeviceError::NoAdapter.into();
    for adapter in adapters.iter().filter(|adapter| is_usable(adapter)) {
        match GpuDevice::open(adapter).await {
            Ok(device) => return Ok(device),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// All adapters, the best first.
async fn sorted() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let by_kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        // One device often answers through two interfaces; GL is the weaker one.
        (!is_usable(adapter), by_kind, info.backend == wgpu::Backend::Gl)
    });
    adapters
}

/// What every kernel needs: compute shaders, and five storage buffers beside two uniform ones.
fn is_usable(adapter: &wgpu::Adapter) -> bool {
    let flags = adapter.get_downlevel_capabilities().flags;
    let limits = adapter.limits();
    flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && limits.max_storage_buffers_per_shader_stage >= 5
        && limits.max_compute_invocations_per_workgroup >= 256
        && limits.max_compute_workgroup_storage_size >= 16 << 10
}

fn summary(adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let named = [
        ("f16", wgpu::Features::SHADER_F16),
        ("subgroups", wgpu::Features::SUBGROUP),
        ("timestamps", wgpu::Features::TIMESTAMP_QUERY),
        ("cooperative-matrix", wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    ];
    AdapterSummary {
        kind: kind(info.device_type),
        backend: info.backend.to_string(),
        max_buffer: limits.max_buffer_size,
        max_binding: limits.max_storage_buffer_binding_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroup_memory: limits.max_compute_workgroup_storage_size,
        subgroup_sizes: (info.subgroup_min_size, info.subgroup_max_size),
        features: named.iter().filter(|(_, f)| features.contains(*f)).map(|&(n, _)| n).collect(),
        is_usable: is_usable(adapter),
        name: info.name,
        driver: info.driver,
        driver_info: info.driver_info,
    }
}
