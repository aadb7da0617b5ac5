//! Simplification rules that preserve every value, except for the rounding of constants.

use super::pass::keep;
use crate::{
    array64::Array64,
    dtype::DType,
    graph::{Graph, Node, Tensor},
    ops::{
        Op,
        binary::{Binary, BinaryFn},
        broadcast::Broadcast,
        cast::Cast,
        class::{Class, Layout},
        concat::Concat,
        full::Full,
        matmul::Matmul,
        pad::Pad,
        reduce::Reduce,
        reshape::Reshape,
        slice::Slice,
        transpose::Transpose,
        unary::{Unary, UnaryFn},
    },
    shape::Meta,
};

/// Notes in `changed` whether a rule applied.
pub(super) fn rule<'g>(
    node: &Node,
    x: &[Tensor<'g>],
    graph: &'g Graph,
    changed: &mut bool,
) -> Tensor<'g> {
    let simpler = constant(node, x, graph)
        .or_else(|| widened(node, x))
        .or_else(|| layout(node, x, graph))
        .or_else(|| arithmetic(node, x))
        .or_else(|| reduction(node, x, graph))
        .or_else(|| product(node, x, graph));
    *changed |= simpler.is_some();
    simpler.unwrap_or_else(|| keep(node, x, graph))
}

/// The word of every element, if all are equal.
fn word(x: Tensor<'_>) -> Option<u32> {
    match x.graph.inner.borrow().nodes[x.id.index()].op {
        Op::Full(Full { word, .. }) => Some(word),
        _ => None,
    }
}

/// Constant folding: a function of constants is a constant, and so is a constant in another layout.
fn constant<'g>(node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Option<Tensor<'g>> {
    let words = x.iter().map(|&x| word(x)).collect::<Option<Vec<_>>>()?;
    let metas: Vec<Meta> = x.iter().map(|x| x.meta()).collect();
    let full = |word| graph.push(Full { word, meta: node.meta.clone() }, &[]);
    match node.op.class(&metas.iter().collect::<Vec<_>>(), &node.meta) {
        Class::Pointwise(_) if !words.is_empty() => {
            let scalars: Vec<Array64> = words
                .iter()
                .zip(&metas)
                .map(|(&word, meta)| Array64 {
                    meta: Meta::new([], meta.dtype),
                    data: vec![meta.dtype.from_word(word)],
                })
                .collect();
            let value = node.op.eval(&scalars.iter().collect::<Vec<_>>()).data[0];
            Some(full(node.meta.dtype.to_word(value)))
        }
        Class::Layout(
            Layout::Reshape
            | Layout::Transpose(_)
            | Layout::Broadcast
            | Layout::Slice { .. }
            | Layout::Flip(_),
        ) => Some(full(words[0])),
        _ => None,
    }
}

/// Undoes the widening of halves.
fn widened<'g>(node: &Node, x: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    let (Op::Cast(Cast { to: DType::F16 }), &[x]) = (&node.op, x) else { return None };
    let Node { op: Op::Cast(Cast { to: DType::F32 }), inputs, .. } = x.graph.node(x.id) else {
        return None;
    };
    let half = Tensor { graph: x.graph, id: inputs[0] };
    (half.dtype() == DType::F16).then_some(half)
}

/// Removes layout changes that do nothing, and combines two of the same kind.
fn layout<'g>(node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Option<Tensor<'g>> {
    let &[x] = x else { return None };
    let metas = [&x.meta()];
    let Class::Layout(layout) = node.op.class(&metas, &node.meta) else { return None };
    let same_shape = x.shape() == node.meta.shape;
    let inner = graph.node(x.id);
    let operand = || Tensor { graph, id: inner.inputs[0] };
    match (layout, &inner.op) {
        (Layout::Reshape | Layout::Broadcast, _) if same_shape => Some(x),
        (Layout::Reshape, Op::Reshape(_) | Op::Detach(_)) => {
            Some(graph.push(Reshape { shape: node.meta.shape.clone() }, &[operand()]))
        }
        (Layout::Broadcast, Op::Broadcast(_)) => {
            Some(graph.push(Broadcast { shape: node.meta.shape.clone() }, &[operand()]))
        }
        (Layout::Transpose(axes), _) if axes.iter().enumerate().all(|(i, &axis)| i == axis) => {
            Some(x)
        }
        (Layout::Transpose(axes), Op::Transpose(Transpose { axes: first })) => {
            let axes = axes.iter().map(|&axis| first[axis]).collect();
            Some(graph.push(Transpose { axes }, &[operand()]))
        }
        (Layout::Slice { starts, steps }, _)
            if same_shape
                && starts.iter().all(|&start| start == 0)
                && steps.iter().all(|&step| step == 1) =>
        {
            Some(x)
        }
        (Layout::Slice { starts, steps }, _) if steps.iter().all(|&step| step == 1) => {
            slice_of_what_was_made(&starts, x, &node.meta)
        }
        (Layout::Pad { .. }, _) if same_shape => Some(x),
        _ => None,
    }
}

