//! Reverse-mode differentiation: the graph walk. Each operation contributes its own `vjp`.
//!
//! The walk appends ordinary operations to the graph being differentiated, so the result is itself
//! differentiable.

mod accumulate;

use crate::{
    dtype::DType,
    error::{GraphError, OpError},
    graph::{Node, NodeId, Tensor},
    ops::{Op, class::Class},
    shape::Meta,
    steps,
};
use accumulate::accumulate;
use std::collections::{BTreeMap, HashSet};

/// Cotangents of `wrt`, given the cotangent `seed` of `y`; `None` where `y` does not depend on
/// the tensor, or only through non-differentiable steps.
///
/// # Errors
///
/// Recorded in the graph of `y`: [`GraphError::ForeignTensor`]; [`GraphError::Op`] if `seed` does
/// not match the shape and type of `y`. There are no cotangents then.
#[track_caller]
pub fn vjp<'g>(y: Tensor<'g>, seed: Tensor<'g>, wrt: &[Tensor<'g>]) -> Vec<Option<Tensor<'g>>> {
    let graph = y.graph;
    let none = vec![None; wrt.len()];
    if wrt.iter().chain([&seed]).any(|x| !std::ptr::eq(x.graph, graph)) {
        graph.fail(GraphError::ForeignTensor { op: "vjp", place: graph.place() });
        return none;
    }
    if y.failed() || seed.failed() || wrt.iter().any(|x| x.failed()) {
        return none;
    }
    if seed.meta() != y.meta() {
        graph.refuse("vjp", &[y, seed], OpError::Argument("a cotangent is like its tensor"));
        return none;
    }
    let sought: HashSet<NodeId> = wrt.iter().map(|x| x.id).collect();
    // Nodes between `wrt` and `y`, from the first: only those depending on `wrt` need a cotangent.
    // The graph of an expansion is a few nodes at the end of a long one.
    let first = wrt.iter().map(|x| x.id.index()).min().unwrap_or(0);
    let mut depends = vec![false; (y.id.index() + 1).saturating_sub(first)];
    for x in wrt {
        if let Some(flag) = depends.get_mut(x.id.index() - first) {
            *flag = true;
        }
    }
    let is_between = |depends: &[bool], id: NodeId| {
        id.index().checked_sub(first).and_then(|k| depends.get(k)).copied().unwrap_or(false)
    };
    {
        let inner = graph.inner.borrow();
        steps::count(depends.len());
        for index in 0..depends.len() {
            let node = &inner.nodes[first + index];
            depends[index] |= node.inputs.iter().any(|&input| is_between(&depends, input));
        }
    }
    let between = |id: NodeId| is_between(&depends, id);
    let mut cotangents: BTreeMap<NodeId, Vec<Tensor<'g>>> = BTreeMap::from([(y.id, vec![seed])]);
    let mut wanted: BTreeMap<NodeId, Tensor<'g>> = BTreeMap::new();
    while let Some((id, parts)) = cotangents.pop_last() {
        let node = graph.node(id);
        // Attribute the appended nodes to the scope and line of the forward node.
        let scope = graph.enter(Some(node.scope.clone()));
        let line = graph.attribute(Some(node.location));
        let ct = accumulate(&parts);
        if sought.contains(&id) {
            wanted.insert(id, ct.cast(node.meta.dtype));
        }
        let leads_on = node.inputs.iter().any(|&input| between(input));
        let operands: Vec<_> = node.inputs.iter().map(|&id| Tensor { graph, id }).collect();
        let contributions = if leads_on { contributions(&node, &operands, id, ct) } else { vec![] };
        for (operand, contribution) in operands.iter().zip(contributions) {
            let Some(contribution) = contribution.filter(|_| between(operand.id)) else {
                continue;
            };
            cotangents.entry(operand.id).or_default().push(contribution);
        }
        graph.attribute(line);
        graph.enter(scope);
    }
    wrt.iter().map(|x| wanted.get(&x.id).copied()).collect()
}

/// The contributions of a node to the cotangents of its operands, given its own. Those to halves may be
/// f32: they are added up in f32, and the sum is rounded once.
fn contributions<'g>(
    node: &Node,
    operands: &[Tensor<'g>],
    id: NodeId,
    ct: Tensor<'g>,
) -> Vec<Option<Tensor<'g>>> {
    let y = Tensor { graph: ct.graph, id };
    let metas: Vec<Meta> = operands.iter().map(|operand| operand.meta()).collect();
    if node.meta.dtype != DType::F16 && metas.iter().all(|meta| meta.dtype != DType::F16) {
        return node.op.vjp(operands, y, ct);
    }
    match node.op.class(&metas.iter().collect::<Vec<_>>(), &node.meta) {
        // Nothing is calculated on the way.
        Class::Layout(_) => node.op.vjp(operands, y, ct),
        // Their derivatives take several steps.
        Class::Pointwise(_) | Class::Reduce { .. } => {
            let operands: Vec<_> = operands.iter().map(|operand| operand.widened()).collect();
            node.op.vjp(&operands, y.widened(), ct.cast(node.meta.dtype).widened())
        }
        _ => node.op.vjp(operands, y, ct.cast(node.meta.dtype)),
    }
}

/// Derivatives of a single float w.r.t. each of `wrt`; zeros where it does not depend on it.
///
/// # Errors
///
/// Recorded in the graph of `loss`: [`GraphError::NotALoss`] unless it is a single float;
/// [`GraphError::ForeignTensor`].
#[doc(alias("autograd.grad", "backward", "GradientTape"))]
#[track_caller]
pub fn grad<'g>(loss: Tensor<'g>, wrt: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
    if loss.failed() {
        return vec![loss; wrt.len()];
    }
    if wrt.iter().any(|x| !std::ptr::eq(x.graph, loss.graph)) {
        let place = loss.graph.place();
        let failed = loss.graph.fail(GraphError::ForeignTensor { op: "grad", place });
        return vec![failed; wrt.len()];
    }
    let meta = loss.meta();
    if meta.shape.len() != 1 || !meta.dtype.is_float() {
        let place = loss.graph.place();
        let failed = loss.graph.fail(GraphError::NotALoss { of: meta, place });
        return vec![failed; wrt.len()];
    }
    let cotangents = vjp(loss, loss.full_like(1.0), wrt);
    let or_zero = |(ct, x): (Option<Tensor<'g>>, &Tensor<'g>)| ct.unwrap_or(x.full_like(0.0));
    cotangents.into_iter().zip(wrt).map(or_zero).collect()
}

/// The cotangents of an operation that defines none: those of its expansion.
///
/// The expansion is built on aliases of the operands, because one operand may depend on another
/// or be the same tensor: aliases keep the walk from passing through one into the other.
pub(crate) fn through_expansion<'g>(
    op: &Op,
    operands: &[Tensor<'g>],
    ct: Tensor<'g>,
) -> Vec<Option<Tensor<'g>>> {
    let aliases: Vec<_> = operands.iter().map(|operand| operand.alias()).collect();
    match op.expand(&aliases.iter().map(|alias| alias.widened()).collect::<Vec<_>>()) {
        Some(y) => vjp(y, ct.cast(y.dtype()), &aliases),
        None => vec![None; operands.len()],
    }
}
