//! Placement of a program's variables, run after run.
//!
//! On the device a variable stays where it is. Only an arena gathers its members, and only while no
//! other living program has them in its own arena. So programs over one store settle on a placement
//! after their first runs, whatever each of them would prefer.
//!
//! A program that cannot use a variable in place works on a temporary copy in its own memory: the
//! value is copied in before the run, and copied out after it if it was assigned. This applies to
//! an arena whose members are in another one, and to a variable that would be written in a dispatch
//! that reads another part of the same buffer.

use super::commands::Command;
use crate::{
    error::Error,
    gpu::{
        codegen::BindingKind,
        device::GpuDevice,
        elements::{bytes_of, width},
        memory::{BufferSlice, Placed},
    },
    graph::Declaration,
    schedule::plan::{Arena, Buffers, Plan, Region, Storage},
    variables::Store,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Weak},
};

/// The memory of the variables of a program.
#[derive(Debug)]
pub(crate) struct Placement {
    /// By variable; members of arenas included, each at its own offset.
    pub variables: Vec<BufferSlice>,
    /// By arena.
    pub arenas: Vec<BufferSlice>,
    /// Temporary copies made before a run, and copied back after it.
    pub relocations: Vec<Relocation>,
}

/// A variable replaced by a temporary copy during a run.
#[derive(Clone, Debug)]
pub(crate) struct Relocation {
    stored: BufferSlice,
    stand_in: BufferSlice,
    bytes: u64,
    is_assigned: bool,
}

/// Placement state of a program that persists between runs.
#[derive(Debug)]
pub(crate) struct Placer {
    /// Conflicting bindings: a variable that is written, and another one, or an arena, read by the
    /// same command.
    conflicts: BTreeSet<(usize, Storage)>,
    /// Memory for the temporary copies.
    stand_ins: BTreeMap<Storage, Arc<wgpu::Buffer>>,
    /// Arenas of this program stay where they are while this is alive.
    claim: Arc<()>,
}

impl Placer {
    /// Creates the placement state of a program with these commands.
    pub fn new(plan: &Plan, commands: &[Command]) -> Self {
        let buffers = plan.buffers();
        let conflicts = commands.iter().flat_map(|command| conflicts(&buffers, command)).collect();
        Placer { conflicts, stand_ins: BTreeMap::new(), claim: Arc::new(()) }
    }

    /// Initializes missing variables, moves all to the device, and returns their locations.
    pub fn place(
        &mut self,
        device: &GpuDevice,
        plan: &Plan,
        store: &mut Store,
    ) -> Result<Placement, Error> {
        store.ensure(&plan.variables)?;
        let gather = |arena| self.gather(device, plan, store, arena);
        let gathered: Vec<_> = plan.arenas.iter().map(gather).collect::<Result<_, _>>()?;
        let mut variables = Vec::with_capacity(plan.variables.len());
        for (variable, (path, declaration)) in plan.variables.iter().enumerate() {
            variables.push(match on_device(device, store, path)? {
                Some(placed) => placed.slice.clone(),
                None => {
                    let slice = BufferSlice::whole(device.storage(path, size_of(declaration))?);
                    move_to(device, plan, store, variable, slice.clone(), Weak::new())?;
                    slice
                }
            });
        }

        let mut before = mem::take(&mut self.stand_ins);
        let mut stand_in = |storage, bytes| {
            let buffer = match before.remove(&storage) {
                Some(buffer) => buffer,
                None => device.storage("stand-in", bytes)?,
            };
            self.stand_ins.insert(storage, buffer.clone());
            Ok::<_, Error>(BufferSlice::whole(buffer))
        };
        let mut relocations = Vec::new();
        let mut relocation = |variable: usize, stored: &mut BufferSlice, stand_in: BufferSlice| {
            let stored = mem::replace(stored, stand_in.clone());
            let bytes = size_of(&plan.variables[variable].1);
            relocations.push(Relocation {
                stored,
                stand_in,
                bytes,
                is_assigned: plan.assigned[variable],
            });
        };
        let mut arenas = Vec::with_capacity(plan.arenas.len());
        for ((number, arena), gathered) in plan.arenas.iter().enumerate().zip(gathered) {
            arenas.push(match gathered {
                Some(slice) => slice,
                None => {
                    let slice = stand_in(Storage::Arena(number), size_of_arena(arena))?;
                    for &(variable, first) in &arena.members {
                        let part = part_of(&slice, arena, first);
                        relocation(variable, &mut variables[variable], part);
                    }
                    slice
                }
            });
        }
        for &(written, read) in &self.conflicts {
            let read = match read {
                Storage::Variable(variable) => &variables[variable],
                Storage::Arena(arena) => &arenas[arena],
                _ => continue,
            };
            if Arc::ptr_eq(&variables[written].buffer, &read.buffer) {
                let bytes = size_of(&plan.variables[written].1);
                let slice = stand_in(Storage::Variable(written), bytes)?;
                relocation(written, &mut variables[written], slice);
            }
        }
        Ok(Placement { variables, arenas, relocations })
    }

    /// The buffer that holds the members of an arena at their offsets; `None` if another program
    /// has them in another arena.
    fn gather(
        &self,
        device: &GpuDevice,
        plan: &Plan,
        store: &mut Store,
        arena: &Arena,
    ) -> Result<Option<BufferSlice>, Error> {
        let existing = existing(device, plan, store, arena)?;
        let (mut is_claimed, mut is_foreign) = (false, false);
        for &(variable, _) in &arena.members {
            if let Some(placed) = on_device(device, store, &plan.variables[variable].0)?
                && placed.claim.strong_count() > 0
            {
                is_claimed = true;
                is_foreign |= Weak::as_ptr(&placed.claim) != Arc::as_ptr(&self.claim);
            }
        }
        if is_foreign || (is_claimed && existing.is_some()) {
            return Ok(existing);
        }
        let is_there = existing.is_some();
        let slice = match existing {
            Some(slice) => slice,
            None => BufferSlice::whole(device.storage("arena", size_of_arena(arena))?),
        };
        for &(variable, first) in &arena.members {
            let part = part_of(&slice, arena, first);
            let claim = Arc::downgrade(&self.claim);
            if is_there {
                settle(device, plan, store, variable, part, claim)
            } else {
                move_to(device, plan, store, variable, part, claim)?
            }
        }
        Ok(Some(slice))
    }
}

