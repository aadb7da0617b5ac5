//! The adapters of this machine: enumeration and selection.

use super::{
    GpuDevice, kind,
    matrices::{CooperativeMatrix, matrices},
    requirements::{self, Lack},
};
use crate::error::{DeviceError, Error};
#[cfg(not(target_family = "wasm"))]
use std::sync::{Mutex, PoisonError};

/// Properties of an adapter, human-readable and for `wgrad devices`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterSummary {
    /// Adapter name.
    pub name: String,
    /// `discrete-gpu`, `integrated-gpu`, `virtual-gpu`, `software-gpu` or `other-gpu`.
    pub kind: &'static str,
    /// Graphics API: `vulkan`, `metal`, `dx12`, `gl`, …
    pub backend: String,
    /// Driver name.
    pub driver: String,
    /// Driver version.
    pub driver_info: String,
    /// Largest buffer size in bytes.
    pub max_buffer: u64,
    /// Largest storage buffer binding in bytes.
    pub max_binding: u64,
    /// Maximum storage buffers per dispatch.
    pub max_storage_buffers: u32,
    /// Maximum invocations per workgroup.
    pub max_invocations: u32,
    /// Workgroup memory in bytes.
    pub max_workgroup_memory: u32,
    /// Minimum and maximum subgroup size.
    pub subgroup_sizes: (u32, u32),
    /// Products of cooperative matrices that its subgroups compute.
    pub matrices: Vec<CooperativeMatrix>,
    /// Optional features it supports: `f16`, `subgroups`, `timestamps`, …
    pub features: Vec<&'static str>,
    /// Whether programs can run on it.
    pub is_usable: bool,
}

/// Lists every adapter, best first, in the order of the indices that [`open_named`] takes.
pub async fn adapters() -> Vec<AdapterSummary> {
    alone(async { sorted().await.iter().map(summary).collect() }).await
}

/// Opens the best hardware adapter, discrete before integrated.
///
/// # Errors
///
/// [`DeviceError::NoAdapter`] if there is none, [`DeviceError::Open`] if it does not open.
pub async fn open_best_hardware() -> Result<GpuDevice, Error> {
    let hardware =
        async { open_first(candidates().await.into_iter().filter(is_hardware).collect()).await };
    alone(hardware).await
}

/// Opens the best adapter; a software one only if there is no other.
///
/// # Errors
///
/// Same as [`open_best_hardware`].
pub async fn open_any() -> Result<GpuDevice, Error> {
    alone(async { open_first(candidates().await).await }).await
}

/// Opens every adapter that can be used, best first. OpenGL, through which most answer a second
/// time, is left out unless nothing else answers. One that does not open is a warning in the log.
///
/// # Errors
///
/// Same as [`open_best_hardware`].
pub async fn open_all() -> Result<Vec<GpuDevice>, Error> {
    let mut adapters = candidates().await;
    let is_modern = |adapter: &wgpu::Adapter| adapter.get_info().backend != wgpu::Backend::Gl;
    if adapters.iter().any(|adapter| is_usable(adapter) && is_modern(adapter)) {
        adapters.retain(is_modern);
    }
    let (mut opened, mut failed) = (vec![], None);
    for adapter in adapters.iter().filter(|adapter| is_usable(adapter)) {
        match GpuDevice::open(adapter).await {
            Ok(device) => opened.push(device),
            Err(error) => {
                log::warn!("{error}");
                failed = Some(error);
            }
        }
    }
    if !opened.is_empty() {
        return Ok(opened);
    }
    let found = adapters.iter().filter_map(|adapter| {
        let (info, lack) = (adapter.get_info(), lack(adapter)?);
        Some(format!("{} ({}) {lack}", info.name, info.backend))
    });
    Err(failed.unwrap_or(DeviceError::NoAdapter { found: found.collect() }.into()))
}

/// Opens the best adapter as if it had at most this many bytes in a binding and in a buffer.
#[cfg(test)]
pub(crate) async fn open_any_within(binding: u64, buffer: u64) -> Result<GpuDevice, Error> {
    let opening = async {
        let adapters = candidates().await;
        let adapter = adapters.first().ok_or(DeviceError::NoAdapter { found: vec![] })?;
        GpuDevice::open_within(adapter, binding, buffer).await
    };
    alone(opening).await
}

