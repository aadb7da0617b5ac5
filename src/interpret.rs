//! The f64 interpreter of graphs: the definition of every result.
//!
//! It evaluates a graph as built, before any rewriting or scheduling, with the plain loops in the
//! file of each operation. It is never optimized.

use crate::{
    array64::Array64,
    error::Error,
    graph::{Graph, Node, NodeId},
    ops::Op,
};
use std::{collections::HashMap, rc::Rc};

/// Evaluates all nodes that `wanted` depends on.
///
/// `source` returns the value of each input and variable.
pub fn evaluate(
    graph: &Graph,
    wanted: &[NodeId],
    source: impl FnMut(&Op) -> Result<Array64, Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
    interpret(&graph.inner.borrow().nodes, wanted, source, |_, _| Ok(()))
}

/// Like [`evaluate`], but passes every value to `look`, which may stop the evaluation.
pub(crate) fn interpret(
    nodes: &[Node],
    wanted: &[NodeId],
    mut source: impl FnMut(&Op) -> Result<Array64, Error>,
    look: impl Fn(&Node, &Array64) -> Result<(), Error>,
) -> Result<Vec<Rc<Array64>>, Error> {
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
        look(node, &value)?;
        for id in &node.inputs {
            if last_use[id.index()] == index {
                values.remove(id);
            }
        }
        values.insert(NodeId(index as u32), Rc::new(value));
    }
    Ok(wanted.iter().map(|id| values[id].clone()).collect())
}

/// Evaluates an operation that is defined by its expansion.
pub(crate) fn expanded(op: &Op, operands: &[&Array64]) -> Array64 {
    let graph = Graph::new();
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(k, operand)| graph.input(&k.to_string(), operand.shape(), operand.meta.dtype))
        .collect();
    let y = op.expand(&inputs).expect("an expandable operation has an expansion");
    let values = evaluate(&graph, &[y.id], |op| match op {
        Op::Input(input) => {
            let index: usize = input.name.parse().expect("inputs are numbered above");
            Ok(operands[index].clone())
        }
        _ => unreachable!("an expansion reads its operands only"),
    });
    let value = values.expect("the operands are at hand").remove(0);
    Rc::unwrap_or_clone(value)
}
