//! Fusion: the walk from results to operands that decides which operations form a step, inlining
//! what is computed on the way.

use super::{
    draft::{At, Draft},
    expr::{Affine, Body, Term, TermId},
    group::{Group, GroupKind},
    index,
    plan::{Epilogue, KernelWrite},
};
use crate::{
    dtype::DType,
    graph::{Node, NodeId},
    ops::{
        Op,
        binary::BinaryFn,
        class::{Class, Layout, Pointwise},
        kernel::Kernel,
        unary::UnaryFn,
    },
    shape::Meta,
    steps,
};
use std::cell::OnceCell;

/// Storage buffers a step may bind, the limit of the smallest devices (Metal: 8, one of which wgpu
/// needs).
pub(super) const MAX_BUFFERS: usize = 7;

/// Maximum operations per step: beyond it, compile time grows faster than memory traffic shrinks.
pub(super) const MAX_OPERATIONS: usize = 64;

/// Maximum inlining depth: bounds the recursion of the walk.
const MAX_DEPTH: usize = 48;

/// Maximum number of light operations that each consumer recomputes instead of loading.
const MAX_RECOMPUTED: usize = 2;

/// The walk over a graph, from its last node to its first.
pub(super) struct Fuser<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) classes: Vec<Class>,
    /// Kernels needed so far, built on demand.
    kernels: Vec<OnceCell<Kernel>>,
    /// Number of reads of each node by needed nodes.
    pub(super) uses: Vec<usize>,
    /// Whether each node is stored: decided by its consumers, which come later in the graph.
    pub(super) stored: Vec<bool>,
}

impl<'a> Fuser<'a> {
    /// Prepares the walk over the `needed` nodes. `roots` are always stored.
    pub fn new(nodes: &'a [Node], needed: &[bool], roots: &[NodeId]) -> Self {
        let class = |node: &Node| node.op.class(&operands_of(nodes, node), &node.meta);
        let classes = nodes.iter().map(class).collect();
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
        Fuser { nodes, classes, kernels: vec![OnceCell::new(); nodes.len()], uses, stored }
    }