/// Opens the adapter with this index, or the first whose name contains this text, ignoring case.
///
/// # Errors
///
/// [`DeviceError::NoSuchAdapter`], which lists the available ones; [`DeviceError::Open`].
pub async fn open_named(name: &str) -> Result<GpuDevice, Error> {
    alone(named(name)).await
}

async fn named(name: &str) -> Result<GpuDevice, Error> {
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

/// Opens the first usable adapter that can be opened.
async fn open_first(adapters: Vec<wgpu::Adapter>) -> Result<GpuDevice, Error> {
    let (mut found, mut failed) = (vec![], Vec::<Error>::new());
    for adapter in &adapters {
        if let Some(lack) = lack(adapter) {
            let info = adapter.get_info();
            found.push(format!("{} ({}) {lack}", info.name, info.backend));
            continue;
        }
        match GpuDevice::open(adapter).await {
            Ok(device) => {
                for error in failed {
                    log::warn!("{error}: using {}", device.name());
                }
                return Ok(device);
            }
            Err(error) => failed.push(error),
        }
    }
    Err(failed.pop().unwrap_or(DeviceError::NoAdapter { found }.into()))
}

/// Looks for adapters, and lets go of those that are not used, while no other thread does: those of
/// OpenGL share a context of the instance, and wgpu panics where two threads make it theirs.
#[cfg(not(target_family = "wasm"))]
async fn alone<T>(search: impl Future<Output = T>) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Outside browsers none of it waits for an event loop.
    pollster::block_on(search)
}

#[cfg(target_family = "wasm")]
async fn alone<T>(search: impl Future<Output = T>) -> T {
    search.await
}

/// The instance of the drivers. There is one in a process, which stays: NVIDIA's driver 580 was seen
/// to wait for itself where one thread closed its OpenGL while another destroyed a Vulkan device.
#[cfg(not(target_family = "wasm"))]
fn instance() -> wgpu::Instance {
    static INSTANCE: std::sync::OnceLock<wgpu::Instance> = std::sync::OnceLock::new();
    INSTANCE.get_or_init(new_instance).clone()
}

/// A browser's instances are of a thread.
#[cfg(target_family = "wasm")]
use new_instance as instance;

fn new_instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle())
}

/// All adapters, best first.
async fn sorted() -> Vec<wgpu::Adapter> {
    sorted_of(wgpu::Backends::all()).await
}

/// Adapters to choose from, best first: OpenGL is not looked at where there is better.
async fn candidates() -> Vec<wgpu::Adapter> {
    let modern = sorted_of(wgpu::Backends::all() - wgpu::Backends::GL).await;
    match modern.first() {
        Some(best) if is_usable(best) && is_hardware(best) => modern,
        _ => sorted().await,
    }
}

fn is_hardware(adapter: &wgpu::Adapter) -> bool {
    adapter.get_info().device_type != wgpu::DeviceType::Cpu
}

async fn sorted_of(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut adapters = instance().enumerate_adapters(backends).await;
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let by_kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        // One device is often exposed through two APIs; GL is the weaker one.
        (!is_usable(adapter), by_kind, info.backend == wgpu::Backend::Gl)
    });
    adapters
}

fn is_usable(adapter: &wgpu::Adapter) -> bool {
    lack(adapter).is_none()
}

/// The first requirement of every kernel that an adapter does not meet.
fn lack(adapter: &wgpu::Adapter) -> Option<Lack> {
    requirements::lack(adapter.get_downlevel_capabilities().flags, &adapter.limits())
}

fn summary(adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let named = [
        ("f16", wgpu::Features::SHADER_F16),
        ("subgroups", wgpu::Features::SUBGROUP),
        ("timestamps", wgpu::Features::TIMESTAMP_QUERY),
        ("timestamps-inside-passes", wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES),
        ("pipeline-cache", wgpu::Features::PIPELINE_CACHE),
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
        matrices: matrices(&adapter.cooperative_matrix_properties()),
        features: named.iter().filter(|(_, f)| features.contains(*f)).map(|&(n, _)| n).collect(),
        is_usable: is_usable(adapter),
        name: info.name,
        driver: info.driver,
        driver_info: info.driver_info,
    }
}
