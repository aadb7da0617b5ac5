//! Orders in which rows are drawn.

use super::random::{Random, permutation};
use crate::error::{DataError, Error};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The rows of an epoch: each once, shuffled or in their order, or drawn by weight.
///
/// ```
/// use wgrad::data::Sampling;
///
/// // 90 rows of class 0 and ten of class 1, drawn equally often.
/// let classes: Vec<u32> = (0..100).map(|row| u32::from(row >= 90)).collect();
/// let rows = Sampling::balanced(&classes)?.epoch(100, 0, 1)?;
/// let rare = rows.iter().filter(|&&row| row >= 90).count();
/// assert!((30..70).contains(&rare));
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("Sampler", "WeightedRandomSampler", "RandomSampler"))]
#[derive(Clone, PartialEq)]
pub struct Sampling(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Shuffled,
    InOrder,
    /// Sums of the weights up to and including each row.
    Weighted(Arc<[f64]>),
}

impl Sampling {
    /// Every row once, in an order that is new in each epoch.
    pub fn shuffled() -> Self {
        Sampling(Kind::Shuffled)
    }

    /// Every row once, in the order of the set.
    #[doc(alias = "SequentialSampler")]
    pub fn in_order() -> Self {
        Sampling(Kind::InOrder)
    }

    /// As many rows as there are, drawn with replacement: the probability of each is proportional to
    /// its weight.
    /// # Errors
    ///
    /// [`DataError::Weight`], [`DataError::NoWeight`].
    pub fn weighted(weights: impl IntoIterator<Item = f64>) -> Result<Self, Error> {
        let mut sum = 0.0;
        let mut sums = Vec::new();
        for (index, weight) in weights.into_iter().enumerate() {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(DataError::Weight { index, weight }.into());
            }
            sum += weight;
            sums.push(sum);
        }
        // Weights near the largest number add up to infinity.
        match sum > 0.0 && sum.is_finite() {
            true => Ok(Sampling(Kind::Weighted(sums.into()))),
            false => Err(DataError::NoWeight { sum }.into()),
        }
    }

    /// [Weighted](Self::weighted) so that each class is drawn equally often.
    ///
    /// # Errors
    ///
    /// [`DataError::NoWeight`] without rows.
    #[doc(alias = "class_weight")]
    pub fn balanced(classes: &[u32]) -> Result<Self, Error> {
        let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
        classes.iter().for_each(|&class| *counts.entry(class).or_default() += 1.0);
        Sampling::weighted(classes.iter().map(|class| 1.0 / counts[class]))
    }

    /// The row indices of an epoch, in a set of so many rows. They depend on nothing else.
    ///
    /// # Errors
    ///
    /// [`DataError::Weights`] if there is not one weight for each row.
    pub fn epoch(&self, rows: usize, seed: u64, epoch: usize) -> Result<Vec<usize>, Error> {
        // An odd multiplier separates (seed, epoch) from (seed + 1, epoch - 1).
        let key = seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(epoch as u64);
        match &self.0 {
            Kind::InOrder => Ok((0..rows).collect()),
            Kind::Shuffled => Ok(permutation(rows, key)),
            Kind::Weighted(sums) if sums.len() == rows => {
                let mut random = Random::new(&[key]);
                let total = sums.last().copied().unwrap_or_default();
                let draw = |_| {
                    let at = random.unit() * total;
                    // The product may be rounded up to the total.
                    sums.partition_point(|&sum| sum <= at).min(rows - 1)
                };
                Ok((0..rows).map(draw).collect())
            }
            Kind::Weighted(sums) => Err(DataError::Weights { weights: sums.len(), rows }.into()),
        }
    }
}

/// The turn of each of these rows of an epoch: see [`Dataset::draw`](super::Dataset::draw).
pub(super) fn turns(rows: &[usize], epoch: usize) -> Vec<u64> {
    let mut times: Vec<u32> = vec![0; rows.iter().max().map_or(0, |&most| most + 1)];
    let turn = |&row: &usize| {
        let turn = u64::from(times[row]) << 32 | (epoch as u64 & 0xFFFF_FFFF);
        times[row] += 1;
        turn
    };
    rows.iter().map(turn).collect()
}

impl Default for Sampling {
    /// [Shuffled](Self::shuffled).
    fn default() -> Self {
        Sampling::shuffled()
    }
}

impl fmt::Display for Sampling {
    /// Weights are told apart by a hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Shuffled => f.write_str("shuffled"),
            Kind::InOrder => f.write_str("as it is"),
            Kind::Weighted(sums) => {
                let bits: Vec<u64> = sums.iter().map(|sum| sum.to_bits()).collect();
                write!(f, "by {} weights ({:016x})", bits.len(), Random::new(&bits).next())
            }
        }
    }
}

impl fmt::Debug for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sampling({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_every_row_once() -> Result<(), Error> {
        let shuffled = Sampling::default();
        let mut rows = shuffled.epoch(10, 7, 3)?;
        assert_eq!(rows, shuffled.epoch(10, 7, 3)?);
        assert_ne!(rows, shuffled.epoch(10, 7, 4)?);
        assert_ne!(rows, shuffled.epoch(10, 8, 3)?);
        rows.sort_unstable();
        assert_eq!(rows, Sampling::in_order().epoch(10, 7, 3)?);
        Ok(())
    }

    #[test]
    fn rows_are_drawn_by_weight() -> Result<(), Error> {
        let weights = (0..8000).map(|row| [1.0, 0.0, 3.0, 4.0][row % 4]);
        let sampling = Sampling::weighted(weights)?;
        let rows = sampling.epoch(8000, 1, 1)?;
        let count = |kind: usize| rows.iter().filter(|&&row| row % 4 == kind).count() as f64;
        for (kind, share) in [(0, 0.125_f64), (1, 0.0), (2, 0.375), (3, 0.5)] {
            // Five standard deviations of a binomial.
            let bound = 5.0 * (8000.0 * share * (1.0 - share)).sqrt();
            assert!((count(kind) - 8000.0 * share).abs() <= bound, "{kind}: {}", count(kind));
        }
        assert_eq!(sampling.epoch(8000, 1, 1)?, rows);
        assert_ne!(sampling.epoch(8000, 1, 2)?, rows);
        assert_ne!(sampling.to_string(), Sampling::balanced(&[0; 8000])?.to_string());
        Ok(())
    }

    #[test]
    fn a_row_that_is_drawn_again_has_another_turn() {
        let again = |times: u64| times << 32 | 7;
        assert_eq!(turns(&[3, 0, 3, 3], 7), [7, 7, again(1), again(2)]);
        assert_eq!(turns(&[], 7), [0; 0]);
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |weights: &[f64]| {
            let made = Sampling::weighted(weights.iter().copied());
            made.expect_err("no weights").to_string()
        };
        assert_eq!(refused(&[1.0, -1.0]), "weight 1 is -1: expected a finite number from 0");
        assert!(refused(&[f64::NAN]).starts_with("weight 0 is NaN"));
        for (none, sum) in [(&[][..], "0"), (&[0.0, 0.0], "0"), (&[f64::MAX, f64::MAX], "inf")] {
            let text = format!("the weights add up to {sum}: expected a finite sum above 0");
            assert_eq!(refused(none), text);
        }
        let weighted = Sampling::weighted([1.0, 2.0]).expect("they are weights");
        let error = weighted.epoch(3, 0, 1).expect_err("three rows").to_string();
        assert_eq!(error, "2 weights do not fit 3 rows: expected one for each");
    }
}
