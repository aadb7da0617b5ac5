//! Indices that the host can see: constants, and what reaches an operation from an input.
//!
//! The result of an out-of-range index is defined on every device, but it is an error all the same
//! wherever the host can see the index: in a constant while the graph is built, in an input before
//! a run.

use super::{Graph, Node, NodeId, Tensor};
use crate::{array64::Array64, dtype::DType, error::OpError, ops::Op, shape::Meta};
use std::collections::BTreeMap;

/// The range that a function expects its indices in, where no operation of its own says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// The indices.
    pub indices: NodeId,
    /// They are below this.
    pub extent: usize,
    /// Those that count.
    pub which: Which,
    /// The node that depends on them: it is in every program that reads them.
    pub reader: NodeId,
}

/// The indices that must be in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// All that differ from this value.
    AllBut(u32),
    /// The first of each row of a matrix, in the numbers that this tensor holds.
    First(NodeId),
}

/// The origin of an element of a tensor of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The element of an input at this position.
    Input(NodeId, usize),
    /// A constant.
    Constant(u32),
    /// Anything else: only the device knows it.
    Computed,
}

impl<'g> Tensor<'g> {
    /// Records that this tensor holds indices below `extent`, in every program that computes
    /// `reader`.
    ///
    /// # Errors
    ///
    /// Recorded in the name of `function`: [`OpError::Index`] if they are constants that are not.
    #[track_caller]
    pub(crate) fn expect_below(
        self,
        function: &'static str,
        extent: usize,
        which: Which,
        reader: Tensor<'g>,
    ) -> Tensor<'g> {
        if self.failed() || reader.failed() {
            return reader;
        }
        if let Err(reason) = self.graph.refuse_constant(self.id, extent, which) {
            return self.graph.refuse(function, &[self], reason);
        }
        let expected = Expected { indices: self.id, extent, which, reader: reader.id };
        self.graph.inner.borrow_mut().expected.push(expected);
        reader
    }
}

impl Graph {
    /// Checks the indices of an operation, if they are constants.
    pub(super) fn refuse_constants(&self, op: &Op, inputs: &[NodeId]) -> Result<(), OpError> {
        let found = {
            let inner = self.inner.borrow();
            let operands: Vec<_> = inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
            op.indexes(&operands)
        };
        found.map_or(Ok(()), |(operand, extent)| {
            self.refuse_constant(inputs[operand], extent, Which::All)
        })
    }

    fn refuse_constant(&self, indices: NodeId, extent: usize, which: Which) -> Result<(), OpError> {
        let inner = self.inner.borrow();
        let node = |id: NodeId| &inner.nodes[id.index()];
        let mut source = unmoved(node, indices);
        while let Op::Slice(_) = node(source).op {
            source = unmoved(node, node(source).inputs[0]);
        }
        if let (Op::Constant(_), Which::All | Which::AllBut(_)) = (&node(source).op, which) {
            let exempt = if let Which::AllBut(value) = which { Some(value) } else { None };
            let wrong =
                origins(&inner.nodes, indices).into_iter().find_map(|origin| match origin {
                    Origin::Constant(index)
                        if index as usize >= extent && exempt != Some(index) =>
                    {
                        Some(OpError::Index { index, extent })
                    }
                    _ => None,
                });
            return wrong.map_or(Ok(()), Err);
        }
        let Op::Full(full) = &node(source).op else { return Ok(()) };
        let counts = match which {
            Which::All => true,
            Which::AllBut(value) => full.word != value,
            Which::First(_) => false,
        };
        if counts && full.word as usize >= extent && !node(indices).meta.shape.is_empty() {
            Err(OpError::Index { index: full.word, extent })
        } else {
            Ok(())
        }
    }
}

/// Follows operations that keep every element back to the node whose elements these are.
pub(crate) fn unmoved<'a>(node: impl Fn(NodeId) -> &'a Node, id: NodeId) -> NodeId {
    let mut id = id;
    loop {
        let is_kept = match &node(id).op {
            Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Flip(_) => true,
            Op::Cast(_) => is_whole(node(id)) && is_whole(node(node(id).inputs[0])),
            _ => false,
        };
        if !is_kept {
            return id;
        }
        id = node(id).inputs[0];
    }
}

/// Whether these are integers: labels may be i32 before they are cast, and a negative one, which
/// would become 0, is no index.
fn is_whole(node: &Node) -> bool {
    matches!(node.meta.dtype, DType::I32 | DType::U32)
}

/// The origin of every element, followed through the operations that only move elements.
pub(crate) fn origins(nodes: &[Node], id: NodeId) -> Vec<Origin> {
    let is_cast = |node: &Node| {
        matches!(node.op, Op::Cast(_)) && is_whole(node) && is_whole(&nodes[node.inputs[0].index()])
    };
    let mut chain = vec![id];
    let mut next = 0;
    while let Some(&id) = chain.get(next) {
        let node = &nodes[id.index()];
        if moves(&node.op) || is_cast(node) {
            chain.extend(&node.inputs);
        }
        next += 1;
    }
    chain.sort_unstable();
    chain.dedup();
    // Operations move tags as they would move indices; nodes stand in the order of dependence.
    let mut tagged: BTreeMap<NodeId, Array64> = BTreeMap::new();
    for id in chain {
        let node = &nodes[id.index()];
        let operands: Vec<_> = node.inputs.iter().filter_map(|id| tagged.get(id)).collect();
        let tags = match &node.op {
            op if moves(op) => op.eval(&operands),
            _ if is_cast(node) => operands[0].clone(),
            op => Array64 { meta: node.meta.clone(), data: Origin::tags(op, id, &node.meta) },
        };
        tagged.insert(id, tags);
    }
    tagged[&id].data.iter().map(|&tag| Origin::of(tag)).collect()
}

/// Whether every element of the result is one of an operand, or a constant.
fn moves(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Broadcast(_)
            | Op::Flip(_)
            | Op::Slice(_)
            | Op::Concat(_)
            | Op::Pad(_)
            | Op::Detach(_)
    )
}

/// 2^32: tags below it are constants, and tensors have fewer elements.
const WORDS: f64 = (1u64 << 32) as f64;

impl Origin {
    /// A number for each element of a tensor; all are whole and below 2^53, where f64 is exact,
    /// with up to 2^21 nodes.
    fn tags(op: &Op, id: NodeId, meta: &Meta) -> Vec<f64> {
        match op {
            Op::Input(_) => {
                let first = WORDS * (f64::from(id.0) + 1.0);
                (0..meta.shape.len()).map(|position| first + position as f64).collect()
            }
            Op::Full(full) if matches!(full.meta.dtype, DType::I32 | DType::U32) => {
                vec![f64::from(full.word); meta.shape.len()]
            }
            Op::Constant(constant) if matches!(meta.dtype, DType::I32 | DType::U32) => {
                constant.array.words().iter().copied().map(f64::from).collect()
            }
            _ => vec![-1.0; meta.shape.len()],
        }
    }

    fn of(tag: f64) -> Self {
        if tag < 0.0 {
            Origin::Computed
        } else if tag < WORDS {
            Origin::Constant(tag as u32)
        } else {
            let node = (tag / WORDS).floor();
            Origin::Input(NodeId(node as u32 - 1), (tag - node * WORDS) as usize)
        }
    }
}
