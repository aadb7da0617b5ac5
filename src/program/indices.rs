//! Index inputs of a run, checked before they reach a device.
//!
//! The behavior of a device for out-of-range indices is defined, but they are an error all the
//! same. The run is refused if indices are an input, or parts of inputs that were only moved.

use crate::{
    array::Array,
    dtype::DType,
    error::{Error, GraphError, OpError, RunError},
    graph::{
        Graph, Inner, Node, NodeId, Tensor,
        indices::{Expected, Origin, Which, origins, unmoved},
    },
    ops::Op,
    shape::Meta,
    value::Fed,
};
use std::collections::{BTreeMap, BTreeSet};

/// The checks of the inputs of a program, by position of the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexInputs(BTreeMap<usize, Vec<Check>>);

/// Elements of an input that are indices below `extent`, or `exempt`.
#[derive(Clone, Debug, PartialEq)]
struct Check {
    extent: usize,
    exempt: Option<u32>,
    /// `None` for all.
    elements: Option<Vec<Element>>,
}

/// An element of an input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Element {
    position: usize,
    end: Option<End>,
}

/// The end of a row of indices, past which they do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
struct End {
    /// The input that has the length of the row, and the position there.
    length: [usize; 2],
    /// The column of the index.
    column: usize,
}

impl IndexInputs {
    /// Collects the index inputs of the needed nodes.
    ///
    /// # Errors
    ///
    /// [`GraphError::Op`] for a constant among moved indices that is out of range.
    pub fn new(
        graph: &Graph,
        needed: &[bool],
        inputs: &[(String, Meta)],
    ) -> Result<Self, GraphError> {
        let inner = graph.inner.borrow();
        let of_operations = inner.nodes.iter().enumerate().filter_map(|(reader, node)| {
            let operands: Vec<_> =
                node.inputs.iter().map(|&id| &node_of(&inner, id).meta).collect();
            let (operand, extent) = node.op.indexes(&operands)?;
            let (indices, reader) = (node.inputs[operand], NodeId(reader as u32));
            Some(Expected { indices, extent, which: Which::All, reader })
        });
        let mut checks = IndexInputs::default();
        // An operation and its derivative read the same indices.
        let mut seen = BTreeSet::new();
        for expected in of_operations.chain(inner.expected.iter().copied()) {
            let Expected { indices, extent, which, reader } = expected;
            if needed[reader.index()] && seen.insert((indices, extent, which)) {
                checks.add(&inner, &expected, inputs)?;
            }
        }
        for checks in checks.0.values_mut() {
            // The smallest extent comes first: it is the one reported.
            checks.sort_by_key(|check| check.extent);
            checks.dedup();
        }
        Ok(checks)
    }

    /// Adds checks of the inputs that these indices come from.
    fn add(
        &mut self,
        inner: &Inner,
        expected: &Expected,
        inputs: &[(String, Meta)],
    ) -> Result<(), GraphError> {
        let &Expected { indices, extent, which, .. } = expected;
        let input_of = |id| match &node_of(inner, id).op {
            Op::Input(input) => inputs.binary_search_by(|(name, _)| name.cmp(&input.name)).ok(),
            _ => None,
        };
        let (exempt, lengths) = match which {
            Which::All => (None, None),
            Which::AllBut(value) => (Some(value), None),
            Which::First(lengths) => (None, Some(origins(&inner.nodes, lengths))),
        };
        if lengths.is_none()
            && let Some(input) = input_of(unmoved(|id| node_of(inner, id), indices))
        {
            self.0.entry(input).or_default().push(Check { extent, exempt, elements: None });
            return Ok(());
        }
        let columns = node_of(inner, indices).meta.shape.dims().last().copied().unwrap_or(1);
        let mut parts: BTreeMap<usize, Vec<Element>> = BTreeMap::new();
        for (number, origin) in origins(&inner.nodes, indices).into_iter().enumerate() {
            let column = number % columns;
            let end = match lengths.as_ref().map(|lengths| lengths[number / columns]) {
                None => None,
                Some(Origin::Constant(length)) if column < length as usize => None,
                Some(Origin::Input(lengths, position)) if let Some(input) = input_of(lengths) => {
                    Some(End { length: [input, position], column })
                }
                // Past the end, or where only the device knows.
                Some(_) => continue,
            };
            match origin {
                Origin::Input(input, position) => {
                    let Some(input) = input_of(input) else { continue };
                    parts.entry(input).or_default().push(Element { position, end });
                }
                Origin::Constant(index)
                    if index as usize >= extent && exempt != Some(index) && end.is_none() =>
                {
                    let reader = node_of(inner, expected.reader);
                    let operand = |&id: &NodeId| node_of(inner, id).meta.clone();
                    return Err(GraphError::Op {
                        op: reader.op.name(),
                        operands: reader.inputs.iter().map(operand).collect(),
                        reason: OpError::Index { index, extent },
                        place: reader.place(),
                    });
                }
                Origin::Constant(_) | Origin::Computed => {}
            }
        }
        for (input, elements) in parts {
            let check = Check { extent, exempt, elements: Some(elements) };
            self.0.entry(input).or_default().push(check);
        }
        Ok(())
    }

