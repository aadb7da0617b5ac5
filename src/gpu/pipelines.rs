//! Compiled shaders, one for each text and set of overrides.

use super::{
    assemble::{Assembly, Binding, BindingKind},
    counters::count,
    device::{GpuDevice, Shared},
    faults::fault,
};
use crate::error::{CompileError, DeviceError, Error};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

/// A compiled shader and the layouts of its groups.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    /// Group 0, and group 1 where there is one.
    pub groups: Vec<wgpu::BindGroupLayout>,
}

/// What was compiled, by text and overrides. A text says what is bound where, so the bindings
/// need not be in the key.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    compiled: HashMap<Key, Arc<Pipeline>>,
}

type Key = (String, Vec<(&'static str, u64)>);

impl GpuDevice {
    /// The pipeline of a shader, compiled unless it was before.
    pub(super) fn pipeline(&self, assembly: &Assembly) -> Result<Arc<Pipeline>, Error> {
        let overrides = assembly.overrides.iter().map(|&(name, x)| (name, x.to_bits())).collect();
        let key = (assembly.text.clone(), overrides);
        let mut cache = self.shared.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = cache.compiled.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(compile(&self.shared, assembly)?);
        cache.compiled.insert(key, pipeline.clone());
        Ok(pipeline)
    }
}

fn compile(shared: &Shared, assembly: &Assembly) -> Result<Pipeline, Error> {
    count(&shared.tally.pipelines, 1);
    let device = &shared.device;
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
    shared.scoped(create).map_err(|error| match fault(error, None) {
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

impl Shared {
    /// Runs what creates something, and returns what the device has against it.
    ///
    /// In a browser errors arrive later, through [`Faults`](super::faults::Faults).
    pub fn scoped<T>(&self, create: impl FnOnce() -> T) -> Result<T, wgpu::Error> {
        #[cfg(target_arch = "wasm32")]
        return Ok(create());
        #[cfg(not(target_arch = "wasm32"))]
        {
            use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
            let scopes = [OutOfMemory, Internal, Validation]
                .map(|filter| self.device.push_error_scope(filter));
            let created = create();
            let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
            // Every scope must be closed, so all are asked before one is looked at.
            match errors.collect::<Vec<_>>().into_iter().flatten().next() {
                Some(error) => Err(error),
                None => Ok(created),
            }
        }
    }
}
