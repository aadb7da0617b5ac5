//! Memory of variables between runs.

use crate::{
    array::Array,
    error::{DeviceError, Error},
    memory::{copied, zeroed},
    resident::{Read, Resident, Wait},
    schedule::plan::{Arena, Plan},
    shape::Meta,
    variables::Store,
};
use std::{
    any::Any,
    mem,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// A range of words in a memory that may hold several variables.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The memory.
    pub memory: Arc<Mutex<Vec<u32>>>,
    /// First word.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
    /// The program that has it in an arena, while that program is alive: no other may move it.
    pub claim: Weak<()>,
}

impl Resident for Placed {
    fn read<'a>(&'a self, meta: &'a Meta, _: Wait) -> Read<'a> {
        Box::pin(async { Array::from_words(meta.clone(), self.words()?) })
    }

    fn write(&self, words: &[u32]) -> bool {
        self.replace(words);
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Placed {
    /// Copies the words out.
    fn words(&self) -> Result<Vec<u32>, DeviceError> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        copied(&memory[self.offset..][..self.len])
    }

    /// Replaces the words.
    fn replace(&self, words: &[u32]) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory[self.offset..][..self.len].copy_from_slice(words);
    }

    /// Allocates separate memory for these words.
    fn new(words: Vec<u32>) -> Self {
        let len = words.len();
        Placed { memory: Arc::new(Mutex::new(words)), offset: 0, len, claim: Weak::new() }
    }
}

/// Memory of a plan's variables during a run.
#[derive(Debug)]
pub(super) struct Arranged {
    /// By variable.
    pub placed: Vec<Placed>,
    /// Temporary copies of assigned variables, and the memory to copy them back to after the run.
    visits: Vec<(Placed, Placed)>,
}

impl Arranged {
    /// Copies the temporary values back to the variables.
    pub fn settle(&self) {
        for (stand_in, stored) in &self.visits {
            let memory = stand_in.memory.lock().unwrap_or_else(PoisonError::into_inner);
            stored.replace(&memory[stand_in.offset..][..stand_in.len]);
        }
    }
}

/// Places the variables of a plan in CPU memory, the members of each arena contiguously, and
/// returns their locations. Variables already in CPU memory stay where they are, except for arena
/// members that no other living program has in an arena; if another one has, the arena is a
/// temporary copy for one run. `claim` keeps the arenas of the calling program.
pub(super) fn arrange(store: &mut Store, plan: &Plan, claim: &Arc<()>) -> Result<Arranged, Error> {
    store.ensure(&plan.variables)?;
    let mut stand_ins = Vec::new();
    for arena in &plan.arenas {
        let existing = existing(store, plan, arena)?;
        if is_claimed(store, plan, arena, claim)? {
            if existing.is_none() {
                stand_ins.push((arena, gathered(store, plan, arena)?));
            }
            continue;
        }
        let memory = match existing {
            Some(memory) => memory,
            None => gathered(store, plan, arena)?,
        };
        for &(variable, offset) in &arena.members {
            let part = part(plan, variable, offset, &memory, Arc::downgrade(claim));
            store.place(&plan.variables[variable].0, part);
        }
    }
    let variables = plan.variables.iter();
    let placed = variables.map(|(path, _)| {
        let entry = store.entry(path)?;
        if let Some(placed) = entry.data.is::<Placed>() {
            return Ok(placed.clone());
        }
        let placed = Placed::new(store.get(path)?.into_words());
        store.place(path, placed.clone());
        Ok(placed)
    });
    let mut placed: Vec<Placed> = placed.collect::<Result<_, Error>>()?;
    let mut visits = Vec::new();
    for (arena, memory) in stand_ins {
        for &(variable, offset) in &arena.members {
            let stand_in = part(plan, variable, offset, &memory, Weak::new());
            let stored = mem::replace(&mut placed[variable], stand_in.clone());
            visits.push((stand_in, stored));
        }
    }
    Ok(Arranged { placed, visits })
}

/// Allocates memory for an arena and copies the values of its members into it.
fn gathered(store: &Store, plan: &Plan, arena: &Arena) -> Result<Arc<Mutex<Vec<u32>>>, Error> {
    let mut words = zeroed(arena.words)?;
    for &(variable, offset) in &arena.members {
        let value = store.get(&plan.variables[variable].0)?;
        words[offset..][..value.words().len()].copy_from_slice(value.words());
    }
    Ok(Arc::new(Mutex::new(words)))
}

/// The part of an arena that holds a variable.
fn part(
    plan: &Plan,
    variable: usize,
    offset: usize,
    memory: &Arc<Mutex<Vec<u32>>>,
    claim: Weak<()>,
) -> Placed {
    let len = plan.variables[variable].1.meta.shape.len();
    Placed { memory: memory.clone(), offset, len, claim }
}

/// Whether another living program has a member of this arena in one of its own arenas.
fn is_claimed(store: &Store, plan: &Plan, arena: &Arena, claim: &Arc<()>) -> Result<bool, Error> {
    for &(variable, _) in &arena.members {
        if let Some(placed) = store.entry(&plan.variables[variable].0)?.data.is::<Placed>()
            && placed.claim.strong_count() > 0
            && Weak::as_ptr(&placed.claim) != Arc::as_ptr(claim)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The existing memory of the size of the arena that holds its members, each at its offset.
fn existing(
    store: &Store,
    plan: &Plan,
    arena: &Arena,
) -> Result<Option<Arc<Mutex<Vec<u32>>>>, Error> {
    let mut whole: Option<&Placed> = None;
    for &(variable, offset) in &arena.members {
        let Some(placed) = store.entry(&plan.variables[variable].0)?.data.is::<Placed>() else {
            return Ok(None);
        };
        let alike = match whole {
            Some(whole) => Arc::ptr_eq(&whole.memory, &placed.memory),
            None => {
                let memory = placed.memory.lock().unwrap_or_else(PoisonError::into_inner);
                memory.len() == arena.words
            }
        };
        if !alike || placed.offset != offset {
            return Ok(None);
        }
        whole = whole.or(Some(placed));
    }
    Ok(whole.map(|placed| placed.memory.clone()))
}