/// Reads a slice of a concatenation directly from the operand that contains it, and a slice of a
/// padded tensor from that tensor or from the padding, however deep they are nested. This undoes
/// concatenations made to obtain a single operand, and pads that are cotangents of several slices.
fn slice_of_what_was_made<'g>(starts: &[usize], x: Tensor<'g>, meta: &Meta) -> Option<Tensor<'g>> {
    let dims = meta.shape.dims();
    let (mut starts, mut whole) = (starts.to_vec(), x);
    loop {
        match within(&mut starts, dims, whole) {
            Some(Within::Part(part)) => whole = part,
            Some(Within::Padding(word)) => {
                return Some(x.graph.push(Full { word, meta: meta.clone() }, &[]));
            }
            None if whole.id == x.id => return None,
            None if whole.shape() == meta.shape => return Some(whole),
            None => break,
        }
    }
    let ends = starts.iter().zip(dims).map(|(start, dim)| start + dim).collect();
    let steps = vec![1; starts.len()];
    Some(x.graph.push(Slice { starts, ends, steps }, &[whole]))
}

/// Where a slice of a tensor lies entirely.
enum Within<'g> {
    /// In an operand of what made the tensor.
    Part(Tensor<'g>),
    /// In padding with this word.
    Padding(u32),
}

/// Finds where the slice at `starts` lies; `starts` become those in the operand.
fn within<'g>(starts: &mut [usize], dims: &[usize], whole: Tensor<'g>) -> Option<Within<'g>> {
    let graph = whole.graph;
    let nodes = &graph.inner.borrow().nodes;
    let made = &nodes[whole.id.index()];
    match &made.op {
        Op::Concat(Concat { axis }) => {
            let (start, extent) = (starts[*axis], dims[*axis]);
            let mut end = 0;
            let (id, first) = made.inputs.iter().find_map(|&id| {
                let first = end;
                end += nodes[id.index()].meta.shape.dims()[*axis];
                let is_within = first <= start && start + extent <= end && extent > 0;
                is_within.then_some((id, first))
            })?;
            starts[*axis] -= first;
            Some(Within::Part(Tensor { graph, id }))
        }
        Op::Pad(Pad { low, word, .. }) => {
            let id = made.inputs[0];
            let mut inner = starts.to_vec();
            for (axis, &extent) in nodes[id.index()].meta.shape.dims().iter().enumerate() {
                let (start, end) = (starts[axis], starts[axis] + dims[axis]);
                let (first, last) = (low[axis], low[axis] + extent);
                // Entirely in the padding along one axis, whatever the position along the others.
                if end <= first || last <= start {
                    return Some(Within::Padding(*word));
                }
                inner[axis] = start.checked_sub(first).filter(|_| end <= last)?;
            }
            starts.copy_from_slice(&inner);
            Some(Within::Part(Tensor { graph, id }))
        }
        _ => None,
    }
}

/// Multiplication by 1, subtraction of 0, and double negation.
fn arithmetic<'g>(node: &Node, x: &[Tensor<'g>]) -> Option<Tensor<'g>> {
    let is = |x: Tensor<'_>, value: f64| word(x) == Some(x.dtype().to_word(value));
    match (&node.op, x) {
        (Op::Binary(Binary(BinaryFn::Mul)), &[a, b]) if is(b, 1.0) => Some(a),
        (Op::Binary(Binary(BinaryFn::Mul)), &[a, b]) if is(a, 1.0) => Some(b),
        (Op::Binary(Binary(BinaryFn::Div)), &[a, b]) if is(b, 1.0) => Some(a),
        // Not `a + 0`: it turns -0 into 0.
        (Op::Binary(Binary(BinaryFn::Sub)), &[a, b]) if is(b, 0.0) => Some(a),
        (Op::Unary(Unary(UnaryFn::Neg)), &[a]) => match a.graph.node(a.id) {
            Node { op: Op::Unary(Unary(UnaryFn::Neg)), inputs, .. } => {
                Some(Tensor { graph: a.graph, id: inputs[0] })
            }
            _ => None,
        },
        _ => None,
    }
}

/// Reduces a transposed operand where it lies: its order in memory decides the order of summation.
fn reduction<'g>(node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Option<Tensor<'g>> {
    let (Op::Reduce(Reduce { function, axes }), &[x]) = (&node.op, x) else { return None };
    let Node { op: Op::Transpose(transpose), inputs, .. } = graph.node(x.id) else { return None };
    let mut axes: Vec<usize> = axes.iter().map(|&axis| transpose.axes[axis]).collect();
    axes.sort_unstable();
    let operand = Tensor { graph, id: inputs[0] };
    let reduced = graph.push(Reduce { function: *function, axes }, &[operand]);
    Some(graph.push(transpose, &[reduced]))
}

/// Folds a transposed operand of a matrix product into a flag of the product.
fn product<'g>(node: &Node, x: &[Tensor<'g>], graph: &'g Graph) -> Option<Tensor<'g>> {
    let Op::Matmul(op) = &node.op else { return None };
    let &[a, b] = x else { return None };
    let untransposed = |x: Tensor<'g>| match graph.node(x.id) {
        Node { op: Op::Transpose(Transpose { axes }), inputs, .. } => {
            let (rank, mut swapped) = (axes.len(), (0..axes.len()).collect::<Vec<_>>());
            swapped.swap(rank - 2, rank - 1);
            (axes == swapped).then_some(Tensor { graph, id: inputs[0] })
        }
        _ => None,
    };
    let (a_was, b_was) = (untransposed(a), untransposed(b));
    if a_was.is_none() && b_was.is_none() {
        return None;
    }
    let op = Matmul {
        transpose_a: op.transpose_a ^ a_was.is_some(),
        transpose_b: op.transpose_b ^ b_was.is_some(),
        precision: op.precision,
    };
    Some(graph.push(op, &[a_was.unwrap_or(a), b_was.unwrap_or(b)]))
}