    /// Checks all rows that batches are drawn from, of the inputs whose elements are all indices.
    pub fn check_rows<'a>(
        &self,
        inputs: &[(String, Meta)],
        rows: impl Fn(&str) -> Option<&'a Array>,
    ) -> Result<(), RunError> {
        for (&input, checks) in &self.0 {
            let (name, meta) = &inputs[input];
            let Some(array) = rows(name).filter(|array| array.dtype() == meta.dtype) else {
                continue;
            };
            let of_all = checks.iter().filter(|check| check.elements.is_none());
            refuse(name, array, of_all, |_| None)?;
        }
        Ok(())
    }

    /// Checks the inputs that come from the host.
    pub fn check(&self, inputs: &[(String, Meta)], fed: &[Fed<'_>]) -> Result<(), RunError> {
        let host = |input: usize| match fed[input] {
            Fed::Host(array) => Some(array),
            Fed::Device(_) => None,
        };
        for (&input, checks) in &self.0 {
            if let Some(array) = host(input) {
                refuse(&inputs[input].0, array, checks, |input| host(input).map(Array::words))?;
            }
        }
        Ok(())
    }
}

/// Checks the indices in all rows that batches are drawn from, of a program with these outputs and the
/// effects of the graph. Returns whether no others have to be checked: all elements of the inputs that
/// hold any are indices.
///
/// # Errors
///
/// Those of the graph; [`RunError::IndexOutOfRange`].
pub(crate) fn reads_whole_rows<'a>(
    graph: &Graph,
    outputs: &[Tensor<'_>],
    rows: impl Fn(&str) -> Option<&'a Array>,
) -> Result<bool, Error> {
    graph.check()?;
    let updates =
        graph.inner.borrow().effects.iter().map(|effect| effect.value).collect::<Vec<_>>();
    let outputs = outputs.iter().map(|output| output.id).collect::<Vec<_>>();
    let needed = graph.needed(&[outputs, updates].concat());
    let inner = graph.inner.borrow();
    let meta = |(name, &id): (&String, &NodeId)| (name.clone(), node_of(&inner, id).meta.clone());
    let inputs: Vec<(String, Meta)> = inner.inputs.iter().map(meta).collect();
    drop(inner);
    let indexed = IndexInputs::new(graph, &needed, &inputs)?;
    indexed.check_rows(&inputs, rows)?;
    Ok(indexed.0.values().flatten().all(|check| check.elements.is_none()))
}

/// Refuses the first index that violates a check.
fn refuse<'a, 'c>(
    name: &str,
    array: &Array,
    checks: impl IntoIterator<Item = &'c Check>,
    words: impl Fn(usize) -> Option<&'a [u32]>,
) -> Result<(), RunError> {
    let indices = array.words();
    let number = |position: usize| match array.dtype() {
        DType::I32 => i64::from(indices[position] as i32),
        _ => i64::from(indices[position]),
    };
    for check in checks {
        let Some(position) = check.violated(indices.len(), number, &words) else { continue };
        let (name, index, extent) = (name.to_owned(), number(position), check.extent);
        return Err(RunError::IndexOutOfRange { name, index, position, extent });
    }
    Ok(())
}

impl Check {
    /// The first position that holds an index out of range, of so many.
    fn violated<'a>(
        &self,
        len: usize,
        number: impl Fn(usize) -> i64,
        words: impl Fn(usize) -> Option<&'a [u32]>,
    ) -> Option<usize> {
        let is_outside = |position: usize| {
            let index = number(position);
            !usize::try_from(index).is_ok_and(|index| index < self.extent)
                && self.exempt.map(i64::from) != Some(index)
        };
        let counts = |End { length: [input, position], column }: End| {
            words(input).is_some_and(|lengths| column < lengths[position] as usize)
        };
        let Some(elements) = &self.elements else {
            return (0..len).find(|&position| is_outside(position));
        };
        let is_wrong =
            |element: &&Element| is_outside(element.position) && element.end.is_none_or(&counts);
        elements.iter().find(is_wrong).map(|element| element.position)
    }
}

fn node_of(inner: &Inner, id: NodeId) -> &Node {
    &inner.nodes[id.index()]
}
