//! What is decided before anything runs: steps in order, and where every value ranges.

use super::expr::{Body, TermId};
use crate::{
    dtype::DType,
    error::{NotFinite, Place},
    graph::Declaration,
    ops::{cost::Cost, kernel::Kernel, reduce::ReduceFn},
    shape::{Meta, Shape},
};

/// A program for any device.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order of execution.
    pub(crate) steps: Vec<Step>,
    /// Sizes of the slots in words; each is a buffer of its own, shared over time.
    pub(crate) slots: Vec<usize>,
    /// Names and types of the inputs, in order of name.
    pub(crate) inputs: Vec<(String, Meta)>,
    /// Paths and declarations of the variables, in order of path.
    pub(crate) variables: Vec<(String, Declaration)>,
    /// Whether the program assigns that variable.
    pub(crate) assigned: Vec<bool>,
    /// Variables that must lie in one buffer, so that one step can update them all: which, and
    /// at which word each begins. The same offsets hold for the values they are updated with.
    pub(crate) arenas: Vec<Arena>,
    /// Types of the results.
    pub(crate) outputs: Vec<Meta>,
    /// Whether each step's results are searched for NaN and infinity.
    pub(crate) checks_finite: bool,
}

impl Plan {
    /// The storage that is a buffer of its own, and where in it: that of a variable in an arena is
    /// the arena.
    pub(crate) fn buffer_of(&self, region: Region) -> (Storage, usize) {
        if let Storage::Variable(variable) = region.storage {
            for (arena, members) in self.arenas.iter().enumerate() {
                let member = members.members.iter().find(|(member, _)| *member == variable);
                if let Some((_, first)) = member {
                    return (Storage::Arena(arena), first + region.offset);
                }
            }
        }
        (region.storage, region.offset)
    }
}

/// Variables in one buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arena {
    /// Index into [`Plan::variables`] and first word, which is a multiple of 64; of 128 where
    /// halves are among what is updated together.
    pub members: Vec<(usize, usize)>,
    /// Size in words.
    pub words: usize,
    /// What they hold.
    pub dtype: DType,
}

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Storage {
    /// Memory of the program, shared over time.
    Slot(usize),
    /// Given at each run.
    Input(usize),
    /// Lives in the store.
    Variable(usize),
    /// A whole arena of variables.
    Arena(usize),
    /// A result; fresh at each run.
    Output(usize),
}

/// Some words of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Region {
    /// Whose memory.
    pub storage: Storage,
    /// First word; on a GPU, where halves are half as wide, a multiple of the 256 bytes that bindings
    /// are aligned to.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
    /// What they hold.
    pub dtype: DType,
}

impl Region {
    /// Whether these are the same words of memory, on a device that keeps every element in a word.
    pub fn is_at(&self, other: &Region) -> bool {
        let place = |region: &Region| (region.storage, region.offset, region.len);
        place(self) == place(other)
    }

    /// Whether these are the same bytes of memory, on a device that keeps halves in two bytes.
    pub fn aliases(&self, other: &Region) -> bool {
        self.is_at(other) && (self.dtype == DType::F16) == (other.dtype == DType::F16)
    }
}

/// One dispatch on a GPU, one parallel loop on a CPU.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The operations in it, for people: `matmul + add + relu`.
    pub label: String,
    /// What it computes.
    pub kind: StepKind,
    /// What it reads. A region that is also written is updated in place: then every load of it
    /// is of the element that the same point writes.
    pub reads: Vec<Region>,
    /// What it writes: one region for each root, in full, in row-major order of the space.
    pub writes: Vec<Region>,
    /// What it takes.
    pub cost: Cost,
    /// Where the last of its operations was made; nothing for what no graph asked for.
    pub place: Option<Place>,
}

impl Step {
    /// The extents of what it writes.
    pub fn shape(&self) -> Shape {
        match &self.kind {
            StepKind::Map { space, .. } | StepKind::Kernel { space, .. } => space.as_slice().into(),
            StepKind::Reduce { outer, .. } => outer.as_slice().into(),
            StepKind::Copy => [self.writes[0].len].into(),
        }
    }

    /// The error of step `number`, which wrote this element: its index and its value.
    pub fn not_finite(&self, number: usize, (index, value): (usize, f64)) -> NotFinite {
        let (label, place) = (self.label.clone(), self.place.clone());
        NotFinite { step: Some(number), label, place, index, value }
    }
}

/// What a step computes.
#[derive(Clone, Debug)]
pub(crate) enum StepKind {
    /// At each point of the space, each root is one element of a result.
    Map {
        /// Extents; neighboring dimensions are merged where nothing tells them apart.
        space: Vec<usize>,
        /// Over the space.
        body: Body,
        /// One for each write.
        roots: Vec<TermId>,
    },
    /// At each point of the outer space, `value` is combined over the inner space, in row-major
    /// order where the order matters.
    Reduce {
        /// How two are combined.
        function: ReduceFn,
        /// Extents of the result.
        outer: Vec<usize>,
        /// Extents of what is combined.
        inner: Vec<usize>,
        /// Over the outer, then the inner dimensions.
        body: Body,
        /// What is combined.
        value: TermId,
        /// What becomes of the result; over the outer dimensions.
        epilogue: Epilogue,
    },
    /// A kernel with its own shader and loop.
    Kernel {
        /// The kernel.
        kernel: Kernel,
        /// The first so many reads are its operands; the rest are the epilogue's.
        operands: usize,
        /// Extents of its result.
        space: Vec<usize>,
        /// Type of its result.
        dtype: DType,
        /// What becomes of the result; over `space`.
        epilogue: Epilogue,
    },
    /// The only write gets the words of the only read.
    Copy,
}

/// What becomes of the result of a kernel before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Epilogue {
    /// Over the space of the result, which is [`Term::Acc`](super::expr::Term::Acc) in it.
    pub body: Body,
    /// What is written.
    pub root: TermId,
}

impl Epilogue {
    /// Whether the result is written as it is.
    pub fn is_identity(&self) -> bool {
        matches!(self.body.terms[self.root].0, super::expr::Term::Acc)
    }
}
