//! Bind groups: made once for each combination of buffers that a program meets.

use super::commands::{Command, Dispatch};
use crate::{
    gpu::{
        codegen::Binding,
        device::{GpuDevice, counters::count},
        elements::{bytes_of, first_of},
        memory::{BufferSlice, guard_bands},
    },
    schedule::plan::{Region, Storage},
};
use std::{
    num::NonZeroU64,
    ops::Range,
    sync::{Arc, Weak},
};

/// Combinations that are kept, the least recently used one being dropped.
const MAX_SETS: usize = 16;

/// The memory of every storage in one run.
#[derive(Clone, Debug)]
pub(crate) struct StorageMap<H = BufferSlice> {
    pub slots: Vec<H>,
    pub inputs: Vec<H>,
    pub variables: Vec<H>,
    pub arenas: Vec<H>,
    pub outputs: Vec<H>,
}

impl<H> StorageMap<H> {
    fn of(&self, storage: Storage) -> &H {
        match storage {
            Storage::Slot(slot) => &self.slots[slot],
            Storage::Input(input) => &self.inputs[input],
            // A member of an arena has been placed in it.
            Storage::Variable(variable) => &self.variables[variable],
            Storage::Arena(arena) => &self.arenas[arena],
            Storage::Output(output) => &self.outputs[output],
        }
    }

    /// What may differ from run to run.
    fn changing(&self) -> impl Iterator<Item = &H> {
        self.inputs.iter().chain(&self.variables).chain(&self.arenas).chain(&self.outputs)
    }
}

impl StorageMap {
    /// The buffer of a region, and where it begins there, in bytes.
    pub fn locate(&self, region: Region) -> (&BufferSlice, u64) {
        let slice = self.of(region.storage);
        (slice, slice.first + first_of(region))
    }

    /// What is left of it for whoever comes back.
    fn trace(&self) -> StorageMap<Trace> {
        let trace = |storages: &[BufferSlice]| storages.iter().map(Trace::new).collect();
        StorageMap {
            slots: trace(&self.slots),
            inputs: trace(&self.inputs),
            variables: trace(&self.variables),
            arenas: trace(&self.arenas),
            outputs: trace(&self.outputs),
        }
    }
}

/// Memory that was bound once, and may be gone.
#[derive(Debug)]
struct Trace {
    buffer: Weak<wgpu::Buffer>,
    first: u64,
}

impl Trace {
    fn new(slice: &BufferSlice) -> Self {
        Trace { buffer: Arc::downgrade(&slice.buffer), first: slice.first }
    }

    fn is(&self, slice: &BufferSlice) -> bool {
        Weak::as_ptr(&self.buffer) == Arc::as_ptr(&slice.buffer) && self.first == slice.first
    }

    fn is_gone(&self) -> bool {
        self.buffer.strong_count() == 0
    }
}

/// The bind groups of all dispatches for some memory.
#[derive(Debug)]
struct BindingSet {
    storages: StorageMap<Trace>,
    /// By command; none for copies. They keep alive what they bind.
    groups: Vec<Vec<wgpu::BindGroup>>,
}

/// The combinations met so far, the most recently used one last.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    sets: Vec<BindingSet>,
}

impl Bindings {
    /// Number of combinations that are kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether none was made yet.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Drops the bind groups of memory that nobody else holds: of variables that have moved, of
    /// stores and values that are gone. They would keep it allocated.
    pub fn forget_the_dead(&mut self) {
        self.sets.retain(|set| !set.storages.changing().any(Trace::is_gone));
    }

    /// The bind groups for this memory, made unless they were before.
    pub fn of(
        &mut self,
        device: &GpuDevice,
        uniforms: &wgpu::Buffer,
        commands: &[Command],
        storages: &StorageMap,
    ) -> &[Vec<wgpu::BindGroup>] {
        let same = |set: &BindingSet| {
            set.storages.changing().zip(storages.changing()).all(|(a, b)| a.is(b))
        };
        let set = match self.sets.iter().position(same) {
            Some(known) => self.sets.remove(known),
            None => {
                let groups = commands.iter().enumerate().map(|(index, command)| match command {
                    Command::Copy { .. } => Vec::new(),
                    Command::Dispatch(dispatch) => {
                        self.bind(device, uniforms, index, dispatch, storages)
                    }
                });
                let groups = groups.collect();
                if self.sets.len() >= MAX_SETS {
                    self.sets.remove(0);
                }
                BindingSet { storages: storages.trace(), groups }
            }
        };
        self.sets.push(set);
        self.sets.last().map_or(&[], |set| &set.groups)
    }

    /// The groups of a dispatch; those of another combination where they bind the same memory.
    fn bind(
        &self,
        device: &GpuDevice,
        uniforms: &wgpu::Buffer,
        command: usize,
        dispatch: &Dispatch,
        storages: &StorageMap,
    ) -> Vec<wgpu::BindGroup> {
        let groups = dispatch.pipeline.groups.iter().enumerate();
        let group = |(group, layout): (usize, &wgpu::BindGroupLayout)| {
            let bindings = dispatch.bindings.iter().filter(|b| b.group == group as u32);
            let bindings: Vec<&Binding> = bindings.collect();
            let same = |set: &&BindingSet| {
                let mut regions = bindings.iter().filter_map(|binding| binding.region);
                regions.all(|r| set.storages.of(r.storage).is(storages.of(r.storage)))
            };
            if let Some(set) = self.sets.iter().find(same) {
                return set.groups[command][group].clone();
            }
            let entries: Vec<_> = bindings
                .iter()
                .map(|binding| wgpu::BindGroupEntry {
                    binding: binding.binding,
                    resource: wgpu::BindingResource::Buffer(match binding.region {
                        None => uniform(uniforms, &dispatch.uniforms[group]),
                        Some(region) => storage(device, storages, region),
                    }),
                })
                .collect();
            count(&device.shared.tally.bind_groups, 1);
            device.shared.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout,
                entries: &entries,
            })
        };
        groups.map(group).collect()
    }
}

fn uniform<'a>(uniforms: &'a wgpu::Buffer, range: &Range<usize>) -> wgpu::BufferBinding<'a> {
    wgpu::BufferBinding {
        buffer: uniforms,
        offset: range.start as u64,
        size: NonZeroU64::new(range.len() as u64),
    }
}

fn storage<'a>(
    device: &GpuDevice,
    storages: &'a StorageMap,
    region: Region,
) -> wgpu::BufferBinding<'a> {
    let (slice, offset) = storages.locate(region);
    let size = match guard_bands::is_around(device, region.storage) {
        true => slice.buffer.size() - offset,
        false => bytes_of(region.len, region.dtype),
    };
    wgpu::BufferBinding { buffer: &slice.buffer, offset, size: NonZeroU64::new(size) }
}
