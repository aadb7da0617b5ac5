//! Expressions compiled to bytecode, once per program.

use super::index::Indexed;
use crate::{
    dtype::DType,
    ops::class::Pointwise,
    schedule::expr::{Affine, Body, Term, TermId},
};

/// Maximum number of arguments of a function.
pub(super) const MAX_ARGUMENTS: usize = 8;

/// The terms that some roots need, as instructions on registers of one block each.
///
/// A term that is the same at all points is computed once per chunk. A contiguous load is not an
/// instruction: its users read the operand directly.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytecode {
    /// Executed once per chunk; instruction `i` fills register `i`.
    pub uniform: Vec<Code>,
    /// Executed once per block.
    pub varying: Vec<Instruction>,
    /// Number of registers used.
    pub registers: usize,
    /// Where the value of each root is; `None` if its instruction has already written it.
    pub roots: Vec<Option<Source>>,
}

/// An operation and the destination of its result.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    pub code: Code,
    pub target: Target,
}

/// The operation of an instruction.
#[derive(Clone, Debug)]
pub(super) enum Code {
    /// A constant word.
    Const(u32),
    /// Elements of an operand.
    Load(usize, Indexed),
    /// Elements of an operand updated in place, before the update.
    Previous(usize, Indexed),
    /// An affine index.
    Coord(Indexed),
    /// Whether guards hold.
    Inside(Indexed),
    /// A function; the types are those of its last argument and of its result.
    Apply(Pointwise, Vec<Source>, DType, DType),
}

/// Location of a block of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    /// In a register.
    Register(usize),
    /// In an operand, at this word offset from the same point of the space.
    Operand(usize, usize),
    /// The result of the kernel.
    Acc,
}

/// Destination of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// Into a register.
    Register(usize),
    /// Directly to the output of this root.
    Write(usize),
}

impl Bytecode {
    /// `updated[operand]` is the write that the operand shares its words with. With `direct`, the
    /// roots are written directly to their outputs; otherwise they are inspected block by block.
    pub fn new(
        body: &Body,
        roots: &[TermId],
        space: &[usize],
        updated: &[Option<usize>],
        direct: bool,
    ) -> Self {
        if space.contains(&0) {
            // Nothing is ever evaluated, and affine functions have no range.
            return Bytecode::default();
        }
        let uses = Uses::new(body, roots);
        let mut bytecode = Bytecode::default();
        let mut places: Vec<Option<Source>> = vec![None; body.terms.len()];
        let mut pending: Vec<(TermId, Code)> = Vec::new();
        for (id, (term, dtype)) in body.terms.iter().enumerate().filter(|(id, _)| uses.needed[*id])
        {
            let (code, uniform) = match term {
                Term::Acc => {
                    places[id] = Some(Source::Acc);
                    continue;
                }
                Term::Const(word) => (Code::Const(*word), true),
                Term::Load { operand, index, guards } => {
                    let index = Indexed::new(index, guards, space);
                    if let Some(write) = updated.get(*operand).copied().flatten() {
                        (Code::Previous(write, index), false)
                    } else if let Some(offset) = index.contiguous() {
                        places[id] = Some(Source::Operand(*operand, offset));
                        continue;
                    } else {
                        let uniform = index.is_uniform();
                        (Code::Load(*operand, index), uniform)
                    }
                }
                Term::Coord(index) => {
                    let index = Indexed::new(index, &[], space);
                    let uniform = index.is_uniform();
                    (Code::Coord(index), uniform)
                }
                Term::Inside(guards) => {
                    let index = Indexed::new(&Affine::constant(0, space.len()), guards, space);
                    let uniform = index.is_uniform();
                    (Code::Inside(index), uniform)
                }
                Term::Apply(function, arguments) => {
                    let last = arguments.last().map_or(*dtype, |&id| body.dtype(id));
                    let is_uniform = |&id: &TermId| matches!(places[id], Some(Source::Register(r)) if r < bytecode.uniform.len());
                    let uniform = arguments.iter().all(is_uniform);
                    // The arguments are filled in once their locations are known.
                    (Code::Apply(*function, Vec::new(), last, *dtype), uniform)
                }
            };
            if uniform {
                places[id] = Some(Source::Register(bytecode.uniform.len()));
                bytecode.uniform.push(code.with_arguments(&body.terms[id].0, &places));
            } else {
                pending.push((id, code));
            }
        }
        // Operands updated in place are read before anything is written.
        pending.sort_by_key(|(_, code)| !matches!(code, Code::Previous(..)));
        bytecode.registers = bytecode.uniform.len();
        bytecode.allocate(body, roots, pending, &uses, &mut places, direct);
        let root = |(write, &id): (usize, &TermId)| {
            let written = |code: &Instruction| code.target == Target::Write(write);
            if bytecode.varying.iter().any(written) { None } else { places[id] }
        };
        bytecode.roots = roots.iter().enumerate().map(root).collect();
        bytecode
    }