impl Relocation {
    /// Records the copy-in.
    pub fn begin(&self, encoder: &mut wgpu::CommandEncoder) {
        copy(encoder, &self.stored, &self.stand_in, self.bytes);
    }

    /// Records the copy-out.
    pub fn end(&self, encoder: &mut wgpu::CommandEncoder) {
        if self.is_assigned {
            copy(encoder, &self.stand_in, &self.stored, self.bytes);
        }
    }
}

/// Variables a command writes, each with another storage it reads, whose bindings conflict if they
/// share a buffer. Members of one arena are excluded: `hazards::bindable` has already resolved
/// those.
fn conflicts(buffers: &Buffers, command: &Command) -> Vec<(usize, Storage)> {
    let (reads, writes): (Vec<Region>, Vec<Region>) = match command {
        Command::Copy { from, to, .. } => (vec![*from], vec![*to]),
        Command::Dispatch(dispatch) => {
            let of = |kind| {
                let bindings = dispatch.bindings.iter().filter(move |b| b.kind == kind);
                bindings.filter_map(|binding| binding.region).collect()
            };
            (of(BindingKind::Read), of(BindingKind::ReadWrite))
        }
    };
    let lives = |region: &&Region| {
        matches!(region.storage, Storage::Variable(_) | Storage::Arena(_)) && region.len > 0
    };
    let written = writes.iter().filter(lives).filter_map(|write| match buffers.of(*write) {
        (Storage::Variable(variable), _) => Some(variable),
        _ => None,
    });
    let pairs = written.flat_map(|variable| {
        let others = reads.iter().filter(lives).map(|read| read.storage);
        others.filter(move |read| *read != Storage::Variable(variable)).map(move |r| (variable, r))
    });
    pairs.collect()
}

/// The location of a variable, if it is on this device.
fn on_device<'s>(
    device: &GpuDevice,
    store: &'s Store,
    path: &str,
) -> Result<Option<&'s Placed>, Error> {
    let placed = store.entry(path)?.data.is::<Placed>();
    Ok(placed.filter(|placed| placed.device.is(device)))
}

/// The existing buffer that holds all members of an arena at their offsets.
fn existing(
    device: &GpuDevice,
    plan: &Plan,
    store: &Store,
    arena: &Arena,
) -> Result<Option<BufferSlice>, Error> {
    let mut whole: Option<BufferSlice> = None;
    for &(variable, first) in &arena.members {
        let Some(placed) = on_device(device, store, &plan.variables[variable].0)? else {
            return Ok(None);
        };
        let begin = BufferSlice::whole(placed.slice.buffer.clone());
        let fits = placed.slice.first == part_of(&begin, arena, first).first
            && begin.buffer.size() == size_of_arena(arena)
            && whole.as_ref().is_none_or(|whole| whole.is(&begin));
        if !fits {
            return Ok(None);
        }
        whole = Some(begin);
    }
    Ok(whole)
}

/// Copies a variable to a new location, on the device if it is already there.
fn move_to(
    device: &GpuDevice,
    plan: &Plan,
    store: &mut Store,
    variable: usize,
    slice: BufferSlice,
    claim: Weak<()>,
) -> Result<(), Error> {
    let (path, declaration) = &plan.variables[variable];
    match on_device(device, store, path)? {
        // The variable stays where it was unless the copy succeeds.
        Some(old) => device.attempt(|| {
            let submissions = device.submissions();
            let mut encoder = submissions.encoder();
            copy(&mut encoder, &old.slice, &slice, size_of(declaration));
            submissions.submit(encoder);
            Ok(())
        })?,
        None => {
            let value = store.get(path)?;
            device.attempt(|| {
                slice.write(&device.submissions(), declaration.meta.dtype, value.words());
                Ok(())
            })?;
        }
    }
    settle(device, plan, store, variable, slice, claim);
    Ok(())
}

/// Records the location of a variable in the store.
fn settle(
    device: &GpuDevice,
    plan: &Plan,
    store: &mut Store,
    variable: usize,
    slice: BufferSlice,
    claim: Weak<()>,
) {
    let (path, declaration) = &plan.variables[variable];
    let (len, dtype) = (declaration.meta.shape.len(), declaration.meta.dtype);
    store.place(path, Placed { device: device.clone(), slice, len, dtype, claim });
}

fn copy(encoder: &mut wgpu::CommandEncoder, from: &BufferSlice, to: &BufferSlice, bytes: u64) {
    encoder.copy_buffer_to_buffer(&from.buffer, from.first, &to.buffer, to.first, bytes);
}

/// Size of a variable in bytes.
fn size_of(declaration: &Declaration) -> u64 {
    bytes_of(declaration.meta.shape.len(), declaration.meta.dtype)
}

/// Size of an arena in bytes.
fn size_of_arena(arena: &Arena) -> u64 {
    bytes_of(arena.words, arena.dtype)
}

/// The location of the arena member that starts at this element.
fn part_of(slice: &BufferSlice, arena: &Arena, first: usize) -> BufferSlice {
    BufferSlice {
        buffer: slice.buffer.clone(),
        first: slice.first + width(arena.dtype) * first as u64,
    }
}
