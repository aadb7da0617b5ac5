//! Which operations form a step: the walk from results to operands that inlines what is
//! computed on the way.

use super::{
    expr::{Affine, Term},
    group::{Group, GroupKind},
    index,
    inline::{At, Making},
    plan::Epilogue,
};
use crate::{
    graph::{Node, NodeId},
    ops::{
        lowering::{Layout, Lowering, Pointwise},
        unary::UnaryFn,
    },
    shape::Meta,
};

/// Storage buffers a step may bind, as the smallest devices allow (Metal: 8, one of which wgpu
/// needs).
pub(super) const MAX_BUFFERS: usize = 7;

/// Operations a step may have: beyond it compile time grows faster than memory traffic shrinks.
pub(super) const MAX_OPERATIONS: usize = 64;

/// How deep operations are inlined: a walk that recurses must end somewhere.
const MAX_DEPTH: usize = 48;

/// Operations recomputed by each consumer rather than stored: at most so many light ones.
const CHEAP: usize = 2;

/// The walk over a graph, from its last node to its first.
pub(super) struct Fuser<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) lowerings: Vec<Lowering>,
    /// Number of times a needed node reads it.
    pub(super) uses: Vec<usize>,
    /// Whether it is stored: decided by its consumers, which come later in the graph.
    pub(super) stored: Vec<bool>,
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
        let mut depth = MAX_DEPTH;
        loop {
            let (group, requests, reached) = self.attempt(root, depth);
            if group.operands.len() < MAX_BUFFERS || depth == 0 {
                return (group, requests);
            }
            // At depth 0 the operands of a single operation are loaded, which always fits.
            depth = depth.min(reached) * 2 / 3;
        }
    }

    /// The group with operations inlined up to `depth` deep, and how deep that went.
    fn attempt(&self, root: NodeId, depth: usize) -> (Group, Vec<NodeId>, usize) {
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
        let Some((anchor, coords)) = anchor else {
            let kind = GroupKind::Map { space, body, terms: vec![term] };
            nodes.sort_unstable();
            return (Group { roots: vec![root], operands, nodes, kind }, requests, reached);
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
        (group, requests, reached)
    }

    pub(super) fn may_anchor(&self, making: &Making, id: NodeId, at: &At) -> bool {
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
    pub(super) fn inlines(&self, making: &Making, id: NodeId, at: &At) -> bool {
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
                at.depth < making.depth
                    && making.nodes.len() < MAX_OPERATIONS
                    && (self.uses[index] == 1 || self.weight(id) <= CHEAP)
            }
        }
    }

    /// Whether a node's value is in memory when a later group runs.
    pub(super) fn is_loaded(&self, id: NodeId) -> bool {
        self.stored[id.index()] || matches!(self.lowerings[id.index()], Lowering::Source)
    }

    /// The node whose words these are: reshaping moves nothing.
    pub(super) fn unreshaped(&self, id: NodeId) -> NodeId {
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
            // Each would be repeated with all that is below it.
            Lowering::Layout(Layout::Concat { .. }) => return CHEAP + 1,
            Lowering::Layout(Layout::Pad { .. }) => 1,
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
    pub(super) fn computes(&self, id: NodeId) -> bool {
        if self.is_loaded(id) {
            return false;
        }
        match &self.lowerings[id.index()] {
            Lowering::Layout(Layout::Concat { .. }) => true,
            Lowering::Layout(_) => self.computes(self.nodes[id.index()].inputs[0]),
            Lowering::Pointwise(_) | Lowering::Reduce { .. } | Lowering::Kernel(_) => true,
            Lowering::Source | Lowering::Full(_) | Lowering::Iota(_) | Lowering::Expand => false,
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
