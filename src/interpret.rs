//! The f64 interpreter of graphs: the definition of every result.
//!
//! It evaluates a graph as built, before any rewriting or scheduling, with the plain loops in the
//! file of each operation. It is never optimized.

use crate::{
    array64::Array64,
    error::Error,
    graph::{Graph, Node, NodeId, Tensor},
    memory,
    ops::{Op, class::Class},
    shape::Meta,
};
use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// Evaluates all nodes that `wanted` depends on. Nothing is rounded, halves neither.
///
/// `source` returns the value of each input and variable.
pub fn evaluate(
    graph: &Graph,
    wanted: &[NodeId],
    source: impl FnMut(&Op) -> Result<Array64, Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    interpret(&graph.inner.borrow().nodes, wanted, source, |_, value| Ok(value))
}

/// Like [`evaluate`], but every value is what `settle` makes of it, which may stop the evaluation.
///
/// # Errors
///
/// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory) before anything is evaluated, if
/// there is not enough memory for the whole; those of `source` and `settle`.
pub(crate) fn interpret(
    nodes: &[Node],
    wanted: &[NodeId],
    source: impl FnMut(&Op) -> Result<Array64, Error>,
    settle: impl Fn(&Node, Array64) -> Result<Array64, Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    let last_use = last_use(nodes, wanted);
    memory::reserve(peak(nodes, &last_use))?;
    walk(nodes, wanted, &last_use, source, settle)
}

/// The last node that uses each value: 0 if none does, `usize::MAX` if it is wanted.
fn last_use(nodes: &[Node], wanted: &[NodeId]) -> Vec<usize> {
    let mut last_use = vec![0; nodes.len()];
    for &id in wanted {
        last_use[id.index()] = usize::MAX;
    }
    for (index, node) in nodes.iter().enumerate().rev() {
        if last_use[index] > 0 {
            for id in &node.inputs {
                last_use[id.index()] = last_use[id.index()].max(index);
            }
        }
    }
    last_use
}

fn walk(
    nodes: &[Node],
    wanted: &[NodeId],
    last_use: &[usize],
    mut source: impl FnMut(&Op) -> Result<Array64, Error>,
    settle: impl Fn(&Node, Array64) -> Result<Array64, Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    let mut values: HashMap<NodeId, Rc<Array64>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if last_use[index] == 0 {
            continue;
        }
        let value = match &node.op {
            Op::Input(_) | Op::Variable(_) => source(&node.op)?,
            op => {
                let operands: Vec<_> = node.inputs.iter().map(|id| values[id].clone()).collect();
                op.eval(&operands.iter().map(Rc::as_ref).collect::<Vec<_>>())
            }
        };
        for id in &node.inputs {
            if last_use[id.index()] == index {
                values.remove(id);
            }
        }
        values.insert(NodeId(index as u32), Rc::new(settle(node, value)?));
    }
    Ok(wanted.iter().map(|id| values[id].clone()).collect())
}

/// Bytes below which the memory of an operation is not worth a closer look.
const SMALL: usize = 1 << 20;

/// Bytes that [`walk`] takes at its worst moment.
fn peak(nodes: &[Node], last_use: &[usize]) -> usize {
    let bytes = |node: &Node| node.meta.shape.len().saturating_mul(size_of::<f64>());
    let (mut live, mut peak) = (0usize, 0usize);
    for (index, node) in nodes.iter().enumerate().filter(|(index, _)| last_use[*index] > 0) {
        let result = bytes(node);
        let operands = node.inputs.iter().map(|id| bytes(&nodes[id.index()]));
        let all = operands.fold(result, usize::saturating_add);
        let inside = match &node.op {
            Op::Input(_) | Op::Variable(_) => 0,
            op if all >= SMALL => {
                let metas: Vec<&Meta> =
                    node.inputs.iter().map(|id| &nodes[id.index()].meta).collect();
                if matches!(op.class(&metas, &node.meta), Class::Composite) {
                    let (graph, y) = expansion(op, &metas);
                    let nodes = &graph.inner.borrow().nodes;
                    self::peak(nodes, &self::last_use(nodes, &[y]))
                } else {
                    // Definitions convert or sort their operands; those of rows with a kernel take a
                    // few intermediate results.
                    all.saturating_mul(2)
                }
            }
            _ => 0,
        };
        live = live.saturating_add(result);
        peak = peak.max(live.saturating_add(inside));
        for id in node.inputs.iter().collect::<BTreeSet<_>>() {
            if last_use[id.index()] == index {
                live -= bytes(&nodes[id.index()]);
            }
        }
    }
    peak
}

/// The graph of an operation that is defined by its expansion, and the result in it.
fn expansion(op: &Op, operands: &[&Meta]) -> (Graph, NodeId) {
    let graph = Graph::new();
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(k, meta)| graph.input(&k.to_string(), &meta.shape, meta.dtype))
        .collect();
    let result = op.infer(&operands.iter().map(|&meta| meta.clone()).collect::<Vec<_>>());
    let wide: Vec<_> = inputs.into_iter().map(Tensor::widened).collect();
    let y = op.expand(&wide).expect("an expandable operation has an expansion");
    let y = result.map_or(y, |meta| y.cast(meta.dtype)).id;
    (graph, y)
}

/// Evaluates an operation that is defined by its expansion.
pub(crate) fn expanded(op: &Op, operands: &[&Array64]) -> Array64 {
    let metas: Vec<&Meta> = operands.iter().map(|operand| &operand.meta).collect();
    let (graph, y) = expansion(op, &metas);
    let source = |op: &Op| match op {
        Op::Input(input) => {
            let index: usize = input.name.parse().expect("inputs are numbered above");
            Ok(operands[index].clone())
        }
        _ => unreachable!("an expansion reads its operands only"),
    };
    let nodes = &graph.inner.borrow().nodes;
    // The memory was asked for by whoever evaluates the operation.
    let values = walk(nodes, &[y], &last_use(nodes, &[y]), source, |_, value| Ok(value));
    let value = values.expect("the operands are at hand").remove(0);
    Rc::unwrap_or_clone(value)
}
