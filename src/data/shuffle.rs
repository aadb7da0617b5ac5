//! Random permutations, identical on every machine and in every version.

/// A random permutation of the indices below `len`, which depends only on the key.
///
/// # Source
///
/// The Fisher-Yates shuffle with the SplitMix64 generator (Steele et al. 2014).
pub fn permutation(len: usize, key: u64) -> Vec<usize> {
    let mut state = key;
    let mut below = |bound: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // The high word of the product: the bias of any value is below bound / 2^64.
        ((u128::from(z) * bound as u128) >> 64) as usize
    };
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, below(last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_occurs_once_and_the_key_decides() {
        let mut order = permutation(100, 1);
        assert_ne!(order, permutation(100, 2));
        assert_eq!(order, permutation(100, 1));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert_eq!(permutation(0, 1), [] as [usize; 0]);
    }

    #[test]
    fn orders_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for key in 0..6000 {
            *counts.entry(permutation(3, key)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // Five standard deviations of a binomial: sqrt(6000 / 6 * 5 / 6) is 29.
        assert!(counts.values().all(|&n: &i32| (n - 1000).abs() < 145), "{counts:?}");
    }
}
