//! Samples on extents that kernels get wrong, made from those that were given.

use super::{
    check::elements,
    extents::{Place, dims, places, resized, ties},
};
use crate::ops::contract::Sample;
use std::collections::BTreeSet;

/// None, one, a prime, one past tiles of 64 and of 256, and more rows than the 65,535 workgroups that
/// a grid has along an axis.
const EXTENTS: [usize; 6] = [0, 1, 7, 65, 257, 65_537];

/// Maximum number of elements of an operand or a result.
const ELEMENTS: usize = 1 << 19;

/// The sample on each of these extents, as far as its operation takes them: at all axes of one extent
/// together, and at as few of them as may change without the others.
pub(super) fn variants(given: &Sample) -> Vec<Sample> {
    let mut seen = BTreeSet::from([dims(given)]);
    let mut variants = vec![];
    for places in places(given).into_values() {
        let ties = ties(&places);
        for extent in EXTENTS {
            let mut changed: Vec<&[Place]> = vec![];
            for tie in ties.iter().rev() {
                let holds = |few: &&[Place]| few.iter().all(|place| tie.contains(place));
                if tie.len() < places.len() && changed.iter().any(holds) {
                    continue;
                }
                let sample = resized(given, tie, extent);
                let Some(sample) = [narrow(&sample, extent), sample].into_iter().find(fits) else {
                    continue;
                };
                changed.push(tie);
                if seen.insert(dims(&sample)) {
                    variants.push(sample);
                }
            }
        }
    }
    variants
}

/// Whether its operation takes it, and it is not large.
fn fits(sample: &Sample) -> bool {
    elements(sample).is_some_and(|elements| elements <= ELEMENTS)
}

/// The sample with extents of at most 2 beside the largest of ours, or else as it is.
fn narrow(sample: &Sample, extent: usize) -> Sample {
    let mut narrow = sample.clone();
    if extent == EXTENTS[EXTENTS.len() - 1] {
        for (_, places) in
            places(sample).into_iter().filter(|(other, _)| (3..extent).contains(other))
        {
            narrow = resized(&narrow, &places, 2);
        }
    }
    narrow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array64, DType, Meta, ops::contract::Function};

    fn variants_of<const N: usize>(function: Function, shapes: [[usize; 2]; N]) -> Vec<String> {
        let given = Sample::new(function, shapes.map(|shape| Meta::new(shape, DType::F32)));
        variants(&given).iter().map(|variant| format!("{:?}", dims(variant))).collect()
    }

    #[test]
    fn inner_extents_of_a_product_change_together() {
        let definition = |x: &[&Array64]| x[0].clone();
        let product = Function::new("product", |x| x[0].matmul(x[1]), definition);
        let variants = variants_of(product, [[5, 9], [9, 5]]);
        // Rows and columns may change alone, and at once; inner extents only at once.
        for k in [0, 1, 7, 65, 257] {
            for expected in [[[5, k], [k, 5]], [[k, 9], [9, 5]], [[5, 9], [9, k]], [[k, 9], [9, k]]]
            {
                assert!(variants.contains(&format!("{expected:?}")), "{expected:?}: {variants:?}");
            }
        }
        // A large extent makes the others small, and large ones at two axes are too many.
        for expected in [[[65_537, 2], [2, 2]], [[2, 65_537], [65_537, 2]], [[2, 2], [2, 65_537]]] {
            assert!(variants.contains(&format!("{expected:?}")), "{expected:?}: {variants:?}");
        }
        assert_eq!(variants.len(), 23);
    }

    #[test]
    fn only_those_that_the_operation_takes_are_kept() {
        let square = Function::new(
            "flat",
            |x| if x[0].shape().dims()[0] < 8 { x[0] } else { x[0].reshape([1]) },
            |x| x[0].clone(),
        );
        let expected = ["[[0, 3]]", "[[1, 3]]", "[[7, 3]]"];
        let variants = variants_of(square, [[2, 3]]);
        let of_rows = variants.iter().filter(|v| v.ends_with(", 3]]")).collect::<Vec<_>>();
        assert_eq!(of_rows, expected.iter().collect::<Vec<_>>());
    }
}
