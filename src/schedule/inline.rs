//! The terms of a group: operations computed where they are used, and loads of the rest.

use super::{
    expr::{Affine, Body, Guard, Term, TermId},
    fuse::Fuser,
    index,
};
use crate::{
    dtype::DType,
    graph::{Node, NodeId},
    ops::lowering::{Layout, Lowering, Pointwise},
    shape::Shape,
};
use std::collections::HashMap;

/// One group in the making.
pub(super) struct Making {
    pub(super) space: Vec<usize>,
    pub(super) body: Body,
    pub(super) operands: Vec<NodeId>,
    pub(super) nodes: Vec<NodeId>,
    /// Nodes that must be stored if this attempt is taken.
    pub(super) requests: Vec<NodeId>,
    /// The kernel or reduction whose result the body continues, and its coordinates.
    pub(super) anchor: Option<(NodeId, Vec<Affine>)>,
    pub(super) anchor_allowed: bool,
    pub(super) known: HashMap<(NodeId, Vec<Affine>, Vec<Guard>), TermId>,
    /// How deep operations may be inlined, and how deep they were.
    pub(super) depth: usize,
    pub(super) reached: usize,
}

impl Making {
    pub(super) fn new(space: Vec<usize>, depth: usize) -> Self {
        Making {
            space,
            body: Body::default(),
            operands: vec![],
            nodes: vec![],
            requests: vec![],
            anchor: None,
            anchor_allowed: depth > 0,
            known: HashMap::new(),
            depth,
            reached: 0,
        }
    }

    /// Ends the expression and begins another, over another space, of the same group.
    pub(super) fn turn_to(&mut self, space: Vec<usize>) {
        self.space = space;
        self.known.clear();
        self.anchor_allowed = false;
    }

    fn operand(&mut self, node: NodeId) -> usize {
        let known = self.operands.iter().position(|&known| known == node);
        known.unwrap_or_else(|| {
            self.operands.push(node);
            self.operands.len() - 1
        })
    }
}

/// Where in a group the walk is.
#[derive(Clone)]
pub(super) struct At {
    pub(super) coords: Vec<Affine>,
    pub(super) guards: Vec<Guard>,
    /// Whether everything from the root to here has one consumer.
    pub(super) exclusive: bool,
    pub(super) depth: usize,
}

impl At {
    /// The root, at every point of the space.
    pub(super) fn root(space: &[usize]) -> Self {
        let coords = (0..space.len()).map(|dim| Affine::coordinate(dim, space.len())).collect();
        At { coords, guards: vec![], exclusive: true, depth: 0 }
    }
}

