//! The execution plan, fixed before anything runs: steps in order, and where every value ranges.

use super::expr::{Body, TermId};
use crate::{
    array::Array,
    dtype::DType,
    error::{NotFinite, Place},
    graph::Declaration,
    ops::{cost::Cost, kernel::Kernel, reduce::ReduceFn},
    shape::{Meta, Shape},
};
use std::sync::Arc;

/// A device-independent program.
///
/// `{}` prints all its steps, `{:?}` how many there are.
#[derive(Clone)]
pub struct Plan {
    /// In execution order.
    pub(crate) steps: Vec<Step>,
    /// Sizes of the slots in words of memory; each is a separate buffer, reused over time.
    pub(crate) slots: Vec<usize>,
    /// Number of bytes that an element of f16 takes.
    pub(crate) half_bytes: usize,
    /// Names and types of the inputs, ordered by name.
    pub(crate) inputs: Vec<(String, Meta)>,
    /// Paths and declarations of the variables, ordered by path.
    pub(crate) variables: Vec<(String, Declaration)>,
    /// Constants that are not folded into steps.
    pub(crate) constants: Vec<Arc<Array>>,
    /// Whether the program assigns each variable.
    pub(crate) assigned: Vec<bool>,
    /// Variables that must share a buffer so that one step can update them all, and the word at
    /// which each starts. The values they are updated with use the same offsets.
    pub(crate) arenas: Vec<Arena>,
    /// Types of the results.
    pub(crate) outputs: Vec<Meta>,
    /// Whether the results of each step are checked for NaN and infinity.
    pub(crate) checks_finite: bool,
}

impl Plan {
    /// Bytes of so many elements.
    pub(super) fn bytes_of(&self, len: usize, dtype: DType) -> usize {
        4 * words_of(len, dtype, self.half_bytes)
    }

    /// The buffers that back its regions.
    pub(crate) fn buffers(&self) -> Buffers {
        let mut of_variable = vec![None; self.variables.len()];
        for (arena, Arena { members, .. }) in self.arenas.iter().enumerate() {
            for &(variable, first) in members {
                of_variable[variable].get_or_insert((arena, first));
            }
        }
        Buffers { of_variable }
    }
}

/// Words of memory that so many elements take, if one of f16 takes so many bytes.
pub(super) fn words_of(len: usize, dtype: DType, half_bytes: usize) -> usize {
    match dtype {
        DType::F16 => (len * half_bytes).div_ceil(4),
        _ => len,
    }
}

/// The buffers that back the regions of a plan: a variable in an arena is backed by the arena.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// The arena of each variable, and its first word there.
    of_variable: Vec<Option<(usize, usize)>>,
}

impl Buffers {
    /// The buffer of a region, and the offset in it.
    pub(crate) fn of(&self, region: Region) -> (Storage, usize) {
        let arena = match region.storage {
            Storage::Variable(variable) => self.of_variable.get(variable).copied().flatten(),
            _ => None,
        };
        match arena {
            Some((arena, first)) => (Storage::Arena(arena), first + region.offset),
            None => (region.storage, region.offset),
        }
    }
}

/// Variables in one buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arena {
    /// Index into [`Plan::variables`] and first word, which is a multiple of 64, or of 128 if any
    /// value that is updated together is f16.
    pub members: Vec<(usize, usize)>,
    /// Size in words.
    pub words: usize,
    /// Element type.
    pub dtype: DType,
}

/// The owner of a piece of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Storage {
    /// Memory of the program, reused over time.
    Slot(usize),
    /// Provided for each run.
    Input(usize),
    /// Given with the plan; never written.
    Constant(usize),
    /// Lives in the store.
    Variable(usize),
    /// A whole arena of variables.
    Arena(usize),
    /// A result; allocated for each run.
    Output(usize),
}

/// A range of words in a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Region {
    /// The storage it belongs to.
    pub storage: Storage,
    /// First word; on a GPU, where f16 takes half the space, a multiple of the 256 bytes that
    /// bindings are aligned to.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
    /// Element type.
    pub dtype: DType,
}

impl Region {
    /// Whether both are the same words of memory, on a device that keeps every element in a word.
    pub fn is_at(&self, other: &Region) -> bool {
        let place = |region: &Region| (region.storage, region.offset, region.len);
        place(self) == place(other)
    }

