//! Bind groups: made once for each combination of buffers that a program meets.

use super::{
    assemble::Binding,
    counters::count,
    device::GpuDevice,
    guard,
    memory::{Home, bytes_of},
    program::{Command, Dispatch},
};
use crate::schedule::plan::{Region, Storage};
use std::{num::NonZeroU64, ops::Range};

/// Combinations that are kept, the least recently used one being dropped.
const KEPT: usize = 16;

/// The memory of every storage in one run.
#[derive(Clone, Debug)]
pub(super) struct Homes {
    pub slots: Vec<Home>,
    pub inputs: Vec<Home>,
    pub variables: Vec<Home>,
    pub arenas: Vec<Home>,
    pub outputs: Vec<Home>,
}

impl Homes {
    /// The buffer of a region, and its first word there.
    pub fn locate(&self, region: Region) -> (&Home, usize) {
        let home = match region.storage {
            Storage::Slot(slot) => &self.slots[slot],
            Storage::Input(input) => &self.inputs[input],
            // A member of an arena has been placed in it.
            Storage::Variable(variable) => &self.variables[variable],
            Storage::Arena(arena) => &self.arenas[arena],
            Storage::Output(output) => &self.outputs[output],
        };
        (home, home.first + region.offset)
    }

    /// What may differ from run to run.
    fn changing(&self) -> impl Iterator<Item = &Home> {
        self.inputs.iter().chain(&self.variables).chain(&self.arenas).chain(&self.outputs)
    }
}

/// The bind groups of all dispatches for some memory.
#[derive(Debug)]
struct BindingSet {
    homes: Homes,
    /// By command; none for copies.
    groups: Vec<Vec<wgpu::BindGroup>>,
}

/// The combinations met so far, the most recently used one last.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    sets: Vec<BindingSet>,
}

impl Bindings {
    /// Whether none was made yet.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The bind groups for this memory, made unless they were before.
    pub fn of(
        &mut self,
        device: &GpuDevice,
        uniforms: &wgpu::Buffer,
        commands: &[Command],
        homes: &Homes,
    ) -> &[Vec<wgpu::BindGroup>] {
        let same =
            |set: &BindingSet| set.homes.changing().zip(homes.changing()).all(|(a, b)| a.is(b));
        let set = match self.sets.iter().position(same) {
            Some(known) => self.sets.remove(known),
            None => {
                let groups = commands.iter().enumerate().map(|(index, command)| match command {
                    Command::Copy { .. } => Vec::new(),
                    Command::Dispatch(dispatch) => {
                        self.bind(device, uniforms, index, dispatch, homes)
                    }
                });
                let groups = groups.collect();
                if self.sets.len() >= KEPT {
                    self.sets.remove(0);
                }
                BindingSet { homes: homes.clone(), groups }
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
        homes: &Homes,
    ) -> Vec<wgpu::BindGroup> {
        let groups = dispatch.pipeline.groups.iter().enumerate();
        let group = |(group, layout): (usize, &wgpu::BindGroupLayout)| {
            let bindings = dispatch.bindings.iter().filter(|b| b.group == group as u32);
            let bindings: Vec<&Binding> = bindings.collect();
            let same = |set: &&BindingSet| {
                let mut regions = bindings.iter().filter_map(|binding| binding.region);
                regions.all(|region| set.homes.locate(region).0.is(homes.locate(region).0))
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
                        Some(region) => storage(device, homes, region),
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

fn storage<'a>(device: &GpuDevice, homes: &'a Homes, region: Region) -> wgpu::BufferBinding<'a> {
    let (home, first) = homes.locate(region);
    let offset = 4 * first as u64;
    let size = match guard::is_around(device, region.storage) {
        true => home.buffer.size() - offset,
        false => bytes_of(region.len),
    };
    wgpu::BufferBinding { buffer: &home.buffer, offset, size: NonZeroU64::new(size) }
}
