//! The typed expression of a fused group: the computation at one point of an iteration space.
//!
//! An expression is a list of terms in which operands precede their uses. Layout changes have been
//! folded into affine indices and guards of the loads. The form is independent of any target
//! language: the GPU prints it as WGSL, the CPU evaluates it in blocks.

use crate::{dtype::DType, ops::class::Pointwise};

/// Index of a term in its [`Body`].
pub(crate) type TermId = usize;

/// An affine function of the coordinates of an iteration space: `offset + sum coef[d] * c[d]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Affine {
    /// The value at the origin.
    pub offset: i64,
    /// One coefficient per dimension.
    pub coefs: Vec<i64>,
}

impl Affine {
    /// A constant function.
    pub fn constant(offset: i64, rank: usize) -> Self {
        Affine { offset, coefs: vec![0; rank] }
    }

    /// The function that returns coordinate `dim`.
    pub fn coordinate(dim: usize, rank: usize) -> Self {
        let mut affine = Affine::constant(0, rank);
        affine.coefs[dim] = 1;
        affine
    }

    /// `self * factor + other`.
    pub fn scaled_add(&self, factor: i64, other: &Affine) -> Self {
        let coefs = self.coefs.iter().zip(&other.coefs).map(|(a, b)| a * factor + b).collect();
        Affine { offset: self.offset * factor + other.offset, coefs }
    }

    /// `self * factor + offset`.
    pub fn scaled(&self, factor: i64, offset: i64) -> Self {
        let coefs = self.coefs.iter().map(|coef| coef * factor).collect();
        Affine { offset: self.offset * factor + offset, coefs }
    }

    /// Its value at a point.
    pub fn at(&self, point: &[usize]) -> i64 {
        self.offset + self.coefs.iter().zip(point).map(|(coef, &c)| coef * c as i64).sum::<i64>()
    }

    /// Its minimum and maximum over a space without empty dimensions.
    pub fn range(&self, space: &[usize]) -> (i64, i64) {
        self.coefs.iter().zip(space).fold(
            (self.offset, self.offset),
            |(low, high), (&coef, &extent)| {
                let reach = coef * (extent as i64 - 1);
                (low + reach.min(0), high + reach.max(0))
            },
        )
    }

    /// Whether it is the row-major index into the space.
    pub fn is_linear(&self, space: &[usize]) -> bool {
        let mut stride = 1;
        let dims = self.coefs.iter().zip(space).rev();
        self.offset == 0
            && dims.fold(true, |linear, (&coef, &extent)| {
                let fits = extent == 1 || coef == stride;
                stride *= extent as i64;
                linear && fits
            })
    }

    /// Whether it is the same at every point.
    pub fn is_constant(&self) -> bool {
        self.coefs.iter().all(|&coef| coef == 0)
    }
}

/// A bounds check: `0 <= coordinate < extent`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guard {
    /// The value that is checked.
    pub coordinate: Affine,
    /// Its exclusive upper bound.
    pub extent: i64,
}

/// One step of a computation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    /// The element of an operand at `index` if all guards hold, else the word 0. If a guard fails,
    /// the index may be out of bounds.
    Load {
        /// Position in the step's `reads`.
        operand: usize,
        /// Index of the element.
        index: Affine,
        /// Conditions under which it is read.
        guards: Vec<Guard>,
    },
    /// The result of the step's kernel or reduction at this point.
    Acc,
    /// A constant word.
    Const(u32),
    /// The value of an affine function as i32 or u32.
    Coord(Affine),
    /// Whether all guards hold.
    Inside(Vec<Guard>),
    /// A function of earlier terms.
    Apply(Pointwise, Vec<TermId>),
}

impl Term {
    /// Whether its value is exactly a half if its type is f16.
    fn is_half(&self) -> bool {
        match self {
            Term::Load { .. } | Term::Const(_) => true,
            Term::Apply(function, _) => function.keeps_halves(),
            Term::Acc | Term::Coord(_) | Term::Inside(_) => false,
        }
    }

    /// Its affine functions.
    pub fn affines(&self) -> Vec<&Affine> {
        match self {
            Term::Load { index, guards, .. } => {
                std::iter::once(index).chain(guards.iter().map(|guard| &guard.coordinate)).collect()
            }
            Term::Coord(affine) => vec![affine],
            Term::Inside(guards) => guards.iter().map(|guard| &guard.coordinate).collect(),
            Term::Acc | Term::Const(_) | Term::Apply(..) => vec![],
        }
    }
}

/// A list of terms, each with the type of its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Body {
    /// Operands precede their uses.
    pub terms: Vec<(Term, DType)>,
}

impl Body {
    /// Appends a term, or finds an equal one.
    pub fn push(&mut self, term: Term, dtype: DType) -> TermId {
        let known = self.terms.iter().position(|(t, d)| *t == term && *d == dtype);
        known.unwrap_or_else(|| {
            self.terms.push((term, dtype));
            self.terms.len() - 1
        })
    }

    /// Appends the value of a node of this type: what is calculated in f32 and is a half is rounded
    /// at once, so that a term of f16 always is a half, stored or not.
    pub fn push_node(&mut self, term: Term, dtype: DType) -> TermId {
        if dtype != DType::F16 || term.is_half() {
            return self.push(term, dtype);
        }
        let calculated = self.push(term, DType::F32);
        self.push(Term::Apply(Pointwise::Cast, vec![calculated]), dtype)
    }

    /// Type of a term.
    pub fn dtype(&self, id: TermId) -> DType {
        self.terms[id].1
    }

    /// Whether each term is needed for one of the roots.
    pub fn live(&self, roots: &[TermId]) -> Vec<bool> {
        let mut live = vec![false; self.terms.len()];
        for &root in roots {
            live[root] = true;
        }
        for id in (0..self.terms.len()).rev() {
            if let (true, (Term::Apply(_, operands), _)) = (live[id], &self.terms[id]) {
                for &operand in operands {
                    live[operand] = true;
                }
            }
        }
        live
    }

    /// All affine functions in it.
    pub fn affines_mut(&mut self) -> impl Iterator<Item = &mut Affine> {
        self.terms.iter_mut().flat_map(|(term, _)| {
            let (own, guards): (Option<&mut Affine>, &mut [Guard]) = match term {
                Term::Load { index, guards, .. } => (Some(index), guards),
                Term::Coord(index) => (Some(index), &mut []),
                Term::Inside(guards) => (None, guards),
                Term::Acc | Term::Const(_) | Term::Apply(..) => (None, &mut []),
            };
            own.into_iter().chain(guards.iter_mut().map(|guard| &mut guard.coordinate))
        })
    }
}