    /// Whether both are the same bytes of memory, on a device that keeps f16 in two bytes.
    pub fn aliases(&self, other: &Region) -> bool {
        self.is_at(other) && (self.dtype == DType::F16) == (other.dtype == DType::F16)
    }
}

/// One dispatch on a GPU, one parallel loop on a CPU.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Human-readable list of its operations: `matmul + add + relu`.
    pub label: String,
    /// The computation.
    pub kind: StepKind,
    /// Regions it reads. A region that is also written is updated in place: every load of it is
    /// then of the element that the same point writes.
    pub reads: Vec<Region>,
    /// Regions it writes: one per root, each in full, in row-major order of the space.
    pub writes: Vec<Region>,
    /// Operations and bytes.
    pub cost: Cost,
    /// Source location of the last of its operations; `None` if it does not stem from user code.
    pub place: Option<Place>,
}

impl Step {
    /// The shape of its results; of the first, where a kernel has several.
    pub fn shape(&self) -> Shape {
        match &self.kind {
            StepKind::Map { space, .. } => space.as_slice().into(),
            StepKind::Kernel { writes, .. } => writes[0].space.as_slice().into(),
            StepKind::Reduce { outer, .. } => outer.as_slice().into(),
            StepKind::Copy => [self.writes[0].len].into(),
        }
    }

    /// Number of shaders that may do its work on a GPU.
    pub fn variants(&self) -> usize {
        match &self.kind {
            StepKind::Kernel { kernel, .. } => kernel.shaders.len(),
            _ => 1,
        }
    }

    /// The error for step `number` with the element it wrote: its index and its value.
    pub fn not_finite(&self, number: usize, (index, value): (usize, f64)) -> NotFinite {
        let (label, place) = (self.label.clone(), self.place.clone());
        NotFinite { step: Some(number), label, place, index, value }
    }
}

/// The computation of a step.
#[derive(Clone, Debug)]
pub(crate) enum StepKind {
    /// At each point of the space, each root is one element of a result.
    Map {
        /// Extents; adjacent dimensions are merged where nothing distinguishes them.
        space: Vec<usize>,
        /// Expression over the space.
        body: Body,
        /// One per write.
        roots: Vec<TermId>,
    },
    /// At each point of the outer space, `value` is reduced over the inner space, in row-major
    /// order if the order matters.
    Reduce {
        /// The reduction operator.
        function: ReduceFn,
        /// Extents of the result.
        outer: Vec<usize>,
        /// Extents of the reduced dimensions.
        inner: Vec<usize>,
        /// Results side by side: the extents behind the last axis that is reduced. The order of
        /// summation follows from it and from the extents, not from what is fused.
        adjacent: usize,
        /// Expression over the outer, then the inner dimensions.
        body: Body,
        /// The term that is reduced.
        value: TermId,
        /// Applied to the result; over the outer dimensions.
        epilogue: Epilogue,
    },
    /// A kernel with its own shader and loop.
    Kernel {
        /// The kernel.
        kernel: Kernel,
        /// The first `operands` reads belong to the kernel, the rest to the epilogues.
        operands: usize,
        /// Its results that are written.
        writes: Vec<KernelWrite>,
    },
    /// Copies the words of the only read to the only write.
    Copy,
}

/// A result of a kernel that a step writes.
#[derive(Clone, Debug)]
pub(crate) struct KernelWrite {
    /// Index into the results of the kernel.
    pub result: usize,
    /// Its extents.
    pub space: Vec<usize>,
    /// Its element type, before the epilogue.
    pub dtype: DType,
    /// Applied to it; over `space`.
    pub epilogue: Epilogue,
}

/// Elementwise operations fused onto the result of a kernel or reduction before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Epilogue {
    /// Over the space of the result, which it refers to as [`Term::Acc`](super::expr::Term::Acc).
    pub body: Body,
    /// The term that is written.
    pub root: TermId,
}

impl Epilogue {
    /// The one that writes a result of this type unchanged.
    pub fn identity(dtype: DType) -> Self {
        let terms = vec![(super::expr::Term::Acc, dtype)];
        Epilogue { body: Body { terms }, root: 0 }
    }

    /// Whether the result is written unchanged.
    pub fn is_identity(&self) -> bool {
        matches!(self.body.terms[self.root].0, super::expr::Term::Acc)
    }
}