    /// Assigns a register to each instruction, which is free again after the last use.
    fn allocate(
        &mut self,
        body: &Body,
        roots: &[TermId],
        pending: Vec<(TermId, Code)>,
        uses: &Uses,
        places: &mut [Option<Source>],
        direct: bool,
    ) {
        let mut free: Vec<usize> = Vec::new();
        for (id, code) in pending {
            let term = &body.terms[id].0;
            let code = code.with_arguments(term, places);
            let mut written = roots.iter().enumerate().filter(|(_, root)| **root == id);
            let target = match (direct && uses.last[id].is_none(), written.next(), written.next()) {
                (true, Some((write, _)), None) if !matches!(code, Code::Previous(..)) => {
                    Target::Write(write)
                }
                _ => {
                    // Allocated before the arguments are released, so no function overwrites its
                    // own argument.
                    let register = free.pop().unwrap_or(self.registers);
                    self.registers = self.registers.max(register + 1);
                    places[id] = Some(Source::Register(register));
                    Target::Register(register)
                }
            };
            if let Term::Apply(_, arguments) = term {
                for (at, &argument) in arguments.iter().enumerate() {
                    let again = arguments[..at].contains(&argument) || roots.contains(&argument);
                    match places[argument] {
                        Some(Source::Register(register))
                            if register >= self.uniform.len()
                                && uses.last[argument] == Some(id)
                                && !again =>
                        {
                            free.push(register);
                        }
                        _ => {}
                    }
                }
            }
            self.varying.push(Instruction { code, target });
        }
    }

    /// Number of loops over a block.
    pub fn work(&self) -> usize {
        self.varying.len() + self.roots.iter().flatten().count()
    }
}

impl Code {
    fn with_arguments(self, term: &Term, places: &[Option<Source>]) -> Self {
        match (self, term) {
            (Code::Apply(function, _, last, dtype), Term::Apply(_, arguments)) => {
                let place = |&id: &TermId| places[id].unwrap_or(Source::Acc);
                Code::Apply(function, arguments.iter().map(place).collect(), last, dtype)
            }
            (code, _) => code,
        }
    }
}

/// Whether each term is needed, and the last term that uses it.
struct Uses {
    needed: Vec<bool>,
    last: Vec<Option<TermId>>,
}

impl Uses {
    fn new(body: &Body, roots: &[TermId]) -> Self {
        let mut needed = vec![false; body.terms.len()];
        let mut last = vec![None; body.terms.len()];
        for &root in roots {
            needed[root] = true;
        }
        for (id, (term, _)) in body.terms.iter().enumerate().rev() {
            if let (true, Term::Apply(_, arguments)) = (needed[id], term) {
                for &argument in arguments {
                    needed[argument] = true;
                    last[argument] = last[argument].or(Some(id));
                }
            }
        }
        Uses { needed, last }
    }
}
