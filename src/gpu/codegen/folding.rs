//! Values that are hidden from a shader compiler, which may otherwise compute as if there were
//! neither NaN nor infinity, or skip a rounding.
//!
//! WGSL allows both. Mesa's drivers do the first: `x - x` and `x * 0` become 0, `(x + y) - x` becomes
//! `y`, `x + y < x` becomes `y < 0`, and a truth value times `x` a choice between `x` and 0. NVIDIA's
//! does the second: it contracts `a * b + c` to a fused multiply-add, so that a product that is
//! stored, because somebody wants it too, makes another sum than one that is not. So no sum sees a
//! product; where kernels want `fma` they say so.
//!
//! A bitcast alone hides nothing, for compilers see through it. What they cannot know is a uniform: a
//! constant is read from one, and a value goes through an exclusive or with one that is 0.

use crate::{
    dtype::DType,
    ops::{binary::BinaryFn, class::Pointwise, unary::UnaryFn},
    schedule::expr::{Body, Term, TermId},
};
use std::collections::{BTreeSet, HashMap};

/// The values that an emitter hides.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Terms whose value is hidden from everything that uses it.
    terms: BTreeSet<TermId>,
    /// Terms and the positions of operands that are hidden from them.
    operands: BTreeSet<(TermId, usize)>,
}

/// Where products and sums may meet outside of the terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Products {
    /// Whether the result of the kernel, on which the terms are calculated, may be a product.
    pub acc: bool,
    /// Whether the kernel adds the roots up.
    pub roots: bool,
}

impl Hidden {
    /// Finds what a compiler might fold in these terms.
    pub fn of(body: &Body, live: &[bool], roots: &[TermId], products: Products) -> Self {
        let same = same_values(body);
        let may_be_product = |id| may_be_product(body, id, products.acc);
        let mut hidden = Hidden::default();
        if products.roots {
            hidden.terms.extend(roots.iter().filter(|&&id| may_be_product(id)));
        }
        for (id, (term, dtype)) in body.terms.iter().enumerate() {
            let (function, [a, b]) = match (arithmetic(term, *dtype), term) {
                _ if !live[id] => continue,
                (Some((function, operands)), _) => (Some(function), operands),
                (None, Term::Apply(Pointwise::Compare(_), x)) if body.dtype(x[0]).is_float() => {
                    (None, [x[0], x[1]])
                }
                _ => continue,
            };
            if function.is_some() {
                let is_known = |&x: &TermId| is_zero(body, x) || is_mask(body, x);
                hidden.terms.extend([a, b].into_iter().filter(is_known));
            }
            let [parts_a, parts_b] = [a, b].map(|x| Parts::of(body, &same, x));
            let cancels = match function {
                Some(BinaryFn::Mul) => parts_a.has_quotient || parts_b.has_quotient,
                _ => true,
            };
            let mut are_hidden = [false; 2];
            if let Some(BinaryFn::Add | BinaryFn::Sub) = function {
                are_hidden = [a, b].map(may_be_product);
            }
            if cancels && !parts_a.terms.is_disjoint(&parts_b.terms) && are_hidden == [false; 2] {
                are_hidden[0] = true;
            }
            let positions = (0..2).filter(|&position| are_hidden[position]);
            hidden.operands.extend(positions.map(|position| (id, position)));
        }
        hidden
    }

    /// Whether the value of a term is hidden wherever it is used.
    pub fn term(&self, id: TermId) -> bool {
        self.terms.contains(&id)
    }

    /// Whether an operand is hidden from a term.
    pub fn operand(&self, id: TermId, position: usize) -> bool {
        self.operands.contains(&(id, position))
    }
}

/// The function and the operands of a term that computes with two floats.
fn arithmetic(term: &Term, dtype: DType) -> Option<(BinaryFn, [TermId; 2])> {
    use BinaryFn::{Add, Div, Mul, Sub};
    match (term, dtype.is_float()) {
        (Term::Apply(Pointwise::Binary(function @ (Add | Sub | Mul | Div)), operands), true) => {
            Some((*function, [operands[0], operands[1]]))
        }
        _ => None,
    }
}