    /// All groups, in execution order.
    pub fn groups(mut self) -> Vec<Group> {
        let mut groups = Vec::new();
        for index in (0..self.nodes.len()).rev() {
            if self.stored[index] && !matches!(self.classes[index], Class::Source) {
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

    /// The group that computes `root`, and the nodes that must be stored for it.
    fn group(&self, root: NodeId) -> (Group, Vec<NodeId>) {
        let mut depth = MAX_DEPTH;
        loop {
            let (group, draft) = self.attempt(root, depth);
            if group.operands.len() < MAX_BUFFERS || depth == 0 {
                return (group, draft.requests);
            }
            // At depth 0 the operands of a single operation are loaded, which always fits.
            depth = depth.min(draft.reached) * 2 / 3;
        }
    }

    /// Builds the group with operations inlined up to `depth` levels deep.
    fn attempt(&self, root: NodeId, depth: usize) -> (Group, Draft) {
        let (target, reshaped) = self.without_reshapes(root);
        let meta = &self.nodes[target.index()].meta;
        let mut draft = Draft::new(meta.shape.dims().to_vec(), depth);
        draft.nodes = reshaped;
        let at = At::root(&draft.space);
        let shared = target != root && self.uses[target.index()] > 1;
        let term = match self.classes[target.index()] {
            _ if shared => self.value(&mut draft, target, at),
            Class::Reduce { .. } | Class::Kernel => {
                draft.anchor = Some((target, at.coords));
                draft.nodes.push(target);
                draft.body.push_node(Term::Acc, meta.dtype)
            }
            _ if target != root && self.is_loaded(target) => self.load(&mut draft, target, at),
            _ => self.compute(&mut draft, target, at),
        };
        let body = std::mem::take(&mut draft.body);
        let kind = match draft.anchor.take() {
            None => GroupKind::Map { space: draft.space.clone(), body, terms: vec![term] },
            Some((anchor, coords)) => {
                let epilogue = Epilogue { body, root: term };
                match &self.classes[anchor.index()] {
                    Class::Kernel => self.kernel(&mut draft, anchor, epilogue),
                    Class::Reduce { function, axes } => {
                        let outer = std::mem::take(&mut draft.space);
                        let (inner, body, value) =
                            self.prologue(&mut draft, anchor, &outer, coords, axes);
                        let (function, adjacent) = (*function, self.adjacent(anchor, axes));
                        GroupKind::Reduce {
                            function,
                            outer,
                            inner,
                            adjacent,
                            body,
                            value,
                            epilogue,
                        }
                    }
                    _ => unreachable!("anchors are kernels and reductions"),
                }
            }
        };
        draft.nodes.sort_unstable();
        let (operands, nodes) = (draft.operands.clone(), draft.nodes.clone());
        (Group { roots: vec![root], operands, nodes, kind }, draft)
    }

    /// Skips the reshapes of a root and returns them with the node below: they move no data, so the
    /// node is computed in its own shape.
    fn without_reshapes(&self, root: NodeId) -> (NodeId, Vec<NodeId>) {
        let mut target = root;
        let mut reshapes = vec![];
        while matches!(self.classes[target.index()], Class::Layout(Layout::Reshape)) {
            reshapes.push(target);
            target = self.nodes[target.index()].inputs[0];
            if self.is_loaded(target) || self.uses[target.index()] > 1 {
                break;
            }
        }
        (target, reshapes)
    }

    /// Builds a kernel group: the kernel's operands, which are stored, precede those of its
    /// epilogue.
    fn kernel(&self, draft: &mut Draft, anchor: NodeId, mut epilogue: Epilogue) -> GroupKind {
        let node = &self.nodes[anchor.index()];
        let own: Vec<NodeId> = self.kernel_operands(node);
        let operands = own.len();
        for (term, _) in &mut epilogue.body.terms {
            if let Term::Load { operand, .. } = term {
                *operand += operands;
            }
        }
        draft.requests.extend(&own);
        draft.operands.splice(0..0, own);
        let (kernel, space, dtype) = (self.built(anchor), draft.space.clone(), node.meta.dtype);
        let writes = vec![KernelWrite { result: kernel.result, space, dtype, epilogue }];
        GroupKind::Kernel { kernel, operands, anchors: vec![anchor], writes }
    }

    /// The kernel of a node, built only once even if its group is attempted several times.
    fn built(&self, anchor: NodeId) -> Kernel {
        let (node, kernel) = (&self.nodes[anchor.index()], &self.kernels[anchor.index()]);
        let build = || {
            let halves = self.halves(node).map(|_| halved(self.nodes, node));
            let operands = match &halves {
                Some(halves) => halves.iter().collect(),
                None => operands_of(self.nodes, node),
            };
            node.op.kernel(&operands, &node.meta)
        };
        kernel.get_or_init(|| build().expect("an operation of this class has a kernel")).clone()
    }

    /// The nodes that a kernel reads.
    fn kernel_operands(&self, node: &Node) -> Vec<NodeId> {
        self.halves(node)
            .unwrap_or_else(|| node.inputs.iter().map(|&id| self.unreshaped(id)).collect())
    }

    /// The operands of a kernel whose f32 are all widened halves: it reads those itself, since it
    /// calculates in f32 either way, and no copies of them are stored.
    fn halves(&self, node: &Node) -> Option<Vec<NodeId>> {
        let mut found = false;
        let operands = node.inputs.iter().map(|&id| {
            let id = self.unreshaped(id);
            let Node { op, inputs, meta, .. } = &self.nodes[id.index()];
            if meta.dtype != DType::F32 {
                return Some(id);
            }
            let half = inputs.first().filter(|_| matches!(op, Op::Cast(_)))?;
            found = true;
            let is_half = self.nodes[half.index()].meta.dtype == DType::F16;
            is_half.then(|| self.unreshaped(*half))
        });
        let operands: Vec<NodeId> = operands.collect::<Option<_>>()?;
        if !found || matches!(node.op, Op::Custom(_)) {
            return None;
        }
        let halved = halved(self.nodes, node);
        let class = node.op.class(&halved.iter().collect::<Vec<_>>(), &node.meta);
        matches!(class, Class::Kernel).then_some(operands)
    }

    /// The input of a reduction: the inner extents, the expression, and the term that is reduced.
    fn prologue(
        &self,
        draft: &mut Draft,
        anchor: NodeId,
        outer: &[usize],
        mut coords: Vec<Affine>,
        axes: &[usize],
    ) -> (Vec<usize>, Body, TermId) {
        let operand = self.nodes[anchor.index()].inputs[0];
        let shape = &self.nodes[operand.index()].meta.shape;
        let inner: Vec<usize> = axes.iter().map(|&axis| shape.dims()[axis]).collect();
        draft.turn_to([outer, &inner].concat());
        let rank = draft.space.len();
        // Coordinates of the result, except for the reduced axes, which take those of `inner`.
        for coord in &mut coords {
            coord.coefs.resize(rank, 0);
        }
        for (k, &axis) in axes.iter().enumerate() {
            coords[axis] = Affine::coordinate(outer.len() + k, rank);
        }
        let at = At { coords, exclusive: false, ..At::root(&[]) };
        let value = self.value(draft, operand, at);
        (inner, std::mem::take(&mut draft.body), value)
    }

    /// Results of a reduction that lie side by side in its operand: the extents behind the last
    /// axis that is reduced.
    fn adjacent(&self, anchor: NodeId, axes: &[usize]) -> usize {
        let operand = self.nodes[anchor.index()].inputs[0];
        let dims = self.nodes[operand.index()].meta.shape.dims();
        let last = axes.iter().rev().find(|&&axis| dims[axis] > 1);
        last.map_or(1, |&last| dims[last + 1..].iter().product())
    }

    pub(super) fn may_anchor(&self, draft: &Draft, id: NodeId, at: &At) -> bool {
        let meta = &self.nodes[id.index()].meta;
        matches!(self.classes[id.index()], Class::Reduce { .. } | Class::Kernel)
            && draft.anchor_allowed
            && draft.anchor.is_none()
            && !self.stored[id.index()]
            && self.uses[id.index()] == 1
            && at.exclusive
            && at.guards.is_empty()
            && meta.shape.len() == draft.space.iter().product::<usize>()
            && index::linear(&at.coords, &meta.shape, draft.space.len()).is_linear(&draft.space)
    }

    /// Whether a node widens halves for several readers: these load the halves, which take less memory than
    /// the node would.
    pub(super) fn widens(&self, id: NodeId) -> bool {
        let Node { inputs, meta, .. } = &self.nodes[id.index()];
        let (Class::Pointwise(Pointwise::Cast), [half]) = (&self.classes[id.index()], &inputs[..])
        else {
            return false;
        };
        let is_value = |id: NodeId| {
            let class = &self.classes[id.index()];
            matches!(class, Class::Pointwise(_) | Class::Reduce { .. } | Class::Kernel)
        };
        meta.dtype == DType::F32
            && self.nodes[half.index()].meta.dtype == DType::F16
            && self.uses[id.index()] > 1
            && is_value(self.unreshaped(*half))
    }

    /// Whether a node is inlined where it is used.
    pub(super) fn inlines(&self, draft: &Draft, id: NodeId, at: &At) -> bool {
        let index = id.index();
        if self.stored[index] {
            return false;
        }
        if self.widens(id) {
            return true;
        }
        match &self.classes[index] {
            Class::Source | Class::Reduce { .. } | Class::Kernel => false,
            Class::Full(_) | Class::Iota(_) => true,
            Class::Composite => unreachable!("expanded before"),
            Class::Layout(Layout::Reshape) if self.is_loaded(self.unreshaped(id)) => false,
            Class::Pointwise(_) | Class::Layout(_) => {
                at.depth < draft.depth
                    && draft.nodes.len() < MAX_OPERATIONS
                    && (self.uses[index] == 1 || self.left_of(MAX_RECOMPUTED, id).is_some())
            }
        }
    }

    /// Whether a node's value is in memory when a later group runs.
    pub(super) fn is_loaded(&self, id: NodeId) -> bool {
        self.stored[id.index()] || matches!(self.classes[id.index()], Class::Source)
    }

    /// The node that holds the data: reshaping moves nothing.
    pub(super) fn unreshaped(&self, id: NodeId) -> NodeId {
        match self.classes[id.index()] {
            Class::Layout(Layout::Reshape) if !self.stored[id.index()] => {
                self.unreshaped(self.nodes[id.index()].inputs[0])
            }
            _ => id,
        }
    }

    /// The rest of a budget after recomputing a node, in light operations per element; `None` if it
    /// does not suffice. The walk ends there: it is as short as the budget.
    fn left_of(&self, budget: usize, id: NodeId) -> Option<usize> {
        steps::count(1);
        if self.is_loaded(id) {
            return Some(budget);
        }
        let own = match &self.classes[id.index()] {
            Class::Source | Class::Full(_) | Class::Iota(_) => return Some(budget),
            // Each operand would be recomputed together with everything it depends on.
            Class::Layout(Layout::Concat { .. }) => return None,
            Class::Layout(Layout::Pad { .. }) => 1,
            Class::Layout(_) => 0,
            Class::Pointwise(function) => weight_of(function),
            Class::Reduce { .. } | Class::Kernel | Class::Composite => return None,
        };
        let left = budget.checked_sub(own)?;
        self.nodes[id.index()].inputs.iter().try_fold(left, |left, &id| self.left_of(left, id))
    }

    /// Whether recomputing a node per element would repeat arithmetic.
    pub(super) fn computes(&self, id: NodeId) -> bool {
        if self.is_loaded(id) {
            return false;
        }
        match &self.classes[id.index()] {
            Class::Layout(Layout::Concat { .. }) => true,
            Class::Layout(_) => self.computes(self.nodes[id.index()].inputs[0]),
            Class::Pointwise(_) | Class::Reduce { .. } | Class::Kernel => true,
            Class::Source | Class::Full(_) | Class::Iota(_) | Class::Composite => false,
        }
    }
}

/// Shapes and types of a node's operands.
fn operands_of<'a>(nodes: &'a [Node], node: &Node) -> Vec<&'a Meta> {
    node.inputs.iter().map(|id| &nodes[id.index()].meta).collect()
}

/// The same with f16 in the place of f32.
fn halved(nodes: &[Node], node: &Node) -> Vec<Meta> {
    let halved = |meta: &Meta| match meta.dtype {
        DType::F32 => Meta::new(&meta.shape, DType::F16),
        _ => meta.clone(),
    };
    operands_of(nodes, node).into_iter().map(halved).collect()
}

/// The cost of a function in light operations.
fn weight_of(function: &Pointwise) -> usize {
    use UnaryFn::{Abs, Neg, Not, Relu};
    match function {
        Pointwise::Unary(Abs | Neg | Not | Relu)
        | Pointwise::Compare(_)
        | Pointwise::Select
        | Pointwise::Cast => 1,
        Pointwise::Unary(_) | Pointwise::Binary(BinaryFn::Atan2) | Pointwise::Quantize(_) => 4,
        Pointwise::Binary(_) => 1,
        Pointwise::Random(_) => 64,
    }
}
