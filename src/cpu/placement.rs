//! Where variables live between runs.

use crate::{
    array::Array,
    error::Error,
    resident::{Read, Resident},
    schedule::plan::{Arena, Plan},
    shape::Meta,
    variables::Store,
};
use std::{
    any::Any,
    mem,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Words of a memory that may hold several variables.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The memory.
    pub memory: Arc<Mutex<Vec<u32>>>,
    /// First word.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
    /// The program in whose arena it is, as long as there is one: nobody else may move it.
    pub claim: Weak<()>,
}

impl Resident for Placed {
    fn read<'a>(&'a self, meta: &'a Meta) -> Read<'a> {
        Box::pin(async { Array::from_words(meta.clone(), self.words()) })
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
    /// A copy of the words.
    fn words(&self) -> Vec<u32> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory[self.offset..][..self.len].to_vec()
    }

    /// Replaces the words.
    fn replace(&self, words: &[u32]) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory[self.offset..][..self.len].copy_from_slice(words);
    }

    /// A memory of its own for these words.
    fn new(words: Vec<u32>) -> Self {
        let len = words.len();
        Placed { memory: Arc::new(Mutex::new(words)), offset: 0, len, claim: Weak::new() }
    }
}

/// Where the variables of a plan are during a run.
#[derive(Debug)]
pub(super) struct Arranged {
    /// By variable.
    pub placed: Vec<Placed>,
    /// Stand-ins of assigned variables, and where their values go after the run.
    visits: Vec<(Placed, Placed)>,
}

impl Arranged {
    /// Takes the values of stand-ins back to where the variables live.
    pub fn settle(&self) {
        for (stand_in, stored) in &self.visits {
            stored.replace(&stand_in.words());
        }
    }
}

/// Makes sure that the variables of a plan live in memory of the CPU, the members of each arena
/// in one, and says where. What is there already stays where it is, but for members of an arena
/// that are in none of another living program; where they are, the arena has a stand-in, a copy
/// for one run. `claim` keeps the arenas of the program that asks.
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
        let placed = Placed::new(entry.read()?.words().to_vec());
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

/// A new memory for an arena, with the values of its members.
fn gathered(store: &Store, plan: &Plan, arena: &Arena) -> Result<Arc<Mutex<Vec<u32>>>, Error> {
    let mut words = vec![0; arena.words];
    for &(variable, offset) in &arena.members {
        let value = store.get(&plan.variables[variable].0)?;
        words[offset..][..value.words().len()].copy_from_slice(value.words());
    }
    Ok(Arc::new(Mutex::new(words)))
}

/// The part of an arena that is a variable.
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

/// Whether another living program has a member of this arena in one of its own.
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

/// The memory of the size of an arena in which its members lie, each at its offset.
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
