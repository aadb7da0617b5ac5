//! Graph to graph: the same results from fewer or simpler operations.
//!
//! Every pass copies the graph node by node, leaves out what nobody needs, and is followed by
//! [`Graph::verify`].

mod dedup;
mod expand;
mod pass;
mod simplify;

use crate::{
    error::Error,
    graph::{Graph, NodeId},
};
use pass::{Wanted, pass};

/// All passes: operations without kernels for their shapes are expanded, the rest simplified.
///
/// # Errors
///
/// [`GraphError::Invariant`](crate::GraphError::Invariant), which is a bug in this crate.
pub(crate) fn run(
    graph: &Graph,
    outputs: &[NodeId],
    effects: bool,
) -> Result<(Graph, Vec<NodeId>), Error> {
    let graph = graph.clone();
    if !effects {
        graph.inner.borrow_mut().effects.clear();
    }
    let mut wanted = Wanted { graph, outputs: outputs.to_vec() };
    while expand::applies(&wanted.graph) {
        wanted = pass(&wanted, expand::rule)?;
    }
    // Simplifying makes equal what dedup then merges, and the other way round.
    loop {
        let before = wanted.graph.len();
        wanted = pass(&wanted, simplify::rule)?;
        let mut known = dedup::Known::default();
        wanted = pass(&wanted, |node, operands, graph| known.rule(node, operands, graph))?;
        if wanted.graph.len() >= before {
            return Ok((wanted.graph, wanted.outputs));
        }
    }
}
