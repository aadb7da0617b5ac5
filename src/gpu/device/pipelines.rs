//! Cache of compiled shaders, keyed by text, overrides and kind of module.

#[cfg(feature = "files")]
use super::pipeline_files::PipelineFiles;
use super::{
    faults::{fault, scoped},
    unchecked,
};
use crate::{
    error::{CompileError, DeviceError, Error},
    gpu::codegen::{Assembly, Binding, BindingKind, ModuleKind},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A compiled shader and its bind group layouts.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    /// Group 0, and group 1 if present.
    pub groups: Vec<wgpu::BindGroupLayout>,
}

/// Compiled pipelines by text, overrides and kind of module. The text determines the bindings, so
/// they are not part of the key.
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

    /// Creates the pipelines of shaders that have none, on several threads. One that fails is left
    /// out: whoever asks for it is told why.
    pub fn compile_all<'a>(
        &mut self,
        assemblies: impl Iterator<Item = &'a Assembly>,
        compile: impl Fn(&Assembly) -> Result<Pipeline, Error> + Sync,
    ) {
        let mut seen = HashSet::new();
        let is_missing = |(key, _): &(Key, &Assembly)| {
            !self.compiled.contains_key(key) && seen.insert(key.clone())
        };
        let missing: Vec<_> = assemblies.map(|a| (key(a), a)).filter(is_missing).collect();
        // One alone is compiled by whoever asks for it.
        if missing.len() > 1 {
            let compiled = on_threads(&missing, |(_, assembly)| compile(assembly).ok());
            for ((key, _), pipeline) in missing.into_iter().zip(compiled) {
                self.compiled.extend(pipeline.map(|pipeline| (key, Arc::new(pipeline))));
            }
        }
    }

    /// Whether the pipeline of a shader is there.
    #[cfg(any(test, feature = "cli"))]
    pub fn has(&self, assembly: &Assembly) -> bool {
        self.compiled.contains_key(&key(assembly))
    }
}

/// Applies a function to all items, on as many threads as there are cores.
///
/// Not on those of rayon: one that waits for the others takes up a task of somebody else meanwhile,
/// which may want the lock that its thread holds.
fn on_threads<T: Sync, U: Send>(
    items: &[T],
    function: impl Fn(&T) -> Option<U> + Sync,
) -> Vec<Option<U>> {
    let (left, done) = (Mutex::new(items.iter().enumerate()), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((index, item)) = next() {
            let result = function(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    if cfg!(target_arch = "wasm32") {
        work();
    } else {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len());
        thread::scope(|scope| {
            for _ in 1..threads {
                // A thread that the system refuses is not missed: this one does its share.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}

type Key = (String, Vec<(&'static str, u64)>, ModuleKind);

fn key(assembly: &Assembly) -> Key {
    let overrides = assembly.overrides.iter().map(|&(name, x)| (name, x.to_bits())).collect();
    (assembly.text.clone(), overrides, assembly.module)
}

/// Where pipelines come from: a device, and the files of pipelines that it compiled earlier.
pub(crate) struct Source<'a> {
    pub device: &'a wgpu::Device,
    #[cfg(feature = "files")]
    pub files: Option<&'a PipelineFiles>,
}

impl Source<'_> {
    /// Compiles a shader.
    pub fn compile(&self, assembly: &Assembly) -> Result<Pipeline, Error> {
        #[cfg(feature = "files")]
        if let Some(files) = self.files {
            let key = super::proof_entry::pipeline_key(assembly);
            let found = files.read(key);
            let create = || unchecked::pipeline_cache(self.device, found.as_deref());
            // Without a cache it takes longer, and nothing else.
            let cache = scoped(self.device, create).ok();
            let pipeline = compile(self.device, assembly, cache.as_ref())?;
            if found.is_none()
                && let Some(data) = cache.and_then(|cache| cache.get_data())
            {
                files.write(key, &data);
            }
            return Ok(pipeline);
        }
        compile(self.device, assembly, None)
    }
}

fn compile(
    device: &wgpu::Device,
    assembly: &Assembly,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<Pipeline, Error> {
    let create = || {
        let (label, text) = (&assembly.label, assembly.text.as_str().into());
        let module = unchecked::module(device, label, text, assembly.module);
        let count = assembly.bindings.last().map_or(0, |binding| binding.group + 1);
        let groups: Vec<_> =
            (0..count).map(|group| group_layout(device, &assembly.bindings, group)).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &groups.iter().map(Some).collect::<Vec<_>>(),
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &assembly.overrides,
                zero_initialize_workgroup_memory: assembly.module == ModuleKind::Checked,
            },
            cache,
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
