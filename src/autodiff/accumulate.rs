//! Accumulation of the cotangents of one tensor.

use crate::{
    graph::Tensor,
    ops::{Op, pad::Pad},
};

/// Sums the cotangents of one tensor, first to last, halves in f32. Adjacent pieces padded with zeros, which
/// gradients of disjoint slices are, get concatenated instead of added. There must be at least
/// one cotangent.
pub(super) fn accumulate<'g>(parts: &[Tensor<'g>]) -> Tensor<'g> {
    let (mut pieces, mut rest) = (Vec::new(), Vec::new());
    for &part in parts {
        match Piece::of(part) {
            Some(piece) => pieces.push(piece),
            None => rest.push(part),
        }
    }
    pieces.sort_by_key(|piece| (piece.axis, piece.start));
    let adjoin = |a: &Piece<'g>, b: &Piece<'g>| {
        a.axis == b.axis && a.end == b.start && a.inner.dtype() == b.inner.dtype()
    };
    for run in pieces.chunk_by(adjoin) {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        if let [only] = run {
            rest.push(only.padded);
            continue;
        }
        let (axis, whole) = (first.axis, first.padded.shape());
        let mut pads = vec![(0, 0); whole.rank()];
        pads[axis] = (first.start, whole.dims()[axis] - last.end);
        let inner: Vec<_> = run.iter().map(|piece| piece.inner).collect();
        rest.push(first.padded.graph.concat(&inner, axis as i32).pad_constant(&pads, 0.0));
    }
    match rest[..] {
        [only] => only,
        _ => {
            let sum = rest.into_iter().map(Tensor::widened).reduce(|sum, part| sum + part);
            sum.unwrap_or(parts[0])
        }
    }
}

/// A tensor that is zero outside of one range of an axis.
struct Piece<'g> {
    padded: Tensor<'g>,
    inner: Tensor<'g>,
    axis: usize,
    start: usize,
    end: usize,
}

impl<'g> Piece<'g> {
    fn of(padded: Tensor<'g>) -> Option<Self> {
        if padded.failed() {
            return None;
        }
        let node = padded.graph.node(padded.id);
        let Op::Pad(Pad { low, high, word }) = &node.op else { return None };
        let surrounded = |&axis: &usize| low[axis] + high[axis] > 0;
        let mut axes = (0..low.len()).filter(surrounded);
        let (Some(axis), None) = (axes.next(), axes.next()) else { return None };
        let inner = Tensor { graph: padded.graph, id: node.inputs[0] };
        let (start, end) = (low[axis], node.meta.shape.dims()[axis] - high[axis]);
        (*word == node.meta.dtype.to_word(0.0)).then_some(Piece { padded, inner, axis, start, end })
    }
}
