//! Who last used each cell of memory, and between which barriers.

use naga::AtomicFunction;
use std::{collections::HashMap, mem};

/// A use of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    /// Number of the workgroup.
    pub group: u32,
    /// Barriers that it has passed.
    pub epoch: u32,
    /// Number of the invocation in its workgroup.
    pub lane: u32,
    pub line: u32,
}

impl Touch {
    /// Whether no barrier orders the two.
    fn is_concurrent(&self, other: &Touch) -> bool {
        self.group != other.group || (self.epoch == other.epoch && self.lane != other.lane)
    }
}

/// Uses that a later one may conflict with: if it conflicts with any, then with one of these.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    /// By different invocations, between the last two barriers that it was used between.
    uses: [Option<Touch>; 2],
    /// By a workgroup before.
    foreign: Option<Touch>,
}

impl Recent {
    fn note(&mut self, touch: Touch) {
        match self.uses {
            [Some(first), _] if first.group != touch.group => {
                *self = Recent { uses: [Some(touch), None], foreign: Some(first) };
            }
            [Some(first), second] if first.epoch == touch.epoch => {
                if second.is_none() && first.lane != touch.lane {
                    self.uses[1] = Some(touch);
                }
            }
            _ => self.uses = [Some(touch), None],
        }
    }

    fn concurrent(&self, touch: &Touch) -> Option<Touch> {
        let all = self.uses.into_iter().chain([self.foreign]).flatten();
        all.into_iter().find(|other| other.is_concurrent(touch))
    }
}

/// Uses of a cell by plain loads and stores.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    write: Option<Touch>,
    reads: Recent,
}

/// What an atomic access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atomic {
    Load,
    Store,
    /// A change that others of the same kind commute with.
    Update(mem::Discriminant<AtomicFunction>),
}

impl Atomic {
    pub fn update(function: AtomicFunction) -> Atomic {
        let function = match function {
            AtomicFunction::Subtract => AtomicFunction::Add,
            function => function,
        };
        Atomic::Update(mem::discriminant(&function))
    }
}

/// Uses of a cell by atomic accesses.
#[derive(Clone, Copy, Debug, Default)]
struct AtomicUses {
    loads: Recent,
    stores: Recent,
    updates: Recent,
    /// Those of either kind that left another value.
    changes: Recent,
    /// The function of the updates.
    function: Option<Atomic>,
    /// Whether any store was among them: before, there is nothing to load or to update.
    is_stored: bool,
}

/// Cells whose uses are kept together, once one of them is used.
const PAGE: usize = 64;

/// Uses of the cells of a variable.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    pages: Vec<Option<Box<[Uses]>>>,
    atomics: HashMap<usize, AtomicUses>,
}

impl Shadow {
    pub fn new(cells: usize) -> Shadow {
        Shadow { pages: vec![None; cells.div_ceil(PAGE)], atomics: HashMap::new() }
    }

    pub fn clear(&mut self) {
        self.pages.fill(None);
        self.atomics.clear();
    }

    fn uses(&mut self, cell: usize) -> Option<&mut Uses> {
        let page = self.pages.get_mut(cell / PAGE)?;
        let page = page.get_or_insert_with(|| vec![Uses::default(); PAGE].into());
        page.get_mut(cell % PAGE)
    }

    /// Notes a read; returns the write that it races with, and whether anything was written.
    pub fn read(&mut self, cell: usize, touch: Touch) -> (Option<Touch>, bool) {
        let Some(uses) = self.uses(cell) else { return (None, false) };
        uses.reads.note(touch);
        let race = uses.write.filter(|write| write.is_concurrent(&touch));
        (race, uses.write.is_some())
    }

    /// Notes a write; returns the use that it races with, and whether that is a write.
    pub fn write(&mut self, cell: usize, touch: Touch) -> Option<(Touch, bool)> {
        let uses = self.uses(cell)?;
        if let Some(write) = uses.write.replace(touch)
            && write.is_concurrent(&touch)
        {
            return Some((write, true));
        }
        uses.reads.concurrent(&touch).map(|read| (read, false))
    }

    /// Whether an atomic was stored to.
    pub fn is_stored(&self, cell: usize) -> bool {
        self.atomics.get(&cell).is_some_and(|uses| uses.is_stored)
    }

    /// Notes an atomic access, and whether it leaves another value; returns the access that it must
    /// be ordered with, and whether that is one that may change the value.
    pub fn atomic(
        &mut self,
        cell: usize,
        touch: Touch,
        access: Atomic,
        is_change: bool,
    ) -> Option<(Touch, bool)> {
        let uses = self.atomics.entry(cell).or_default();
        let stores = uses.stores.concurrent(&touch);
        let updates = uses.updates.concurrent(&touch);
        let loads = uses.loads.concurrent(&touch).filter(|_| is_change);
        let (changing, loading) = match access {
            Atomic::Load => {
                uses.loads.note(touch);
                (uses.changes.concurrent(&touch), None)
            }
            Atomic::Store => {
                uses.stores.note(touch);
                uses.is_stored = true;
                // Equal values may be stored in any order.
                (updates.or(stores.filter(|_| is_change)), loads)
            }
            Atomic::Update(_) => {
                uses.updates.note(touch);
                let is_other = uses.function.replace(access).is_some_and(|known| known != access);
                (stores.or(updates.filter(|_| is_other)), loads)
            }
        };
        if is_change {
            uses.changes.note(touch);
        }
        let changing = changing.map(|other| (other, true));
        changing.or(loading.map(|other| (other, false)))
    }
}
