//! Where the variables of a program are: moved to the device, members of an arena together.
//!
//! A variable that is only read may be anywhere on the device. One that is assigned has a buffer
//! of its own, for no dispatch may write a buffer that it also reads elsewhere. Programs over one
//! store agree on arenas, so after the first runs nothing moves.

use super::{
    device::GpuDevice,
    memory::{Home, Placed, bytes_of},
};
use crate::{
    error::Error,
    schedule::plan::{Arena, Plan},
    variables::{Place, Store},
};

/// The memory of the variables of a program.
#[derive(Debug)]
pub(super) struct Placement {
    /// By variable; those in arenas too, each where it begins.
    pub variables: Vec<Home>,
    /// By arena.
    pub arenas: Vec<Home>,
}

/// Makes the missing variables and moves all to where the program needs them.
pub(super) fn place(
    device: &GpuDevice,
    plan: &Plan,
    store: &mut Store,
) -> Result<Placement, Error> {
    store.ensure(&plan.variables)?;
    let mut arenas = Vec::with_capacity(plan.arenas.len());
    for arena in &plan.arenas {
        let home = match existing(device, plan, store, arena)? {
            Some(home) => home,
            None => {
                let home = Home::whole(device.storage("arena", arena.words)?);
                for &(variable, first) in &arena.members {
                    let home = Home { buffer: home.buffer.clone(), first };
                    move_to(device, plan, store, variable, home)?;
                }
                home
            }
        };
        arenas.push(home);
    }
    let in_arena = |variable: usize| {
        plan.arenas.iter().flat_map(|arena| &arena.members).any(|&(member, _)| member == variable)
    };
    for (variable, (path, declaration)) in plan.variables.iter().enumerate() {
        let len = declaration.meta.shape.len();
        let is_there = on_device(device, store, path)?.is_some_and(|home| {
            let is_alone = home.first == 0 && home.buffer.size() == bytes_of(len);
            is_alone || !plan.assigned[variable]
        });
        if !in_arena(variable) && !is_there {
            let home = Home::whole(device.storage(path, len)?);
            move_to(device, plan, store, variable, home)?;
        }
    }
    let homes = plan.variables.iter().map(|(path, _)| on_device(device, store, path));
    let variables = homes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    Ok(Placement { variables, arenas })
}

/// Where a variable is, if it is on this device.
fn on_device(device: &GpuDevice, store: &Store, path: &str) -> Result<Option<Home>, Error> {
    Ok(match &store.entry(path)?.place {
        Place::Gpu(placed) if placed.device.is(device) => Some(placed.home.clone()),
        _ => None,
    })
}

/// The buffer in which the members of an arena lie as it wants them.
fn existing(
    device: &GpuDevice,
    plan: &Plan,
    store: &Store,
    arena: &Arena,
) -> Result<Option<Home>, Error> {
    let mut whole: Option<Home> = None;
    for &(variable, first) in &arena.members {
        let Some(home) = on_device(device, store, &plan.variables[variable].0)? else {
            return Ok(None);
        };
        let begin = Home { buffer: home.buffer, first: 0 };
        let fits = home.first == first
            && begin.buffer.size() == bytes_of(arena.words)
            && whole.as_ref().is_none_or(|whole| whole.is(&begin));
        if !fits {
            return Ok(None);
        }
        whole = Some(begin);
    }
    Ok(whole)
}

/// Copies a variable to a new place, on the device if it is there already.
fn move_to(
    device: &GpuDevice,
    plan: &Plan,
    store: &mut Store,
    variable: usize,
    home: Home,
) -> Result<(), Error> {
    let (path, declaration) = &plan.variables[variable];
    let len = declaration.meta.shape.len();
    match on_device(device, store, path)? {
        Some(old) if len > 0 => {
            let submissions = device.submissions();
            let mut encoder = submissions.encoder();
            let (from, to) = (4 * old.first as u64, 4 * home.first as u64);
            let bytes = bytes_of(len);
            encoder.copy_buffer_to_buffer(&old.buffer, from, &home.buffer, to, bytes);
            submissions.submit(encoder);
        }
        Some(_) => {}
        None => {
            let value = store.entry(path)?.read()?;
            device.submissions().write(&home.buffer, home.first, value.words());
        }
    }
    let placed = Placed { device: device.clone(), home, len };
    store.place(path, Place::Gpu(placed));
    Ok(())
}
