//! Workgroup memory with NaN in it, in front of the kernels of a guarded program.
//!
//! Modules that are trusted find in their workgroup memory what the kernel before them left there.
//! One that relied on zeros would find them on most days.

use super::guard_bands::PATTERN;
use crate::{
    dtype::DType,
    error::Error,
    gpu::{
        codegen::{Assembly, Binding, BindingKind, ModuleKind},
        device::{GpuDevice, counters::count, pipelines::Pipeline},
    },
    ops::params::Params,
    schedule::plan::{Region, Storage},
};
use std::sync::Arc;

/// More workgroups than any device has multiprocessors, and work enough that every thread of a software
/// driver, each with a memory of its own, takes some of it.
const WORKGROUPS: u32 = 1024;

/// A dispatch that fills workgroup memory.
#[derive(Debug)]
pub(crate) struct WorkgroupPoison {
    pipeline: Arc<Pipeline>,
    group: wgpu::BindGroup,
}

impl WorkgroupPoison {
    /// Prepares the dispatch.
    ///
    /// # Errors
    ///
    /// Any that the device reports.
    pub fn new(device: &GpuDevice) -> Result<Self, Error> {
        // One for all handles, also for those that change shaders: this one is nobody's mistake.
        #[cfg(any(test, feature = "cli"))]
        let device = &GpuDevice { edit: None, ..device.clone() };
        let pipeline = device.pipeline(&assembly(device))?;
        let words = [PATTERN, 0];
        let usage = wgpu::BufferUsages::STORAGE;
        let buffer = device.filled("workgroup poison", 8, usage, bytemuck::cast_slice(&words))?;
        count(&device.shared.tally.bind_groups, 1);
        let group = device.shared.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.groups[0],
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        Ok(WorkgroupPoison { pipeline, group })
    }

    /// Records the dispatch.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(WORKGROUPS, 1, 1);
    }
}

fn assembly(device: &GpuDevice) -> Assembly {
    let words = device.shared.limits.max_compute_workgroup_storage_size / 4;
    let dtype = DType::U32;
    let region = Region { storage: Storage::Output(0), offset: 0, len: 2, dtype };
    let kind = BindingKind::ReadWrite;
    Assembly {
        label: "poison of workgroup memory".to_owned(),
        shader: "workgroup_memory",
        text: include_str!("../../../shaders/guards/workgroup_memory.wgsl").to_owned(),
        overrides: vec![("WORDS", f64::from(words))],
        workgroups: [1, 1, 1],
        are_numbered: true,
        workgroup_memory: 4 * words,
        params: Params::default(),
        slot_params: vec![],
        bindings: vec![Binding { group: 0, binding: 0, kind, region: Some(region) }],
        may_be_trusted: false,
        // With runtime checks its memory would be cleared first, which takes SwiftShader seconds.
        module: ModuleKind::Trusted,
    }
}
