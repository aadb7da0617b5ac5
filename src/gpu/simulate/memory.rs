//! Variables, and who is at work on them.

use super::{
    layout::{Elements, Packing, Types},
    report::{Access, Hazard, Invocation, Report},
    shadow::{Shadow, Touch},
    value::{Mask, Words},
};
use naga::{Handle, Type, TypeInner};
use std::{borrow::Cow, collections::HashSet};

/// Who can see a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// All, and nobody writes it.
    Constant,
    /// All.
    Storage,
    /// The invocations of a workgroup.
    Workgroup,
    /// One invocation; the cells of all lie side by side.
    Private,
}

pub(super) struct Variable<'a> {
    pub name: Cow<'a, str>,
    pub ty: Handle<Type>,
    pub space: Space,
    pub packing: Packing,
    pub cells: Vec<u32>,
    /// The cells with which every workgroup begins, unless those of the one before stay.
    pub initial: Option<Vec<u32>>,
    pub shadow: Shadow,
}

/// Where a variable is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Global(usize),
    Local(usize),
}

/// A part of a variable, which may be another one for each invocation.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub place: Place,
    /// Its first cell.
    pub cell: Words,
}

/// Memory as the invocations of a workgroup see it.
pub(super) struct Memory<'a> {
    pub types: &'a Types<'a>,
    /// Invocations of a workgroup.
    pub lanes: usize,
    /// By the index of their handle; none for those that the shader does not use.
    pub globals: Vec<Option<Variable<'a>>>,
    /// Those of the functions being called.
    pub locals: Vec<Variable<'a>>,
    pub report: Report,
    seen: HashSet<(u8, String, u32, u32)>,
    /// The grid.
    workgroups: [u32; 3],
    /// Number of the workgroup.
    group: u32,
    /// Barriers for workgroup memory, and for storage, that were passed.
    epochs: [u32; 2],
}

impl<'a> Memory<'a> {
    pub fn new(types: &'a Types<'a>, lanes: usize, workgroups: [u32; 3]) -> Self {
        Memory {
            types,
            lanes,
            globals: Vec::new(),
            locals: Vec::new(),
            report: Report::default(),
            seen: HashSet::new(),
            workgroups,
            group: 0,
            epochs: [0; 2],
        }
    }

    /// Goes on to another workgroup.
    pub fn enter(&mut self, group: u32) {
        self.group = group;
        for variable in self.globals.iter_mut().flatten() {
            if let Some(initial) = &variable.initial {
                variable.cells.clone_from(initial);
                variable.shadow.clear();
            }
        }
        self.barrier(true, true);
    }

    /// Orders what comes before and after in workgroup memory, in storage, or in both.
    pub fn barrier(&mut self, workgroup: bool, storage: bool) {
        self.epochs[0] += u32::from(workgroup);
        self.epochs[1] += u32::from(storage);
    }

    /// `workgroup_id`.
    pub fn workgroup(&self) -> [u32; 3] {
        self.id_of(self.group)
    }

    fn id_of(&self, group: u32) -> [u32; 3] {
        let [x, y, _] = self.workgroups.map(|count| count.max(1));
        [group % x, group / x % y, group / x / y]
    }

    pub fn invocation(&self, lane: usize) -> Invocation {
        Invocation { workgroup: self.workgroup(), index: lane as u32 }
    }

    pub fn variable(&mut self, place: Place) -> Option<&mut Variable<'a>> {
        match place {
            Place::Global(number) => self.globals.get_mut(number)?.as_mut(),
            Place::Local(number) => self.locals.get_mut(number),
        }
    }

    pub fn packing(&mut self, place: Place) -> Option<Packing> {
        self.variable(place).map(|variable| variable.packing)
    }

    /// Number of elements of the array of open length at the end of a variable.
    pub fn array_length(&mut self, pointer: &Pointer, inner: &TypeInner) -> Option<u32> {
        let types = self.types;
        let variable = self.variable(pointer.place)?;
        let stride = types.elements(inner, variable.packing)?.stride.max(1);
        let first = pointer.cell.data.first()?;
        Some((variable.cells.len() as u32).saturating_sub(*first) / stride)
    }

    /// A pointer to an element of what a pointer points to.
    pub fn index(
        &mut self,
        pointer: &Pointer,
        inner: &TypeInner,
        index: &Words,
        mask: &Mask,
        line: u32,
    ) -> Option<Pointer> {
        let packing = self.packing(pointer.place)?;
        let Elements { stride, len } = self.types.elements(inner, packing)?;
        let len = match len {
            Some(len) => len,
            None => self.array_length(pointer, inner)?,
        };
        let name = self.variable(pointer.place)?.name.clone();
        self.check_index(&name, index, len, mask, line);
        let last = len.saturating_sub(1);
        let cell = pointer.cell.zip(index, |cell, index| cell + index.min(last) * stride);
        Some(Pointer { place: pointer.place, cell })
    }

    /// Reports an index past the end.
    pub fn check_index(&mut self, array: &str, index: &Words, len: u32, mask: &Mask, line: u32) {
        let is_past = index.data.iter().any(|&index| index >= len);
        let past =
            is_past.then(|| mask.lanes().iter().find(|lane| index.get(0, **lane) >= len)).flatten();
        if let Some(&lane) = past {
            let access = Access { by: self.invocation(lane), line, writes: false };
            let (array, index) = (array.to_owned(), index.get(0, lane));
            let key = (3, array.clone(), line, 0);
            self.note(key, || Hazard::OutOfBounds { array, index, len, access });
        }
    }

    /// Keeps a hazard unless one like it is known.
    pub fn note(&mut self, key: (u8, String, u32, u32), hazard: impl FnOnce() -> Hazard) {
        if self.seen.insert(key) {
            self.report.hazards.push(hazard());
        }
    }

    /// An access as it is reported.
    pub fn access(&self, touch: Touch, writes: bool) -> Access {
        let by = Invocation { workgroup: self.id_of(touch.group), index: touch.lane };
        Access { by, line: touch.line, writes }
    }

    /// How an access of invocation 0 is noted.
    pub fn touch(&self, space: Space, line: u32) -> Touch {
        let epoch = self.epochs[usize::from(space == Space::Storage)];
        Touch { group: self.group, epoch, lane: 0, line }
    }

    /// A cell as it is written in WGSL.
    pub fn word(&mut self, place: Place, cell: usize) -> String {
        let types = self.types;
        let Some(variable) = self.variable(place) else { return String::new() };
        let path = types.path(types.inner(variable.ty), variable.packing, cell as u32);
        format!("{}{path}", variable.name)
    }
}