fn is_zero(body: &Body, id: TermId) -> bool {
    matches!(body.terms[id].0, Term::Const(word) if f32::from_bits(word) == 0.0)
}

/// Whether a float can only be one of two constants.
fn is_mask(body: &Body, id: TermId) -> bool {
    let is_constant = |id: &TermId| matches!(body.terms[*id].0, Term::Const(_));
    match &body.terms[id].0 {
        Term::Apply(Pointwise::Cast, operands) => body.dtype(operands[0]) == DType::Bool,
        Term::Apply(Pointwise::Select, operands) => operands[1..].iter().all(is_constant),
        _ => false,
    }
}

/// Whether the last rounding of a float may be that of a product: of one that is written, or of one
/// in a kernel, a function of `shaders/lib`, or a driver's quotients and roots.
fn may_be_product(body: &Body, id: TermId, acc: bool) -> bool {
    use BinaryFn::{Add, Max, Min, Sub};
    use UnaryFn::{Abs, Ceil, Floor, Neg, Round, Sign, Trunc};
    match &body.terms[id] {
        (_, dtype) if !dtype.is_float() => false,
        (Term::Acc, _) => acc,
        (Term::Apply(function, operands), _) => match function {
            Pointwise::Unary(Neg) => may_be_product(body, operands[0], acc),
            Pointwise::Select => operands[1..].iter().any(|&x| may_be_product(body, x, acc)),
            Pointwise::Unary(Abs | Ceil | Floor | Round | Sign | Trunc) => false,
            Pointwise::Binary(Add | Sub | Max | Min) | Pointwise::Cast => false,
            _ => true,
        },
        _ => false,
    }
}

/// For each term the first one of the same value; sums and products commute.
fn same_values(body: &Body) -> Vec<TermId> {
    let mut first = HashMap::new();
    let mut same: Vec<TermId> = Vec::with_capacity(body.terms.len());
    for (id, (term, _)) in body.terms.iter().enumerate() {
        same.push(match term {
            Term::Apply(function, operands) => {
                let mut operands: Vec<TermId> = operands.iter().map(|&x| same[x]).collect();
                use BinaryFn::{Add, Mul};
                if let Pointwise::Binary(Add | Mul) = function {
                    operands.sort_unstable();
                }
                *first.entry((format!("{function:?}"), operands)).or_insert(id)
            }
            _ => id,
        });
    }
    same
}

/// The terms that a value is computed from by arithmetic, to the depth that compilers look.
#[derive(Default)]
struct Parts {
    terms: BTreeSet<TermId>,
    has_quotient: bool,
}

/// Operations that compilers look through in one rule, with room to spare.
const DEPTH: usize = 4;

impl Parts {
    fn of(body: &Body, same: &[TermId], id: TermId) -> Self {
        let mut parts = Parts::default();
        parts.add(body, same, id, DEPTH);
        parts
    }

    fn add(&mut self, body: &Body, same: &[TermId], id: TermId, depth: usize) {
        let (term, dtype) = &body.terms[id];
        if let Term::Const(_) = term {
            return;
        }
        self.terms.insert(same[id]);
        if depth == 0 {
            return;
        }
        match (arithmetic(term, *dtype), term) {
            (Some((function, operands)), _) => {
                self.has_quotient |= function == BinaryFn::Div;
                operands.into_iter().for_each(|x| self.add(body, same, x, depth - 1));
            }
            (None, Term::Apply(Pointwise::Unary(UnaryFn::Neg) | Pointwise::Cast, operands)) => {
                self.add(body, same, operands[0], depth - 1);
            }
            // NVIDIA's compiler makes 1 of `x / select(x, 1, x == 0)`.
            (None, Term::Apply(Pointwise::Select, operands)) => {
                operands[1..].iter().for_each(|&x| self.add(body, same, x, depth - 1));
            }
            _ => {}
        }
    }
}
