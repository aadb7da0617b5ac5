//! Bind groups, cached for each combination of buffers used by a program.

use super::commands::{Command, Dispatch};
use crate::{
    gpu::{
        codegen::Binding,
        device::{GpuDevice, counters::count},
        elements::first_of,
        memory::{BufferSlice, guard_bands},
    },
    schedule::plan::{Region, Storage},
};
use std::{
    num::NonZeroU64,
    ops::Range,
    sync::{Arc, Weak},
};

/// Maximum number of combinations kept; the least recently used one is dropped.
const MAX_SETS: usize = 16;

/// The memory of every storage in one run.
#[derive(Clone, Debug)]
pub(crate) struct StorageMap<H = BufferSlice> {
    pub slots: Vec<H>,
    pub inputs: Vec<H>,
    pub constants: Vec<H>,
    pub variables: Vec<H>,
    pub arenas: Vec<H>,
    pub outputs: Vec<H>,
}

impl<H> StorageMap<H> {
    fn of(&self, storage: Storage) -> &H {
        match storage {
            Storage::Slot(slot) => &self.slots[slot],
            Storage::Input(input) => &self.inputs[input],
            Storage::Constant(constant) => &self.constants[constant],
            // A member of an arena has been placed in it.
            Storage::Variable(variable) => &self.variables[variable],
            Storage::Arena(arena) => &self.arenas[arena],
            Storage::Output(output) => &self.outputs[output],
        }
    }

    /// The locations that may differ between runs.
    fn changing(&self) -> impl Iterator<Item = &H> {
        self.inputs.iter().chain(&self.variables).chain(&self.arenas).chain(&self.outputs)
    }
}

impl StorageMap {
    /// The buffer of a region, and the byte offset of the region in it.
    pub fn locate(&self, region: Region) -> (&BufferSlice, u64) {
        let slice = self.of(region.storage);
        (slice, slice.first + first_of(region))
    }

    /// Weak references to identify this combination later.
    fn trace(&self) -> StorageMap<Trace> {
        let trace = |storages: &[BufferSlice]| storages.iter().map(Trace::new).collect();
        StorageMap {
            slots: trace(&self.slots),
            inputs: trace(&self.inputs),
            constants: trace(&self.constants),
            variables: trace(&self.variables),
            arenas: trace(&self.arenas),
            outputs: trace(&self.outputs),
        }
    }
}

/// Memory that was bound earlier and may have been freed.
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

/// The bind groups of all dispatches for one combination of memory.
#[derive(Debug)]
struct BindingSet {
    storages: StorageMap<Trace>,
    /// By command; none for copies. They keep the bound buffers alive.
    groups: Vec<Vec<wgpu::BindGroup>>,
}

/// Cached combinations, the most recently used one last.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    sets: Vec<BindingSet>,
}

impl Bindings {
    /// Number of combinations kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Drops the bind groups of memory that has no other owner: of variables that have moved, of
    /// stores and values that were dropped. They would keep it allocated.
    pub fn forget_the_dead(&mut self) {
        self.sets.retain(|set| !set.storages.changing().any(Trace::is_gone));
    }

    /// Drops all bind groups: some of them may be what a device has refused.
    pub fn clear(&mut self) {
        self.sets.clear();
    }

    /// The bind groups for this memory, created on first use.
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

    /// Creates the groups of a dispatch, reusing those of another combination that binds the same
    /// memory.
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
    let size = guard_bands::binding_size(device, region, slice, offset);
    wgpu::BufferBinding { buffer: &slice.buffer, offset, size: NonZeroU64::new(size) }
}
