//! The extents of a sample's operands, and other ones in their place.

use crate::{ops::contract::Sample, shape::Meta};
use std::collections::BTreeMap;

/// An axis of an operand.
pub(super) type Place = (usize, usize);

/// The extents of all operands.
pub(super) fn dims(sample: &Sample) -> Vec<Vec<usize>> {
    sample.operands.iter().map(|(meta, _)| meta.shape.dims().to_vec()).collect()
}

/// The axes that have each extent.
pub(super) fn places(sample: &Sample) -> BTreeMap<usize, Vec<Place>> {
    let mut places: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
    for (operand, dims) in dims(sample).into_iter().enumerate() {
        for (axis, extent) in dims.into_iter().enumerate() {
            places.entry(extent).or_default().push((operand, axis));
        }
    }
    places
}

/// The sample with this extent at some axes.
pub(super) fn resized(sample: &Sample, places: &[Place], extent: usize) -> Sample {
    let mut dims = dims(sample);
    for &(operand, axis) in places {
        dims[operand][axis] = extent;
    }
    let mut sample = sample.clone();
    for ((meta, _), dims) in sample.operands.iter_mut().zip(dims) {
        *meta = Meta::new(dims, meta.dtype);
    }
    sample
}

/// Sets of axes of one extent that may have to change together, the largest first: all of them, and,
/// if they are few, all subsets, else pairs and single ones.
pub(super) fn ties(places: &[Place]) -> Vec<Vec<Place>> {
    const FEW: usize = 6;
    let subset = |bits: u64| {
        let chosen = places.iter().enumerate().filter(|(k, _)| bits >> k & 1 == 1);
        chosen.map(|(_, place)| *place).collect::<Vec<_>>()
    };
    let mut ties: Vec<Vec<Place>> = if places.len() <= FEW {
        (1..1u64 << places.len()).map(subset).collect()
    } else {
        let pairs = places.iter().enumerate();
        let pairs = pairs.flat_map(|(k, a)| places[k + 1..].iter().map(move |b| vec![*a, *b]));
        let single = places.iter().map(|place| vec![*place]);
        [places.to_vec()].into_iter().chain(pairs).chain(single).collect()
    };
    ties.sort_by_key(|tie| std::cmp::Reverse(tie.len()));
    ties
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_all_subsets_of_few_axes_and_pairs_of_many() {
        let places: Vec<Place> = (0..3).map(|k| (k, 0)).collect();
        let [a, b, c] = [0, 1, 2].map(|k| (k, 0));
        let expected =
            [vec![a, b, c], vec![a, b], vec![a, c], vec![b, c], vec![a], vec![b], vec![c]];
        assert_eq!(ties(&places), expected);
        let many: Vec<Place> = (0..10).map(|k| (k, 0)).collect();
        let sizes = ties(&many).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes, [vec![10], vec![2; 45], vec![1; 10]].concat());
    }
}
