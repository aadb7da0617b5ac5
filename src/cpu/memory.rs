//! Where variables live between runs.

use crate::{
    error::Error,
    schedule::plan::{Arena, Plan},
    variables::{Place, Store},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Words of a memory that may hold several variables.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The memory.
    pub memory: Arc<Mutex<Vec<u32>>>,
    /// First word.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
}

impl Placed {
    /// A copy of the words.
    pub fn read(&self) -> Vec<u32> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory[self.offset..][..self.len].to_vec()
    }

    /// A memory of its own for these words.
    fn new(words: Vec<u32>) -> Self {
        let len = words.len();
        Placed { memory: Arc::new(Mutex::new(words)), offset: 0, len }
    }
}

/// Makes sure that the variables of a plan live in memory of the CPU, the members of each arena
/// in one, and says where. What already lies as the plan wants it stays where it is.
pub(super) fn arrange(store: &mut Store, plan: &Plan) -> Result<Vec<Placed>, Error> {
    store.ensure(&plan.variables)?;
    for arena in &plan.arenas {
        if !fits(store, plan, arena)? {
            let mut words = vec![0; arena.words];
            for &(variable, offset) in &arena.members {
                let value = store.get(&plan.variables[variable].0)?;
                words[offset..][..value.words().len()].copy_from_slice(value.words());
            }
            let memory = Arc::new(Mutex::new(words));
            for &(variable, offset) in &arena.members {
                let (path, declaration) = &plan.variables[variable];
                let len = declaration.meta.shape.len();
                let placed = Placed { memory: memory.clone(), offset, len };
                store.place(path, Place::Cpu(placed));
            }
        }
    }
    let variables = plan.variables.iter();
    variables
        .map(|(path, _)| {
            let entry = store.entry(path)?;
            if let Place::Cpu(placed) = &entry.place {
                return Ok(placed.clone());
            }
            let placed = Placed::new(entry.read()?.words().to_vec());
            store.place(path, Place::Cpu(placed.clone()));
            Ok(placed)
        })
        .collect()
}

/// Whether the members of an arena lie in one memory of its size, each at its offset.
fn fits(store: &Store, plan: &Plan, arena: &Arena) -> Result<bool, Error> {
    let mut first: Option<&Placed> = None;
    for &(variable, offset) in &arena.members {
        let Place::Cpu(placed) = &store.entry(&plan.variables[variable].0)?.place else {
            return Ok(false);
        };
        let alike = match first {
            Some(first) => Arc::ptr_eq(&first.memory, &placed.memory),
            None => {
                let memory = placed.memory.lock().unwrap_or_else(PoisonError::into_inner);
                memory.len() == arena.words
            }
        };
        if !alike || placed.offset != offset {
            return Ok(false);
        }
        first = first.or(Some(placed));
    }
    Ok(true)
}
