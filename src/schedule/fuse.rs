//! Which operations form a step: the walk from results to operands that inlines what is
//! computed on the way.

use super::{
    expr::{Affine, Body, Guard, Term, TermId},
    index,
    plan::Epilogue,
};
use crate::{
    dtype::DType,
    graph::{Node, NodeId},
    ops::{
        lowering::{Kernel, Layout, Lowering, Pointwise},
        reduce::ReduceFn,
        unary::UnaryFn,
    },
    shape::{Meta, Shape},
};
use std::collections::HashMap;

/// Storage buffers a step may bind, as the smallest devices allow (Metal: 8, one of which wgpu
/// needs).
pub(super) const MAX_BUFFERS: usize = 7;

/// Terms a step may have: beyond it compile time grows faster than memory traffic shrinks.
const MAX_TERMS: usize = 96;

/// Operations recomputed by each consumer rather than stored: at most so many light ones.
const CHEAP: usize = 2;

/// A step that is still in terms of nodes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What it writes, in order; one node but for maps.
    pub roots: Vec<NodeId>,
    /// Nodes it loads, in the order of `Term::Load::operand`.
    pub operands: Vec<NodeId>,
    /// Every node computed in it.
    pub nodes: Vec<NodeId>,
    pub kind: GroupKind,
}

#[derive(Clone, Debug)]
pub(super) enum GroupKind {
    Map {
        space: Vec<usize>,
        body: Body,
        /// One for each root.
        terms: Vec<TermId>,
    },
    Reduce {
        function: ReduceFn,
        outer: Vec<usize>,
        inner: Vec<usize>,
        body: Body,
        value: TermId,
        epilogue: Epilogue,
    },
    Kernel {
        kernel: Kernel,
        /// The first so many of the group's operands are the kernel's.
        operands: usize,
        space: Vec<usize>,
        dtype: DType,
        epilogue: Epilogue,
    },
}