impl Fuser<'_> {
    /// The value of an operand: computed here, or loaded.
    pub(super) fn value(&self, making: &mut Making, id: NodeId, at: At) -> TermId {
        let key = (id, at.coords.clone(), at.guards.clone());
        if let Some(&term) = making.known.get(&key) {
            return term;
        }
        let term = if self.may_anchor(making, id, &at) {
            making.anchor = Some((id, at.coords));
            making.nodes.push(id);
            making.body.push(Term::Acc, self.nodes[id.index()].meta.dtype)
        } else if self.inlines(making, id, &at) {
            self.compute(making, id, at)
        } else {
            self.load(making, id, at)
        };
        making.known.insert(key, term);
        term
    }

    pub(super) fn load(&self, making: &mut Making, id: NodeId, at: At) -> TermId {
        let Node { meta, .. } = &self.nodes[id.index()];
        let index = index::linear(&at.coords, &meta.shape, making.space.len());
        let source = self.unreshaped(id);
        making.requests.push(source);
        let operand = making.operand(source);
        making.body.push(Term::Load { operand, index, guards: at.guards }, meta.dtype)
    }

    /// The terms of a node that is computed in this group.
    pub(super) fn compute(&self, making: &mut Making, id: NodeId, at: At) -> TermId {
        let node = &self.nodes[id.index()];
        let dtype = node.meta.dtype;
        making.nodes.push(id);
        making.reached = making.reached.max(at.depth + 1);
        let next = At {
            // The root is stored once, however many read it.
            exclusive: at.exclusive && (at.depth == 0 || self.uses[id.index()] <= 1),
            depth: at.depth + 1,
            ..at.clone()
        };
        match &self.lowerings[id.index()] {
            Lowering::Full(word) => making.body.push(Term::Const(*word), dtype),
            Lowering::Iota(axis) => coordinate(&mut making.body, &at.coords[*axis], dtype),
            Lowering::Pointwise(function) => {
                let operands: Vec<TermId> = node
                    .inputs
                    .iter()
                    .map(|&input| self.value(making, input, next.clone()))
                    .collect();
                making.body.push(Term::Apply(*function, operands), dtype)
            }
            Lowering::Layout(layout) => self.relocate(making, node, layout, next),
            // A root that is a source is read as it is.
            Lowering::Source => self.load(making, id, at),
            Lowering::Reduce { .. } | Lowering::Kernel(_) | Lowering::Expand => {
                unreachable!("anchors are not inlined, and what expands is expanded before")
            }
        }
    }

    /// The value behind a layout change.
    fn relocate(&self, making: &mut Making, node: &Node, layout: &Layout, at: At) -> TermId {
        let rank = making.space.len();
        let input = node.inputs[0];
        let shape = &self.nodes[input.index()].meta.shape;
        let moved = |coords: Vec<Affine>| At { coords, ..at.clone() };
        match layout {
            Layout::Reshape => {
                let index = index::linear(&at.coords, &node.meta.shape, rank);
                if self.is_loaded(self.unreshaped(input)) {
                    return self.load_linear(making, input, index, at);
                }
                match index::split(&index, shape, &making.space) {
                    Some(coords) => self.value(making, input, moved(coords)),
                    None => self.load_linear(making, input, index, at),
                }
            }
            Layout::Transpose(axes) => {
                let mut coords = at.coords.clone();
                for (coord, &axis) in at.coords.iter().zip(axes) {
                    coords[axis] = coord.clone();
                }
                self.value(making, input, moved(coords))
            }
            Layout::Broadcast => {
                let at = moved(index::broadcast(&at.coords, shape));
                // What is computed once is not computed again for every copy.
                match shape.len() < node.meta.shape.len() && self.computes(input) {
                    true => self.load(making, input, at),
                    false => self.value(making, input, at),
                }
            }
            Layout::Slice { starts, steps } => {
                let coords = at.coords.iter().zip(starts.iter().zip(steps));
                let coords = coords
                    .map(|(coord, (&start, &step))| coord.scaled(step as i64, start as i64))
                    .collect();
                self.value(making, input, moved(coords))
            }
            Layout::Flip(axes) => {
                let mut coords = at.coords.clone();
                for &axis in axes {
                    coords[axis] = coords[axis].scaled(-1, shape.dims()[axis] as i64 - 1);
                }
                self.value(making, input, moved(coords))
            }
            Layout::Pad { low, value } => {
                let coords: Vec<Affine> = at
                    .coords
                    .iter()
                    .zip(low)
                    .map(|(coord, &low)| coord.scaled(1, -(low as i64)))
                    .collect();
                let surround = making.body.push(Term::Const(*value), node.meta.dtype);
                self.guarded(making, input, moved(coords), surround, shape)
            }
            Layout::Concat { axis } => {
                let zero = making.body.push(Term::Const(0), node.meta.dtype);
                let mut end: usize = node.inputs.iter().map(|id| self.extent(*id, *axis)).sum();
                // From the last operand to the first: each is chosen where it begins.
                node.inputs.iter().rev().fold(zero, |rest, &input| {
                    end -= self.extent(input, *axis);
                    let mut coords = at.coords.clone();
                    coords[*axis] = coords[*axis].scaled(1, -(end as i64));
                    let shape = &self.nodes[input.index()].meta.shape;
                    self.guarded(making, input, moved(coords), rest, shape)
                })
            }
        }
    }

    fn extent(&self, id: NodeId, axis: usize) -> usize {
        self.nodes[id.index()].meta.shape.dims()[axis]
    }

    /// `input` where its coordinates exist, else `otherwise`.
    fn guarded(
        &self,
        making: &mut Making,
        input: NodeId,
        mut at: At,
        otherwise: TermId,
        shape: &Shape,
    ) -> TermId {
        let dtype = self.nodes[input.index()].meta.dtype;
        let coords = at.coords.iter().zip(shape.dims());
        let new: Vec<Guard> = coords
            .filter_map(|(coord, &extent)| index::guard(coord, extent, &making.space))
            .collect();
        at.guards.extend(new.iter().cloned());
        if shape.is_empty() {
            return otherwise;
        }
        let value = self.value(making, input, at);
        if new.is_empty() {
            return value;
        }
        let inside = making.body.push(Term::Inside(new), DType::Bool);
        making.body.push(Term::Apply(Pointwise::Select, vec![inside, value, otherwise]), dtype)
    }

    fn load_linear(&self, making: &mut Making, id: NodeId, index: Affine, at: At) -> TermId {
        let source = self.unreshaped(id);
        making.requests.push(source);
        let operand = making.operand(source);
        let dtype = self.nodes[id.index()].meta.dtype;
        making.body.push(Term::Load { operand, index, guards: at.guards }, dtype)
    }
}

/// A coordinate as a value of some type.
fn coordinate(body: &mut Body, coord: &Affine, dtype: DType) -> TermId {
    match dtype {
        DType::I32 | DType::U32 => body.push(Term::Coord(coord.clone()), dtype),
        _ => {
            let term = body.push(Term::Coord(coord.clone()), DType::I32);
            body.push(Term::Apply(Pointwise::Cast, vec![term]), dtype)
        }
    }
}
