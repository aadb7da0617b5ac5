//! All calls of wgpu that it marks as unsafe, and why each is sound (decision 34).
#![expect(unsafe_code, reason = "wgpu leaves to its caller what it cannot check itself")]

use crate::gpu::codegen::ModuleKind;
use std::borrow::Cow;

/// Creates the module of a shader.
///
/// A module that is trusted must be one of this crate's. Its indices and its loops follow from its
/// uniforms and its grid, at which its checked form was proved to stay within its buffers, or, where
/// they follow from data, are guarded in the text.
pub(crate) fn module(
    device: &wgpu::Device,
    label: &str,
    text: Cow<'_, str>,
    kind: ModuleKind,
) -> wgpu::ShaderModule {
    let source = wgpu::ShaderSource::Wgsl(text);
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(label), source };
    match kind {
        ModuleKind::Checked => device.create_shader_module(descriptor),
        ModuleKind::Trusted => {
            let unchecked = wgpu::ShaderRuntimeChecks::unchecked();
            // A division takes far longer than its guard, and divides data by data.
            let checks = wgpu::ShaderRuntimeChecks { int_div_checks: true, ..unchecked };
            // SAFETY: it does not index out of bounds, and its loops end, as the caller promises.
            unsafe { device.create_shader_module_trusted(descriptor, checks) }
        }
    }
}

/// Agreement to features of wgpu that may still be wrong.
///
/// They are used by shaders that were proved, and of which each is run on a device before it serves.
pub(crate) fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: a shader that uses them is validated by naga like any other, and stays within its
    // buffers; there are no other calls.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Creates a cache of pipelines from data that a cache of this adapter and driver returned earlier;
/// an empty one from `None`, or if wgpu finds that the data are of another driver.
///
/// The data must have been read by [`PipelineFiles`](super::pipeline_files::PipelineFiles), which
/// returns only what this user wrote, whole.
#[cfg(feature = "files")]
pub(crate) fn pipeline_cache(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: None, data, fallback: true };
    // SAFETY: the data are what `get_data` returned, as the caller promises.
    unsafe { device.create_pipeline_cache(&descriptor) }
}
