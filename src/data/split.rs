//! Training, validation and test parts of a data set, and folds.

use super::random::{Random, permutation};
use crate::error::{DataError, Error};
use std::{cmp::Reverse, collections::BTreeMap};

/// Splits the rows of a data set into parts: by rows alone, by class or by group.
///
/// The parts are lists of row indices, in the order of the set, for [`Subset`](super::Subset) or
/// [`ArrayDataset::rows`](super::ArrayDataset::rows). The same seed gives the same parts.
///
/// ```
/// use wgrad::data::Split;
///
/// // Eight rows of class 0 and four of class 1.
/// let classes = [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1];
/// let [train, validation, test] = Split::by_class(&classes).seed(7).parts([0.5, 0.25, 0.25])?;
/// assert_eq!([train.len(), validation.len(), test.len()], [6, 3, 3]);
/// assert_eq!(test.iter().filter(|&&row| classes[row] == 1).count(), 1);
///
/// // Three photographs of each of four people: nobody is in two parts.
/// let people = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3];
/// for fold in Split::by_group(&people).folds(4)? {
///     assert_eq!((fold.train.len(), fold.validation.len()), (9, 3));
/// }
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("train_test_split", "random_split", "StratifiedShuffleSplit", "GroupShuffleSplit"))]
#[derive(Clone, Copy, Debug)]
pub struct Split<'l> {
    rows: usize,
    by: By<'l>,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum By<'l> {
    Row,
    Class(&'l [u32]),
    Group(&'l [u32]),
}

/// One of several ways to hold out a part of a data set: see [`Split::folds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The rows to train on.
    pub train: Vec<usize>,
    /// The rows held out.
    pub validation: Vec<usize>,
}

impl<'l> Split<'l> {
    /// Splits so many rows.
    pub fn rows(rows: usize) -> Self {
        Split { rows, by: By::Row, seed: 0 }
    }

    /// Splits rows of these classes so that every part has its fraction of each, within a row. Of a
    /// class with few rows, all may be in one part.
    #[doc(alias = "stratify")]
    pub fn by_class(classes: &'l [u32]) -> Self {
        Split { rows: classes.len(), by: By::Class(classes), seed: 0 }
    }

    /// Splits rows of these groups so that no group is in two parts: the recordings of one speaker,
    /// say. The parts are as near to their fractions as a greedy choice brings them, which places
    /// the largest groups first.
    #[doc(alias("GroupKFold", "groups"))]
    pub fn by_group(groups: &'l [u32]) -> Self {
        Split { rows: groups.len(), by: By::Group(groups), seed: 0 }
    }

    /// Sets the seed; it is 0 otherwise.
    #[doc(alias = "random_state")]
    pub fn seed(self, seed: u64) -> Self {
        Split { seed, ..self }
    }

    /// Parts of these fractions. Where they add up to less than 1, the other rows are in none.
    ///
    /// A part may be empty where there are few rows, or few of each class.
    ///
    /// # Errors
    ///
    /// [`DataError::Fractions`].
    pub fn parts<const N: usize>(&self, fractions: [f64; N]) -> Result<[Vec<usize>; N], Error> {
        let total: f64 = fractions.iter().sum();
        let is_fraction = |fraction: &f64| (0.0..=1.0).contains(fraction);
        // Sums of fractions such as 0.7, 0.2 and 0.1 are rounded.
        if !fractions.iter().all(is_fraction) || total > 1.0 + 1e-9 {
            return Err(DataError::Fractions(fractions.to_vec()).into());
        }
        let mut parts = [const { Vec::new() }; N];
        match self.by {
            By::Group(groups) => {
                let rest = [(1.0 - total).max(0.0)];
                let shares: Vec<f64> = fractions.iter().copied().chain(rest).collect();
                for (group, part) in self.dealt(groups, &shares) {
                    // The last share is that of no part.
                    parts.iter_mut().skip(part).take(1).for_each(|rows| rows.extend(&group));
                }
            }
            By::Row | By::Class(_) => {
                for members in self.classes() {
                    let mut begin = 0;
                    let mut reached = 0.0;
                    for (part, fraction) in parts.iter_mut().zip(fractions) {
                        reached += fraction;
                        let end = (members.len() as f64 * reached).round() as usize;
                        let end = end.clamp(begin, members.len());
                        part.extend(&members[begin..end]);
                        begin = end;
                    }
                }
            }
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        Ok(parts)
    }

    /// Folds for cross-validation: each row is held out in exactly one.
    ///
    /// # Errors
    ///
    /// [`DataError::Folds`] unless there are two or more, and a row or a group for each.
    #[doc(alias("KFold", "StratifiedKFold", "cross_val_score", "GroupKFold"))]
    pub fn folds(&self, folds: usize) -> Result<Vec<Fold>, Error> {
        let mut fold_of = vec![0; self.rows];
        let (of, unit) = match self.by {
            By::Group(groups) => {
                let mut different = groups.to_vec();
                different.sort_unstable();
                different.dedup();
                (different.len(), "groups")
            }
            By::Row | By::Class(_) => (self.rows, "rows"),
        };
        if folds < 2 || folds > of {
            return Err(DataError::Folds { folds, of, unit }.into());
        }
        match self.by {
            By::Group(groups) => {
                for (group, fold) in self.dealt(groups, &vec![1.0 / folds as f64; folds]) {
                    group.iter().for_each(|&row| fold_of[row] = fold);
                }
            }
            // One after another, like cards, and on from class to class.
            By::Row | By::Class(_) => {
                for (position, row) in self.classes().into_iter().flatten().enumerate() {
                    fold_of[row] = position % folds;
                }
            }
        }
        let rows = |fold: usize, is_held: bool| {
            (0..self.rows).filter(|&row| (fold_of[row] == fold) == is_held).collect()
        };
        Ok((0..folds)
            .map(|fold| Fold { train: rows(fold, false), validation: rows(fold, true) })
            .collect())
    }

    /// The rows of each class in random order.
    fn classes(&self) -> Vec<Vec<usize>> {
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for row in 0..self.rows {
            let class = if let By::Class(classes) = self.by { classes[row] } else { 0 };
            classes.entry(class).or_default().push(row);
        }
        let shuffled = |(class, members): (u32, Vec<usize>)| {
            // An odd multiplier, so that seeds and classes have keys of their own.
            let key = self.seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(class.into());
            let order = permutation(members.len(), key);
            order.into_iter().map(|position| members[position]).collect()
        };
        classes.into_iter().map(shuffled).collect()
    }

    /// The rows of each group, and the share that they are dealt to: the one that lacks most.
    fn dealt(&self, groups: &[u32], shares: &[f64]) -> Vec<(Vec<usize>, usize)> {
        let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, &group) in groups.iter().enumerate() {
            members.entry(group).or_default().push(row);
        }
        let mut random = Random::new(&[self.seed]);
        let mut members: Vec<_> = members.into_values().map(|rows| (random.next(), rows)).collect();
        members.sort_by_key(|(order, rows)| (Reverse(rows.len()), *order));
        let mut lacking: Vec<f64> = shares.iter().map(|share| share * self.rows as f64).collect();
        let dealt = members.into_iter().map(|(_, rows)| {
            // The first of equals.
            let most = (0..lacking.len()).rev().max_by(|&a, &b| lacking[a].total_cmp(&lacking[b]));
            let share = most.unwrap_or_default();
            lacking.iter_mut().skip(share).take(1).for_each(|lack| *lack -= rows.len() as f64);
            (rows, share)
        });
        dealt.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rows: &[usize], labels: &[u32], label: u32) -> usize {
        rows.iter().filter(|&&row| labels[row] == label).count()
    }

    fn is_partition(parts: &[&[usize]], rows: usize) -> bool {
        let mut all = parts.concat();
        all.sort_unstable();
        all == (0..rows).collect::<Vec<_>>()
    }

    #[test]
    fn parts_are_of_the_whole() -> Result<(), Error> {
        let [train, validation, test] = Split::rows(10).parts([0.7, 0.2, 0.1])?;
        assert_eq!([train.len(), validation.len(), test.len()], [7, 2, 1]);
        assert!(is_partition(&[&train, &validation, &test], 10));
        assert!(train.is_sorted());
        assert_eq!(Split::rows(10).parts([0.7])?[0], train);
        assert_ne!(Split::rows(10).seed(1).parts([0.7])?[0], train);
        assert!(Split::rows(0).parts([0.5, 0.5])?.iter().all(Vec::is_empty));
        for wrong in [[-0.1, 0.5], [0.6, 0.5], [f64::NAN, 0.1]] {
            let error = Split::rows(10).parts(wrong).expect_err("no parts of a whole");
            assert!(matches!(error, Error::Data(DataError::Fractions(_))), "{error}");
        }
        Ok(())
    }

    #[test]
    fn every_part_has_its_fraction_of_each_class() -> Result<(), Error> {
        // 40, 20 and 10 rows.
        let classes: Vec<u32> = (0..70).map(|row| [0, 0, 0, 0, 1, 1, 9][row % 7]).collect();
        let parts = Split::by_class(&classes).seed(3).parts([0.6, 0.3, 0.1])?;
        for (part, fraction) in parts.iter().zip([6, 3, 1]) {
            for (class, of) in [(0, 40), (1, 20), (9, 10)] {
                assert_eq!(count(part, &classes, class), of * fraction / 10);
            }
        }
        let [train, validation, test] = &parts;
        assert!(is_partition(&[train, validation, test], 70));
        Ok(())
    }

    #[test]
    fn a_group_stays_together() -> Result<(), Error> {
        // Twelve groups of one to four rows.
        let groups: Vec<u32> =
            (0..12u32).flat_map(|group| vec![group; 1 + group as usize % 4]).collect();
        let [train, test] = Split::by_group(&groups).seed(5).parts([0.8, 0.2])?;
        assert!(is_partition(&[&train, &test], 30));
        assert_eq!([train.len(), test.len()], [24, 6]);
        for group in 0..12 {
            let [a, b] = [&train, &test].map(|rows| count(rows, &groups, group));
            assert!(a == 0 || b == 0, "group {group}");
        }
        let [half] = Split::by_group(&groups).parts([0.5])?;
        assert_eq!(half.len(), 15);
        Ok(())
    }

    #[test]
    fn every_row_is_held_out_once() -> Result<(), Error> {
        let classes: Vec<u32> = (0..23).map(|row| u32::from(row % 3 == 0)).collect();
        let groups: Vec<u32> = (0..23).map(|row| row / 2).collect();
        for split in [Split::rows(23), Split::by_class(&classes), Split::by_group(&groups)] {
            let folds = split.seed(1).folds(5)?;
            let held: Vec<&[usize]> = folds.iter().map(|fold| &*fold.validation).collect();
            assert!(is_partition(&held, 23));
            for Fold { train, validation } in &folds {
                assert!(is_partition(&[train, validation], 23));
                assert!((4..=6).contains(&validation.len()), "{split:?}: {}", validation.len());
            }
        }
        for fold in Split::by_class(&classes).folds(4)? {
            assert_eq!(count(&fold.validation, &classes, 1), 2);
        }
        for fold in Split::by_group(&groups).folds(5)? {
            let is_held = |row: &usize| fold.validation.contains(row);
            assert!((0..22).step_by(2).all(|row| is_held(&row) == is_held(&(row + 1))));
        }
        for (split, folds) in
            [(Split::rows(3), 4), (Split::rows(3), 1), (Split::by_group(&groups), 13)]
        {
            let error = split.folds(folds).expect_err("too few rows or folds");
            assert!(matches!(error, Error::Data(DataError::Folds { .. })), "{error}");
        }
        Ok(())
    }
}
