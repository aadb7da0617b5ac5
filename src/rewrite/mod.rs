//! Graph rewriting: the same results from fewer or simpler operations.
//!
//! Every pass copies the graph node by node, drops nodes that are not needed, and is followed by
//! [`Graph::verify`].

mod dedup;
mod expand;
mod grads;
mod pass;
mod simplify;
mod units;

use crate::{
    error::Error,
    graph::{Graph, NodeId},
    ops::precision::MatrixUnits,
};
use grads::Pairs;
use pass::{Wanted, pass, pass_with_copies};
use std::borrow::Cow;

/// The properties of a device that decide how a graph is rewritten.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target<'a> {
    /// Its matrix units, the preferred ones first.
    pub units: &'a [MatrixUnits],
    /// How the gradients of a layer's weight and bias are calculated.
    pub grads: Grads,
}

/// Gradients of a layer's weight and bias, of the same cotangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grads {
    /// The bias's is a reduction as any other.
    #[default]
    Reduced,
    /// One kernel has both where both are needed.
    Together,
    /// Each has a kernel of its own, with the same bits.
    Apart,
}

impl<'a> Target<'a> {
    /// One with these matrix units, for single operations.
    pub fn with_units(units: &'a [MatrixUnits]) -> Self {
        Target { units, grads: Grads::Reduced }
    }
}

/// Runs all passes for a device: joins gradients of layers, expands operations that have no kernel for
/// their shapes, and simplifies, before and after products have got their units.
///
/// # Errors
///
/// [`GraphError::Invariant`](crate::GraphError::Invariant), which is a bug in this crate.
pub(crate) fn run(
    graph: &Graph,
    outputs: &[NodeId],
    effects: bool,
    target: Target<'_>,
) -> Result<(Graph, Vec<NodeId>), Error> {
    let mut wanted = Wanted { graph: Cow::Borrowed(graph), outputs: outputs.to_vec(), effects };
    if target.grads != Grads::Reduced {
        let pairs = Pairs::of(&wanted, target.grads == Grads::Together);
        if !pairs.is_empty() {
            wanted = pass_with_copies(&wanted, |node, operands, graph, copies| {
                pairs.rule(node, operands, graph, copies)
            })?;
        }
    }
    let available = target.units;
    for kind in [units::Kind::Convolutions, units::Kind::Products] {
        if kind.applies(&wanted.graph, available) {
            wanted =
                pass(&wanted, |node, operands, graph| kind.rule(node, operands, graph, available))?;
        }
        wanted = simpler(wanted)?;
    }
    Ok((wanted.graph.into_owned(), wanted.outputs))
}

/// Expands, then simplifies until nothing changes.
fn simpler(mut wanted: Wanted<'_>) -> Result<Wanted<'_>, Error> {
    while expand::applies(&wanted.graph) {
        wanted = pass(&wanted, expand::rule)?;
    }
    // Simplification creates duplicates for dedup to merge, and a simpler node may be simplified
    // again.
    for round in 0.. {
        let before = wanted.graph.len();
        let mut changed = false;
        wanted = pass(&wanted, |node, operands, graph| {
            simplify::rule(node, operands, graph, &mut changed)
        })?;
        if round > 0 && !changed {
            break;
        }
        let mut known = dedup::Known::for_nodes(wanted.graph.len());
        wanted = pass(&wanted, |node, operands, graph| known.rule(node, operands, graph))?;
        if wanted.graph.len() >= before {
            break;
        }
    }
    Ok(wanted)
}
