//! Checks between the submissions of a run that is inspected step by step.

use super::{bindings::StorageMap, commands::Command};
use crate::{
    error::{Error, NotFinite, RunError},
    gpu::{
        device::{GpuDevice, Submissions},
        memory::{BufferSlice, guard_bands},
    },
    schedule::plan::{Plan, Region, Step, Storage},
};

/// Waits for the results of a step and searches them for NaN and infinity.
pub(crate) fn check_finite(
    device: &GpuDevice,
    plan: &Plan,
    submissions: &Submissions<'_>,
    number: usize,
    step: &Step,
    storages: &StorageMap,
) -> Result<(), Error> {
    for write in step.writes.iter().filter(|write| write.len > 0 && write.dtype.is_float()) {
        let (slice, first) = storages.locate(*write);
        let slice = BufferSlice { buffer: slice.buffer.clone(), first };
        let words = device.read_between(submissions, &slice, write.len, write.dtype)?;
        for (first, count) in elements_of(plan, *write) {
            let elements = words.get(first..first + count).unwrap_or_default();
            if let Some((index, value)) = NotFinite::among(write.dtype, elements) {
                let found = step.not_finite(number, (first + index, value));
                return Err(RunError::from(found).into());
            }
        }
    }
    Ok(())
}

/// Offset and length of the elements in a region. The gaps between the members of an arena contain
/// leftovers of other values in a gradient's memory, and two f16 that once were an f32 may well be
/// NaN.
fn elements_of(plan: &Plan, region: Region) -> Vec<(usize, usize)> {
    let Storage::Arena(arena) = region.storage else { return vec![(0, region.len)] };
    let members = plan.arenas[arena].members.iter();
    let elements =
        |&(variable, first): &(usize, usize)| (first, plan.variables[variable].1.meta.shape.len());
    members.map(elements).collect()
}

/// Checks the bands around everything that these commands wrote.
pub(crate) fn check_guards(
    device: &GpuDevice,
    submissions: &Submissions<'_>,
    commands: &[Command],
    storages: &StorageMap,
) -> Result<(), Error> {
    for command in commands {
        for (region, label) in command.writes() {
            let (slice, _) = storages.locate(region);
            let is_guarded = |known: &BufferSlice| known.is(slice);
            if storages.slots.iter().chain(&storages.outputs).any(is_guarded) {
                guard_bands::check(device, submissions, slice, label)?;
            }
        }
    }
    Ok(())
}