impl Group {
    /// The index of every load of `node`, with whether it is guarded.
    pub fn loads(&self, node: NodeId) -> Vec<(&Affine, bool)> {
        let bodies: [Option<&Body>; 2] = match &self.kind {
            GroupKind::Map { body, .. } => [Some(body), None],
            GroupKind::Reduce { body, epilogue, .. } => [Some(body), Some(&epilogue.body)],
            GroupKind::Kernel { epilogue, .. } => [Some(&epilogue.body), None],
        };
        let terms = bodies.into_iter().flatten().flat_map(|body| &body.terms);
        terms
            .filter_map(|(term, _)| match term {
                Term::Load { operand, index, guards } if self.operands[*operand] == node => {
                    Some((index, !guards.is_empty()))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether the group is a map that reads `node`, if at all, at the very point it writes: it
    /// may then be updated in place.
    pub fn reads_in_place(&self, node: NodeId) -> bool {
        if !self.operands.contains(&node) {
            return true;
        }
        match &self.kind {
            GroupKind::Map { space, .. } => {
                self.loads(node).iter().all(|(index, guarded)| !guarded && index.is_linear(space))
            }
            _ => false,
        }
    }
}

/// The walk over a graph, from its last node to its first.
pub(super) struct Fuser<'a> {
    nodes: &'a [Node],
    lowerings: Vec<Lowering>,
    /// Number of times a needed node reads it.
    uses: Vec<usize>,
    /// Whether it is stored: decided by its consumers, which come later in the graph.
    stored: Vec<bool>,
}

/// One group in the making.
struct Making<'s> {
    space: &'s [usize],
    body: Body,
    operands: Vec<NodeId>,
    nodes: Vec<NodeId>,
    /// Nodes that must be stored if this attempt is taken.
    requests: Vec<NodeId>,
    /// The kernel or reduction whose result the body continues, and its coordinates.
    anchor: Option<(NodeId, Vec<Affine>)>,
    anchor_allowed: bool,
    known: HashMap<(NodeId, Vec<Affine>, Vec<Guard>), TermId>,
    /// How deep operations may be inlined.
    depth: usize,
}

impl<'s> Making<'s> {
    fn new(space: &'s [usize], operands: Vec<NodeId>, anchor_allowed: bool, depth: usize) -> Self {
        Making {
            space,
            body: Body::default(),
            operands,
            nodes: vec![],
            requests: vec![],
            anchor: None,
            anchor_allowed,
            known: HashMap::new(),
            depth,
        }
    }

    fn operand(&mut self, node: NodeId) -> usize {
        let known = self.operands.iter().position(|&known| known == node);
        known.unwrap_or_else(|| {
            self.operands.push(node);
            self.operands.len() - 1
        })
    }

    fn coordinates(&self) -> Vec<Affine> {
        (0..self.space.len()).map(|dim| Affine::coordinate(dim, self.space.len())).collect()
    }
}

/// Where in a group the walk is.
#[derive(Clone)]
struct At {
    coords: Vec<Affine>,
    guards: Vec<Guard>,
    /// Whether everything from the root to here has one consumer.
    exclusive: bool,
    depth: usize,
}

impl<'a> Fuser<'a> {
    /// For nodes of which some are needed. `roots` are stored in any case.
    pub fn new(nodes: &'a [Node], needed: &[bool], roots: &[NodeId]) -> Self {
        let lowerings = nodes
            .iter()
            .map(|node| {
                let operands: Vec<&Meta> =
                    node.inputs.iter().map(|id| &nodes[id.index()].meta).collect();
                node.op.lower(&operands, &node.meta)
            })
            .collect();
        let mut uses = vec![0; nodes.len()];
        for (node, _) in nodes.iter().zip(needed).filter(|(_, needed)| **needed) {
            for input in &node.inputs {
                uses[input.index()] += 1;
            }
        }
        let mut stored = vec![false; nodes.len()];
        for root in roots {
            stored[root.index()] = true;
            uses[root.index()] += 1;
        }
        Fuser { nodes, lowerings, uses, stored }
    }

    /// All groups, in order of execution.
    pub fn groups(mut self) -> Vec<Group> {
        let mut groups = Vec::new();
        for index in (0..self.nodes.len()).rev() {
            if self.stored[index] && !matches!(self.lowerings[index], Lowering::Source) {
                let (group, requests) = self.group(NodeId(index as u32));
                for request in requests {
                    self.stored[request.index()] = true;
                }
                groups.push(group);
            }
        }
        groups.reverse();
        groups
    }

    /// The group that computes `root`, and what must be stored for it.
    fn group(&self, root: NodeId) -> (Group, Vec<NodeId>) {
        let mut depth = usize::MAX;
        loop {
            let (group, requests, reached, terms) = self.attempt(root, depth);
            let fits = group.operands.len() < MAX_BUFFERS && terms <= MAX_TERMS;
            if fits || depth == 0 || reached == 0 {
                return (group, requests);
            }
            depth = if depth == usize::MAX { reached - 1 } else { depth - 1 };
        }
    }

    /// The group with operations inlined up to `depth` deep; how deep that went; its terms.
    fn attempt(&self, root: NodeId, depth: usize) -> (Group, Vec<NodeId>, usize, usize) {
        // Reshaping moves no words: what is reshaped is computed in its own shape.
        let mut target = root;
        let mut reshaped = vec![];
        while matches!(self.lowerings[target.index()], Lowering::Layout(Layout::Reshape)) {
            reshaped.push(target);
            target = self.nodes[target.index()].inputs[0];
            if self.is_loaded(target) || self.uses[target.index()] > 1 {
                break;
            }
        }
        let meta = &self.nodes[target.index()].meta;
        let space = meta.shape.dims().to_vec();
        let mut making = Making::new(&space, vec![], true, depth);
        making.nodes = reshaped;
        let mut reached = 0;
        let coords = making.coordinates();
        let at = At { coords, guards: vec![], exclusive: true, depth: 0 };
        let term = match self.lowerings[target.index()] {
            _ if target != root && self.uses[target.index()] > 1 => {
                self.value(&mut making, target, at, &mut reached)
            }
            Lowering::Reduce { .. } | Lowering::Kernel(_) => {
                making.anchor = Some((target, at.coords));
                making.nodes.push(target);
                making.body.push(Term::Acc, meta.dtype)
            }
            _ if target != root && self.is_loaded(target) => self.load(&mut making, target, at),
            _ => self.compute(&mut making, target, at, &mut reached),
        };
        let Making { body, operands, mut nodes, mut requests, anchor, .. } = making;
        let terms = body.terms.len();
        let Some((anchor, coords)) = anchor else {
            let kind = GroupKind::Map { space, body, terms: vec![term] };
            nodes.sort_unstable();
            return (Group { roots: vec![root], operands, nodes, kind }, requests, reached, terms);
        };
        let epilogue = Epilogue { body, root: term };
        let node = &self.nodes[anchor.index()];
        let group = match &self.lowerings[anchor.index()] {
            Lowering::Kernel(kernel) => {
                let own: Vec<NodeId> = node.inputs.iter().map(|&id| self.unreshaped(id)).collect();
                requests.extend(&own);
                let shift = own.len();
                let mut epilogue = epilogue;
                for (term, _) in &mut epilogue.body.terms {
                    if let Term::Load { operand, .. } = term {
                        *operand += shift;
                    }
                }
                let operands = own.into_iter().chain(operands).collect();
                let kind = GroupKind::Kernel {
                    kernel: kernel.clone(),
                    operands: shift,
                    space,
                    dtype: node.meta.dtype,
                    epilogue,
                };
                Group { roots: vec![root], operands, nodes, kind }
            }
            Lowering::Reduce { function, axes } => {
                let operand = node.inputs[0];
                let shape = &self.nodes[operand.index()].meta.shape;
                let inner: Vec<usize> = axes.iter().map(|&axis| shape.dims()[axis]).collect();
                let whole = [space.as_slice(), &inner].concat();
                let mut prologue = Making::new(&whole, operands, false, depth);
                prologue.nodes = nodes;
                // Coordinates of the result, but along the reduced axes those of `inner`.
                let mut coords: Vec<Affine> = coords
                    .into_iter()
                    .map(|mut coord| {
                        coord.coefs.resize(whole.len(), 0);
                        coord
                    })
                    .collect();
                for (k, &axis) in axes.iter().enumerate() {
                    coords[axis] = Affine::coordinate(space.len() + k, whole.len());
                }
                let at = At { coords, guards: vec![], exclusive: false, depth: 0 };
                let value = self.value(&mut prologue, operand, at, &mut reached);
                requests.extend(prologue.requests);
                nodes = prologue.nodes;
                let body = prologue.body;
                let operands = prologue.operands;
                let function = *function;
                let kind =
                    GroupKind::Reduce { function, outer: space, inner, body, value, epilogue };
                Group { roots: vec![root], operands, nodes, kind }
            }
            _ => unreachable!("anchors are kernels and reductions"),
        };
        let mut group = group;
        group.nodes.sort_unstable();
        (group, requests, reached, terms)
    }

    /// The value of an operand: computed here, or loaded.
    fn value(&self, making: &mut Making, id: NodeId, at: At, reached: &mut usize) -> TermId {
        let key = (id, at.coords.clone(), at.guards.clone());
        if let Some(&term) = making.known.get(&key) {
            return term;
        }
        let term = if self.may_anchor(making, id, &at) {
            making.anchor = Some((id, at.coords));
            making.nodes.push(id);
            making.body.push(Term::Acc, self.nodes[id.index()].meta.dtype)
        } else if self.inlines(id, &at, making.depth) {
            self.compute(making, id, at, reached)
        } else {
            self.load(making, id, at)
        };
        making.known.insert(key, term);
        term
    }

    fn may_anchor(&self, making: &Making, id: NodeId, at: &At) -> bool {
        let meta = &self.nodes[id.index()].meta;
        matches!(self.lowerings[id.index()], Lowering::Reduce { .. } | Lowering::Kernel(_))
            && making.anchor_allowed
            && making.anchor.is_none()
            && !self.stored[id.index()]
            && self.uses[id.index()] == 1
            && at.exclusive
            && at.guards.is_empty()
            && meta.shape.len() == making.space.iter().product::<usize>()
            && index::linear(&at.coords, &meta.shape, making.space.len()).is_linear(making.space)
    }

    /// Whether a node is computed where it is used.
    fn inlines(&self, id: NodeId, at: &At, depth: usize) -> bool {
        let index = id.index();
        if self.stored[index] {
            return false;
        }
        match &self.lowerings[index] {
            Lowering::Source | Lowering::Reduce { .. } | Lowering::Kernel(_) => false,
            Lowering::Full(_) | Lowering::Iota(_) => true,
            Lowering::Expand => unreachable!("expanded before"),
            Lowering::Layout(Layout::Reshape) if self.is_loaded(self.unreshaped(id)) => false,
            Lowering::Pointwise(_) | Lowering::Layout(_) => {
                at.depth < depth && (self.uses[index] == 1 || self.weight(id) <= CHEAP)
            }
        }
    }

    /// Whether a node's value is in memory when a later group runs.
    fn is_loaded(&self, id: NodeId) -> bool {
        self.stored[id.index()] || matches!(self.lowerings[id.index()], Lowering::Source)
    }

    /// The node whose words these are: reshaping moves nothing.
    fn unreshaped(&self, id: NodeId) -> NodeId {
        match self.lowerings[id.index()] {
            Lowering::Layout(Layout::Reshape) if !self.stored[id.index()] => {
                self.unreshaped(self.nodes[id.index()].inputs[0])
            }
            _ => id,
        }
    }

    /// What recomputing a node costs, in light operations an element; saturates.
    fn weight(&self, id: NodeId) -> usize {
        if self.is_loaded(id) {
            return 0;
        }
        let own = match &self.lowerings[id.index()] {
            Lowering::Source | Lowering::Full(_) | Lowering::Iota(_) => return 0,
            Lowering::Layout(_) => 0,
            Lowering::Pointwise(function) => weight_of(function),
            Lowering::Reduce { .. } | Lowering::Kernel(_) | Lowering::Expand => return CHEAP + 1,
        };
        let inputs = &self.nodes[id.index()].inputs;
        inputs.iter().fold(own, |sum, &input| match sum > CHEAP {
            true => sum,
            false => sum + self.weight(input),
        })
    }

    /// Whether a node does arithmetic that repeating it for many elements would repeat.
    fn computes(&self, id: NodeId) -> bool {
        if self.is_loaded(id) {
            return false;
        }
        match &self.lowerings[id.index()] {
            Lowering::Layout(_) => {
                self.nodes[id.index()].inputs.iter().any(|&input| self.computes(input))
            }
            Lowering::Pointwise(_) | Lowering::Reduce { .. } | Lowering::Kernel(_) => true,
            Lowering::Source | Lowering::Full(_) | Lowering::Iota(_) | Lowering::Expand => false,
        }
    }

    fn load(&self, making: &mut Making, id: NodeId, at: At) -> TermId {
        let Node { meta, .. } = &self.nodes[id.index()];
        let index = index::linear(&at.coords, &meta.shape, making.space.len());
        let source = self.unreshaped(id);
        making.requests.push(source);
        let operand = making.operand(source);
        making.body.push(Term::Load { operand, index, guards: at.guards }, meta.dtype)
    }

    /// The terms of a node that is computed in this group.
    fn compute(&self, making: &mut Making, id: NodeId, at: At, reached: &mut usize) -> TermId {
        let node = &self.nodes[id.index()];
        let dtype = node.meta.dtype;
        making.nodes.push(id);
        *reached = (*reached).max(at.depth + 1);
        let next = At {
            exclusive: at.exclusive && self.uses[id.index()] <= 1,
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
                    .map(|&input| self.value(making, input, next.clone(), reached))
                    .collect();
                making.body.push(Term::Apply(*function, operands), dtype)
            }
            Lowering::Layout(layout) => self.relocate(making, node, layout, next, reached),
            // A root that is a source is read as it is.
            Lowering::Source => self.load(making, id, at),
            Lowering::Reduce { .. } | Lowering::Kernel(_) | Lowering::Expand => {
                unreachable!("anchors are not inlined, and what expands is expanded before")
            }
        }
    }

    /// The value behind a layout change.
    fn relocate(
        &self,
        making: &mut Making,
        node: &Node,
        layout: &Layout,
        at: At,
        reached: &mut usize,
    ) -> TermId {
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
                match index::split(&index, shape, making.space) {
                    Some(coords) => self.value(making, input, moved(coords), reached),
                    None => self.load_linear(making, input, index, at),
                }
            }
            Layout::Transpose(axes) => {
                let mut coords = at.coords.clone();
                for (coord, &axis) in at.coords.iter().zip(axes) {
                    coords[axis] = coord.clone();
                }
                self.value(making, input, moved(coords), reached)
            }
            Layout::Broadcast => {
                let at = moved(index::broadcast(&at.coords, shape));
                // What is computed once is not computed again for every copy.
                match shape.len() < node.meta.shape.len() && self.computes(input) {
                    true => self.load(making, input, at),
                    false => self.value(making, input, at, reached),
                }
            }
            Layout::Slice { starts, steps } => {
                let coords = at.coords.iter().zip(starts.iter().zip(steps));
                let coords = coords
                    .map(|(coord, (&start, &step))| coord.scaled(step as i64, start as i64))
                    .collect();
                self.value(making, input, moved(coords), reached)
            }
            Layout::Flip(axes) => {
                let mut coords = at.coords.clone();
                for &axis in axes {
                    coords[axis] = coords[axis].scaled(-1, shape.dims()[axis] as i64 - 1);
                }
                self.value(making, input, moved(coords), reached)
            }
            Layout::Pad { low, value } => {
                let coords: Vec<Affine> = at
                    .coords
                    .iter()
                    .zip(low)
                    .map(|(coord, &low)| coord.scaled(1, -(low as i64)))
                    .collect();
                let surround = making.body.push(Term::Const(*value), node.meta.dtype);
                self.guarded(making, input, moved(coords), surround, shape, reached)
            }
            Layout::Concat { axis } => {
                let zero = making.body.push(Term::Const(0), node.meta.dtype);
                let mut end: usize =
                    node.inputs.iter().map(|id| self.extent(*id, *axis)).sum();
                // From the last operand to the first: each is chosen where it begins.
                node.inputs.iter().rev().fold(zero, |rest, &input| {
                    end -= self.extent(input, *axis);
                    let mut coords = at.coords.clone();
                    coords[*axis] = coords[*axis].scaled(1, -(end as i64));
                    let shape = &self.nodes[input.index()].meta.shape;
                    self.guarded(making, input, moved(coords), rest, shape, reached)
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
        reached: &mut usize,
    ) -> TermId {
        let dtype = self.nodes[input.index()].meta.dtype;
        let coords = at.coords.iter().zip(shape.dims());
        let new: Vec<Guard> = coords
            .filter_map(|(coord, &extent)| index::guard(coord, extent, making.space))
            .collect();
        at.guards.extend(new.iter().cloned());
        if shape.is_empty() {
            return otherwise;
        }
        let value = self.value(making, input, at, reached);
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

/// The cost of a function, in light operations.
fn weight_of(function: &Pointwise) -> usize {
    use UnaryFn::{Abs, Neg, Not, Relu};
    match function {
        Pointwise::Unary(Abs | Neg | Not | Relu)
        | Pointwise::Binary(_)
        | Pointwise::Compare(_)
        | Pointwise::Select
        | Pointwise::Cast => 1,
        Pointwise::Unary(_) => 4,
        Pointwise::Random(_) => 64,
    }
}
