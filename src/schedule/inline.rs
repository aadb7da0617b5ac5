//! The terms of a group: operations inlined where they are used, and loads of everything else.

use super::{
    draft::{At, Draft},
    expr::{Affine, Body, Guard, Term, TermId},
    fuse::Fuser,
    index,
};
use crate::{
    dtype::DType,
    graph::{Node, NodeId},
    ops::class::{Class, Layout, Pointwise},
    shape::Shape,
};

impl Fuser<'_> {
    /// The value of an operand: inlined or loaded.
    pub(super) fn value(&self, draft: &mut Draft, id: NodeId, at: At) -> TermId {
        let key = (id, at.coords.clone(), at.guards.clone());
        if let Some(&term) = draft.known.get(&key) {
            return term;
        }
        let term = if self.may_anchor(draft, id, &at) {
            draft.anchor = Some((id, at.coords));
            draft.nodes.push(id);
            draft.body.push_node(Term::Acc, self.nodes[id.index()].meta.dtype)
        } else if self.inlines(draft, id, &at) {
            self.compute(draft, id, at)
        } else {
            self.load(draft, id, at)
        };
        draft.known.insert(key, term);
        term
    }

    pub(super) fn load(&self, draft: &mut Draft, id: NodeId, at: At) -> TermId {
        let Node { meta, .. } = &self.nodes[id.index()];
        let index = index::linear(&at.coords, &meta.shape, draft.space.len());
        let source = self.unreshaped(id);
        draft.requests.push(source);
        let operand = draft.operand(source);
        draft.body.push(Term::Load { operand, index, guards: at.guards }, meta.dtype)
    }

    /// The terms of a node computed in this group.
    pub(super) fn compute(&self, draft: &mut Draft, id: NodeId, at: At) -> TermId {
        let node = &self.nodes[id.index()];
        let dtype = node.meta.dtype;
        draft.nodes.push(id);
        draft.reached = draft.reached.max(at.depth + 1);
        let next = At {
            // The root is stored once, regardless of how many nodes read it.
            exclusive: at.exclusive && (at.depth == 0 || self.uses[id.index()] <= 1),
            depth: at.depth + 1,
            ..at.clone()
        };
        match &self.classes[id.index()] {
            Class::Full(word) => draft.body.push(Term::Const(*word), dtype),
            Class::Iota(axis) => coordinate(&mut draft.body, &at.coords[*axis], dtype),
            Class::Pointwise(function) if self.widens(id) => {
                let half = self.load(draft, node.inputs[0], next);
                draft.body.push_node(Term::Apply(*function, vec![half]), dtype)
            }
            Class::Pointwise(function) => {
                let operands: Vec<TermId> = node
                    .inputs
                    .iter()
                    .map(|&input| self.value(draft, input, next.clone()))
                    .collect();
                draft.body.push_node(Term::Apply(*function, operands), dtype)
            }
            Class::Layout(layout) => self.relocate(draft, node, layout, next),
            // A root that is a source is simply loaded.
            Class::Source => self.load(draft, id, at),
            Class::Reduce { .. } | Class::Kernel | Class::Composite => {
                unreachable!("anchors are not inlined, and what expands is expanded before")
            }
        }
    }

    /// The value behind a layout change.
    fn relocate(&self, draft: &mut Draft, node: &Node, layout: &Layout, at: At) -> TermId {
        let rank = draft.space.len();
        let input = node.inputs[0];
        let shape = &self.nodes[input.index()].meta.shape;
        let moved = |coords: Vec<Affine>| At { coords, ..at.clone() };
        match layout {
            Layout::Reshape => {
                let index = index::linear(&at.coords, &node.meta.shape, rank);
                if self.is_loaded(self.unreshaped(input)) {
                    return self.load_linear(draft, input, index, at);
                }
                match index::split(&index, shape, &draft.space) {
                    Some(coords) => self.value(draft, input, moved(coords)),
                    None => self.load_linear(draft, input, index, at),
                }
            }
            Layout::Transpose(axes) => {
                let mut coords = at.coords.clone();
                for (coord, &axis) in at.coords.iter().zip(axes) {
                    coords[axis] = coord.clone();
                }
                self.value(draft, input, moved(coords))
            }
            Layout::Broadcast => {
                let at = moved(index::broadcast(&at.coords, shape));
                // A value that is computed once is not recomputed for every copy.
                if shape.len() < node.meta.shape.len() && self.computes(input) {
                    self.load(draft, input, at)
                } else {
                    self.value(draft, input, at)
                }
            }
            Layout::Slice { starts, steps } => {
                let coords = at.coords.iter().zip(starts.iter().zip(steps));
                let coords = coords
                    .map(|(coord, (&start, &step))| coord.scaled(step as i64, start as i64))
                    .collect();
                self.value(draft, input, moved(coords))
            }
            Layout::Flip(axes) => {
                let mut coords = at.coords.clone();
                for &axis in axes {
                    coords[axis] = coords[axis].scaled(-1, shape.dims()[axis] as i64 - 1);
                }
                self.value(draft, input, moved(coords))
            }
            Layout::Pad { low, value } => {
                let coords: Vec<Affine> = at
                    .coords
                    .iter()
                    .zip(low)
                    .map(|(coord, &low)| coord.scaled(1, -(low as i64)))
                    .collect();
                let surround = draft.body.push(Term::Const(*value), node.meta.dtype);
                self.guarded(draft, input, moved(coords), surround, shape)
            }
            Layout::Concat { axis } => {
                let zero = draft.body.push(Term::Const(0), node.meta.dtype);
                let mut end: usize = node.inputs.iter().map(|id| self.extent(*id, *axis)).sum();
                // From the last operand to the first: each one is selected from its start index on.
                node.inputs.iter().rev().fold(zero, |rest, &input| {
                    end -= self.extent(input, *axis);
                    let mut coords = at.coords.clone();
                    coords[*axis] = coords[*axis].scaled(1, -(end as i64));
                    let shape = &self.nodes[input.index()].meta.shape;
                    self.guarded(draft, input, moved(coords), rest, shape)
                })
            }
        }
    }

    fn extent(&self, id: NodeId, axis: usize) -> usize {
        self.nodes[id.index()].meta.shape.dims()[axis]
    }

    /// `input` where its coordinates are in bounds, else `otherwise`.
    fn guarded(
        &self,
        draft: &mut Draft,
        input: NodeId,
        mut at: At,
        otherwise: TermId,
        shape: &Shape,
    ) -> TermId {
        let dtype = self.nodes[input.index()].meta.dtype;
        let coords = at.coords.iter().zip(shape.dims());
        let new: Vec<Guard> = coords
            .filter_map(|(coord, &extent)| index::guard(coord, extent, &draft.space))
            .collect();
        at.guards.extend(new.iter().cloned());
        if shape.is_empty() {
            return otherwise;
        }
        let value = self.value(draft, input, at);
        if new.is_empty() {
            return value;
        }
        let inside = draft.body.push(Term::Inside(new), DType::Bool);
        draft.body.push(Term::Apply(Pointwise::Select, vec![inside, value, otherwise]), dtype)
    }

    fn load_linear(&self, draft: &mut Draft, id: NodeId, index: Affine, at: At) -> TermId {
        let source = self.unreshaped(id);
        draft.requests.push(source);
        let operand = draft.operand(source);
        let dtype = self.nodes[id.index()].meta.dtype;
        draft.body.push(Term::Load { operand, index, guards: at.guards }, dtype)
    }
}

/// Converts a coordinate to a value of the given type.
fn coordinate(body: &mut Body, coord: &Affine, dtype: DType) -> TermId {
    match dtype {
        DType::I32 | DType::U32 => body.push(Term::Coord(coord.clone()), dtype),
        _ => {
            let term = body.push(Term::Coord(coord.clone()), DType::I32);
            body.push(Term::Apply(Pointwise::Cast, vec![term]), dtype)
        }
    }
}
