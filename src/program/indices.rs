//! Index inputs of a run, checked before they reach a device.
//!
//! The behavior of a device for out-of-range indices is defined, but they are an error all the
//! same. If indices are an input and reach their operation unchanged, the run is refused.

use crate::{
    error::RunError,
    graph::{Graph, indices::unmoved},
    ops::Op,
    shape::Meta,
    value::Fed,
};
use std::collections::BTreeMap;

/// The inputs of a program that hold indices: the smallest extent they index into, by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexInputs(BTreeMap<usize, usize>);

impl IndexInputs {
    /// Collects the index inputs of the needed nodes.
    pub fn new(graph: &Graph, needed: &[bool], inputs: &[(String, Meta)]) -> Self {
        let mut extents = BTreeMap::new();
        let inner = graph.inner.borrow();
        for (node, _) in inner.nodes.iter().zip(needed).filter(|(_, needed)| **needed) {
            let operands: Vec<_> =
                node.inputs.iter().map(|id| &inner.nodes[id.index()].meta).collect();
            let Some((operand, extent)) = node.op.indexes(&operands) else { continue };
            let source = unmoved(|id| &inner.nodes[id.index()], node.inputs[operand]);
            if let Op::Input(input) = &inner.nodes[source.index()].op
                && let Ok(position) = inputs.binary_search_by(|(name, _)| name.cmp(&input.name))
            {
                let least: &mut usize = extents.entry(position).or_insert(extent);
                *least = extent.min(*least);
            }
        }
        IndexInputs(extents)
    }

    /// Checks the inputs that come from the host.
    pub fn check(&self, inputs: &[(String, Meta)], fed: &[Fed<'_>]) -> Result<(), RunError> {
        for (&input, &extent) in &self.0 {
            let Fed::Host(array) = &fed[input] else { continue };
            let outside = |&word: &u32| word as usize >= extent;
            if let Some(position) = array.words().iter().position(outside) {
                let (name, index) = (inputs[input].0.clone(), array.words()[position]);
                return Err(RunError::IndexOutOfRange { name, index, position, extent });
            }
        }
        Ok(())
    }
}
