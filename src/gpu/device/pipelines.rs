//! Cache of compiled shaders, keyed by text and overrides.

use super::faults::{fault, scoped};
use crate::{
    error::{CompileError, DeviceError, Error},
    gpu::codegen::{Assembly, Binding, BindingKind},
};
use std::{collections::HashMap, sync::Arc};

/// A compiled shader and its bind group layouts.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    /// Group 0, and group 1 if present.
    pub groups: Vec<wgpu::BindGroupLayout>,
}

/// Compiled pipelines by text and overrides. The text determines the bindings, so they are not part
/// of the key.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    compiled: HashMap<Key, Arc<Pipeline>>,
}

impl Pipelines {
    /// The pipeline of a shader, created by `compile` on first use.
    ///
    /// # Errors
    ///
    /// Those of `compile`.
    pub fn of(
        &mut self,
        assembly: &Assembly,
        compile: impl FnOnce() -> Result<Pipeline, Error>,
    ) -> Result<Arc<Pipeline>, Error> {
        let key = key(assembly);
        if let Some(pipeline) = self.compiled.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(compile()?);
        self.compiled.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// Whether the pipeline of a shader is there.
    #[cfg(any(test, feature = "cli"))]
    pub fn has(&self, assembly: &Assembly) -> bool {
        self.compiled.contains_key(&key(assembly))
    }
}

type Key = (String, Vec<(&'static str, u64)>);

fn key(assembly: &Assembly) -> Key {
    let overrides = assembly.overrides.iter().map(|&(name, x)| (name, x.to_bits())).collect();
    (assembly.text.clone(), overrides)
}

/// Compiles a shader.
pub(crate) fn compile(device: &wgpu::Device, assembly: &Assembly) -> Result<Pipeline, Error> {
    let create = || {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&assembly.label),
            source: wgpu::ShaderSource::Wgsl(assembly.text.as_str().into()),
        });
        let count = assembly.bindings.last().map_or(0, |binding| binding.group + 1);
        let groups: Vec<_> =
            (0..count).map(|group| group_layout(device, &assembly.bindings, group)).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &groups.iter().map(Some).collect::<Vec<_>>(),
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&assembly.label),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &assembly.overrides,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, groups }
    };
    scoped(device, create).map_err(|error| match fault(error, None) {
        DeviceError::Reported { message } => {
            let shader = format!("{} ({})", assembly.shader, assembly.label);
            CompileError::Shader { shader, message }.into()
        }
        fault => fault.into(),
    })
}

fn group_layout(device: &wgpu::Device, bindings: &[Binding], group: u32) -> wgpu::BindGroupLayout {
    let entry = |binding: &Binding| wgpu::BindGroupLayoutEntry {
        binding: binding.binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: match binding.kind {
                BindingKind::Uniform => wgpu::BufferBindingType::Uniform,
                BindingKind::Read => wgpu::BufferBindingType::Storage { read_only: true },
                BindingKind::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> =
        bindings.iter().filter(|binding| binding.group == group).map(entry).collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    })
}
