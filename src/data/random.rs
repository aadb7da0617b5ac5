//! Random numbers on the host, identical on every machine and in every version.

/// A generator of random numbers for shuffling and for transforms of data.
///
/// Its numbers depend only on the keys that it was made from: for the transform of a row, these are a
/// seed, the epoch and the row, so that they do not depend on which worker asks for them, or when.
///
/// # Source
///
/// SplitMix64 (Steele et al. 2014).
///
/// ```
/// use wgrad::data::Random;
///
/// let [mut a, mut b] = [Random::new(&[7, 1]), Random::new(&[7, 1])];
/// assert_eq!(a.below(6), b.below(6));
/// assert!((0.0..1.0).contains(&a.unit()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator for these keys. Those of `[1, 2]` and of `[2, 1]` have nothing in common.
    pub fn new(keys: &[u64]) -> Self {
        let mut random = Random { state: 0 };
        for &key in keys {
            random.state ^= key;
            random.state = random.next();
        }
        random
    }

    /// 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "the numbers have no end")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high word of the product: the bias of any value is below bound / 2^64.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// A random permutation of the indices below `len`, which depends only on the key.
///
/// # Source
///
/// The Fisher-Yates shuffle, with [`Random`].
pub fn permutation(len: usize, key: u64) -> Vec<usize> {
    let mut random = Random { state: key };
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, random.below(last + 1));
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

    /// The first outputs for the state 1234567 in the reference implementation by Vigna.
    #[test]
    fn numbers_are_those_of_splitmix() {
        let mut random = Random { state: 1_234_567 };
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([random.next(), random.next()], expected);
    }

    #[test]
    fn units_fill_the_interval() {
        let mut random = Random::new(&[3]);
        let units: Vec<f64> = (0..4000).map(|_| random.unit()).collect();
        let mean = units.iter().sum::<f64>() / 4000.0;
        // Five standard deviations: sqrt(1 / 12 / 4000) is 0.0046.
        assert!((mean - 0.5).abs() < 0.023, "{mean}");
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert_ne!(Random::new(&[1, 2]), Random::new(&[2, 1]));
        assert_ne!(Random::new(&[0]), Random::new(&[0, 0]));
        assert_eq!(Random::new(&[]).below(0), 0);
    }
}
