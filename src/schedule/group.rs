//! A step under construction, expressed in nodes that have no memory yet.

use super::{
    expr::{Affine, Body, Term, TermId},
    plan::{Epilogue, KernelWrite},
};
use crate::{
    graph::NodeId,
    ops::{kernel::Kernel, reduce::ReduceFn},
};

/// A step expressed in nodes.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Nodes it writes, in order; a single one except for maps and kernels.
    pub roots: Vec<NodeId>,
    /// Nodes it loads, in the order of `Term::Load::operand`.
    pub operands: Vec<NodeId>,
    /// All nodes computed in it.
    pub nodes: Vec<NodeId>,
    pub kind: GroupKind,
}

#[derive(Clone, Debug)]
pub(super) enum GroupKind {
    Map {
        space: Vec<usize>,
        body: Body,
        /// One term per root.
        terms: Vec<TermId>,
    },
    Reduce {
        function: ReduceFn,
        outer: Vec<usize>,
        inner: Vec<usize>,
        /// As in the plan.
        adjacent: usize,
        body: Body,
        value: TermId,
        epilogue: Epilogue,
    },
    Kernel {
        kernel: Kernel,
        /// The first `operands` operands of the group belong to the kernel.
        operands: usize,
        /// The nodes that it computes: siblings.
        anchors: Vec<NodeId>,
        /// One per root.
        writes: Vec<KernelWrite>,
    },
}

impl Group {
    /// The index of every load of `node`, and whether it is guarded.
    pub fn loads(&self, node: NodeId) -> Vec<(&Affine, bool)> {
        let bodies: Vec<&Body> = match &self.kind {
            GroupKind::Map { body, .. } => vec![body],
            GroupKind::Reduce { body, epilogue, .. } => vec![body, &epilogue.body],
            GroupKind::Kernel { writes, .. } => {
                writes.iter().map(|write| &write.epilogue.body).collect()
            }
        };
        let terms = bodies.into_iter().flat_map(|body| &body.terms);
        terms
            .filter_map(|(term, _)| match term {
                Term::Load { operand, index, guards } if self.operands[*operand] == node => {
                    Some((index, !guards.is_empty()))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether every read of `node` in the group is at the point being written, so that `node` may
    /// be overwritten in place. Kernels and prologues also read at other points, and an epilogue of
    /// one result at points of its own.
    pub fn reads_in_place(&self, node: NodeId) -> bool {
        let at_point = |body: &Body, space: &[usize]| {
            body.terms.iter().all(|(term, _)| match term {
                Term::Load { operand, index, guards } if self.operands[*operand] == node => {
                    guards.is_empty() && index.is_linear(space)
                }
                _ => true,
            })
        };
        match &self.kind {
            GroupKind::Map { space, body, .. } => at_point(body, space),
            GroupKind::Reduce { outer, body, epilogue, .. } => {
                !self.loads_in(body, node) && at_point(&epilogue.body, outer)
            }
            GroupKind::Kernel { operands, writes, .. } => {
                let epilogues = match &writes[..] {
                    [write] => at_point(&write.epilogue.body, &write.space),
                    _ => writes.iter().all(|write| !self.loads_in(&write.epilogue.body, node)),
                };
                !self.operands[..*operands].contains(&node) && epilogues
            }
        }
    }

    fn loads_in(&self, body: &Body, node: NodeId) -> bool {
        body.terms.iter().any(|(term, _)| {
            matches!(term, Term::Load { operand, .. } if self.operands[*operand] == node)
        })
    }
}
