//! Loads and stores, which look at who used a word before.

use super::{
    memory::{Memory, Place, Pointer, Space},
    report::Hazard,
    shadow::{Atomic, Touch},
    value::{Mask, Words},
};
use naga::TypeInner;

/// How a cell is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Plain,
    Atomic,
}

impl Memory<'_> {
    /// Loads what a pointer points to.
    pub fn load(
        &mut self,
        pointer: &Pointer,
        inner: &TypeInner,
        mask: &Mask,
        line: u32,
    ) -> Option<Words> {
        let (types, lanes) = (self.types, self.lanes);
        let (space, packing) =
            self.variable(pointer.place).map(|variable| (variable.space, variable.packing))?;
        let mut offsets = Vec::new();
        types.cells(inner, packing, 0, &mut offsets)?;
        let how = how(inner);
        let touch = self.touch(space, line);
        let (mut race, mut unordered, mut unwritten) = (None, None, None);
        let variable = self.variable(pointer.place)?;
        let cell = |offset: u32, lane| (pointer.cell.get(0, lane) + offset) as usize;
        let at = |at: usize| variable.cells.get(at).copied().unwrap_or_default();
        if space == Space::Constant {
            let mut words = Words::zeros(offsets.len(), pointer.cell.lanes);
            for (number, &offset) in offsets.iter().enumerate() {
                for lane in 0..words.lanes {
                    words.data[number * pointer.cell.lanes + lane] = at(cell(offset, lane));
                }
            }
            return Some(words);
        }
        let mut words = Words::zeros(offsets.len(), lanes);
        let columns = words.data.chunks_mut(lanes);
        if space == Space::Private {
            for (&offset, column) in offsets.iter().zip(columns) {
                if pointer.cell.lanes == 1 {
                    let first = cell(offset, 0) * lanes;
                    column.copy_from_slice(variable.cells.get(first..first + lanes)?);
                } else {
                    mask.lanes().iter().for_each(|&k| column[k] = at(cell(offset, k) * lanes + k));
                }
            }
            return Some(words);
        }
        for (&offset, column) in offsets.iter().zip(columns) {
            for &lane in mask.lanes() {
                let cell = cell(offset, lane);
                column[lane] = variable.cells.get(cell).copied().unwrap_or_default();
                let touch = Touch { lane: lane as u32, ..touch };
                if how == Use::Atomic {
                    let other = variable.shadow.atomic(cell, touch, Atomic::Load, false);
                    unordered = unordered.or(other.map(|other| (cell, other, touch)));
                    if space == Space::Workgroup && !variable.shadow.is_stored(cell) {
                        unwritten = unwritten.or(Some((cell, touch)));
                    }
                    continue;
                }
                let (write, is_written) = variable.shadow.read(cell, touch);
                race = race.or(write.map(|write| (cell, write, touch)));
                if space == Space::Workgroup && !is_written {
                    unwritten = unwritten.or(Some((cell, touch)));
                }
            }
        }
        if let Some((cell, write, read)) = race {
            self.race(how, pointer.place, cell, (write, true), (read, false));
        }
        if let Some((cell, other, load)) = unordered {
            self.race(how, pointer.place, cell, other, (load, false));
        }
        if let Some((cell, touch)) = unwritten {
            self.unwritten(pointer.place, cell, touch);
        }
        Some(words)
    }

    /// Stores a value where a pointer points to.
    pub fn store(
        &mut self,
        pointer: &Pointer,
        inner: &TypeInner,
        value: &Words,
        mask: &Mask,
        line: u32,
    ) -> Option<()> {
        let (types, lanes) = (self.types, self.lanes);
        let (space, packing) =
            self.variable(pointer.place).map(|variable| (variable.space, variable.packing))?;
        let mut offsets = Vec::new();
        types.cells(inner, packing, 0, &mut offsets)?;
        let how = how(inner);
        let touch = self.touch(space, line);
        let mut race = None;
        let variable = self.variable(pointer.place)?;
        for (number, &offset) in offsets.iter().enumerate() {
            for &lane in mask.lanes() {
                let cell = (pointer.cell.get(0, lane) + offset) as usize;
                let at = if space == Space::Private { cell * lanes + lane } else { cell };
                let Some(word) = variable.cells.get_mut(at) else { continue };
                let is_change = *word != value.get(number, lane);
                *word = value.get(number, lane);
                let touch = Touch { lane: lane as u32, ..touch };
                let other = match (space, how) {
                    (Space::Private, _) => None,
                    (_, Use::Plain) => variable.shadow.write(cell, touch),
                    (_, Use::Atomic) => {
                        variable.shadow.atomic(cell, touch, Atomic::Store, is_change)
                    }
                };
                race = race.or(other.map(|other| (cell, other, touch)));
            }
        }
        if let Some((cell, other, touch)) = race {
            self.race(how, pointer.place, cell, other, (touch, true));
        }
        Some(())
    }

    /// Changes an atomic, one invocation after the other; returns what was there.
    pub fn atomic(
        &mut self,
        pointer: &Pointer,
        mask: &Mask,
        line: u32,
        access: Atomic,
        change: impl Fn(u32, usize) -> u32,
    ) -> Option<Words> {
        let lanes = self.lanes;
        let space = self.variable(pointer.place)?.space;
        let touch = self.touch(space, line);
        let (mut race, mut unwritten) = (None, None);
        let variable = self.variable(pointer.place)?;
        let mut old = Words::zeros(1, lanes);
        for &lane in mask.lanes() {
            let cell = pointer.cell.get(0, lane) as usize;
            let Some(word) = variable.cells.get_mut(cell) else { continue };
            old.data[lane] = *word;
            *word = change(*word, lane);
            let is_change = *word != old.data[lane];
            let touch = Touch { lane: lane as u32, ..touch };
            if space == Space::Workgroup && !variable.shadow.is_stored(cell) {
                unwritten = unwritten.or(Some((cell, touch)));
            }
            let other = variable.shadow.atomic(cell, touch, access, is_change);
            race = race.or(other.map(|other| (cell, other, touch)));
        }
        if let Some((cell, touch)) = unwritten {
            self.unwritten(pointer.place, cell, touch);
        }
        if let Some((cell, other, touch)) = race {
            self.race(Use::Atomic, pointer.place, cell, other, (touch, true));
        }
        Some(old)
    }

    /// Reports a read of what nobody has written.
    fn unwritten(&mut self, place: Place, cell: usize, touch: Touch) {
        let word = self.word(place, cell);
        let read = self.access(touch, false);
        let name = self.variable(place).map(|v| v.name.to_string()).unwrap_or_default();
        self.note((2, name, touch.line, 0), || Hazard::Unwritten { word, read });
    }

    /// Reports two uses that no barrier orders, each with whether it writes.
    fn race(
        &mut self,
        how: Use,
        place: Place,
        cell: usize,
        first: (Touch, bool),
        second: (Touch, bool),
    ) {
        let word = self.word(place, cell);
        let name = self.variable(place).map(|v| v.name.to_string()).unwrap_or_default();
        let (first, second) = (self.access(first.0, first.1), self.access(second.0, second.1));
        self.note((0, name, first.line, second.line), || match how {
            Use::Plain => Hazard::Race { word, first, second },
            Use::Atomic => Hazard::Unordered { word, first, second },
        });
    }
}

fn how(inner: &TypeInner) -> Use {
    if matches!(inner, TypeInner::Atomic(_)) { Use::Atomic } else { Use::Plain }
}
