//! Resizing of an axis by weighted means over all elements that a new one covers.

use super::{
    cubic::{inner, outer},
    quotients::Step,
};
use crate::{dtype::DType, graph::Tensor};

/// The `a` of the cubic kernel where it smooths, as in PyTorch and in image libraries.
const A: f64 = -0.5;

/// Resizes an axis: a new element is a mean of the old ones around its center, weighted by a kernel that
/// is stretched where the axis shrinks.
#[track_caller]
pub(super) fn smoothed(
    x: Tensor<'_>,
    axis: usize,
    size: usize,
    step: Step,
    is_cubic: bool,
) -> Tensor<'_> {
    let (graph, extent) = (x.graph(), x.dim(axis as i32));
    let wide = (step.over as f64 / step.under as f64).max(1.0);
    let reach = (wide * if is_cubic { 2.0 } else { 1.0 }).ceil();
    let taps = 2 * reach as usize + 1;
    // The element that a center lies in, and where: exact, however many elements there are.
    let centers = step.centers();
    let [middle, rest] = centers.quotients(graph, size);
    let share = (rest.cast(DType::F32) / centers.by as f64).unsqueeze(1);
    let around = graph.iota([1, taps], 1, DType::I32) - reach as i32;
    let at = middle.cast(DType::I32).unsqueeze(1) + around;
    let distance = (around.cast(DType::F32) + 0.5 - share).abs();
    let distance = match step.over > step.under {
        // Whole numbers, which f32 has, where their quotient would be rounded.
        true => distance * step.under as f64 / step.over as f64,
        false => distance,
    };
    let zero = distance.full_like(0.0);
    let weight = if is_cubic {
        let beyond = distance.less(2.0).select(outer(distance, A), zero);
        distance.less_equal(1.0).select(inner(distance, A), beyond)
    } else {
        (-distance + 1.0).maximum(0.0)
    };
    let last = extent as i32 - 1;
    let weight = at.greater_equal(0).and(at.less_equal(last)).select(weight, zero);
    let weight = weight / weight.sum_keepdims(1);
    let elements = x.index_select(at.maximum(0).minimum(last).cast(DType::U32), axis as i32);
    let weight = weight.reshape([&[size, taps][..], &vec![1; x.rank() - 1 - axis]].concat());
    // Elements without weight do not matter, be they NaN.
    let is_seen = weight.not_equal(0.0).broadcast_to(elements.shape());
    let seen = is_seen.select(elements, elements.full_like(0.0));
    (seen * weight).sum(axis as i32 + 1)
}

#[cfg(test)]
mod tests {
    use crate::{DType, Device, Error, Graph, Interpolation, Variables};

    /// An element is seen by those that it lies near, and by no others.
    #[test]
    fn what_is_far_does_not_matter() -> Result<(), Error> {
        let graph = Graph::new();
        let place = graph.iota([12], 0, DType::F32);
        let x = place.equal(0.0).select(place.full_like(f64::NAN), place);
        let kinds = [(Interpolation::SmoothLinear, 1), (Interpolation::SmoothCubic, 2)];
        let wanted = kinds.map(|(kind, _)| x.resize(&[4], kind));
        let same = x.resize(&[12], Interpolation::SmoothCubic);
        let program = graph.compile(&Device::Reference, &[wanted[0], wanted[1], same])?;
        let outputs = program.run(&Variables::new(0), &[])?;
        for (k, (_, near)) in kinds.into_iter().enumerate() {
            let found = outputs.read_blocking(k)?.to_f64();
            let nan: Vec<bool> = found.iter().map(|value| value.is_nan()).collect();
            assert_eq!(nan, [0, 1, 2, 3].map(|at| at < near), "{found:?}");
        }
        let same = outputs.read_blocking(2)?.to_f64();
        assert!(
            same[0].is_nan()
                && same[1..] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
        );
        Ok(())
    }
}
