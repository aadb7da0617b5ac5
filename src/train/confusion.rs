//! Confusion matrices.

use std::collections::BTreeMap;

/// How classes are averaged.
#[doc(alias = "average")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The mean over the classes that occur as label or prediction.
    Macro,
    /// Over all rows, whatever their class.
    Micro,
    /// This class against all others.
    Of(usize),
}

/// Counts of predictions, by true class and predicted class.
#[doc(alias = "confusion_matrix")]
#[derive(Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// By true and predicted class; sparse, since there may be very many classes.
    counts: BTreeMap<[usize; 2], usize>,
}

impl Confusion {
    /// Creates an empty matrix.
    pub fn new(classes: usize) -> Self {
        Confusion { classes, counts: BTreeMap::new() }
    }

    /// Counts one prediction; invalid classes are ignored.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        self.add_many(truth, prediction, 1);
    }

    pub(super) fn add_many(&mut self, truth: usize, prediction: usize, count: usize) {
        if truth < self.classes && prediction < self.classes {
            let known = self.counts.entry([truth, prediction]).or_default();
            *known = known.saturating_add(count);
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// True class, predicted class and number of predictions, of those that occur.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.counts.iter().map(|(&[truth, prediction], &count)| (truth, prediction, count))
    }

    /// For each true class, the number of predictions of each class.
    pub fn rows(&self) -> impl Iterator<Item = Vec<usize>> {
        (0..self.classes).map(|truth| {
            let mut row = vec![0; self.classes];
            for ([_, prediction], count) in self.counts.range([truth, 0]..=[truth, usize::MAX]) {
                row[*prediction] = *count;
            }
            row
        })
    }

    /// Number of predictions.
    pub fn total(&self) -> usize {
        sum(self.counts.values().copied())
    }

    /// The share of predictions of a class that are right. A class that is never predicted has 0.
    ///
    /// # Source
    ///
    /// scikit-learn's `precision_score`, with `zero_division=0`; so are recall and F1.
    pub fn precision(&self, average: Average) -> f64 {
        self.averaged(average, |Hits { right, predicted, .. }| share(right, predicted))
    }

    /// The share of the rows of a class that are predicted to be. A class without rows has 0.
    #[doc(alias = "sensitivity")]
    pub fn recall(&self, average: Average) -> f64 {
        self.averaged(average, |Hits { right, actual, .. }| share(right, actual))
    }

    /// The harmonic mean of precision and recall of a class, `2 right / (predicted + actual)`; 0 for
    /// one that does not occur.
    pub fn f1(&self, average: Average) -> f64 {
        self.averaged(average, |Hits { right, predicted, actual }| {
            2.0 * right as f64 / predicted.saturating_add(actual).max(1) as f64
        })
    }

    fn averaged(&self, average: Average, score: impl Fn(Hits) -> f64) -> f64 {
        let mut hits: BTreeMap<usize, Hits> = BTreeMap::new();
        for ([truth, prediction], count) in &self.counts {
            let add = |to: &mut usize| *to = to.saturating_add(*count);
            add(&mut hits.entry(*truth).or_default().actual);
            let predicted = hits.entry(*prediction).or_default();
            add(&mut predicted.predicted);
            if truth == prediction {
                add(&mut predicted.right);
            }
        }
        match average {
            Average::Of(class) => score(hits.remove(&class).unwrap_or_default()),
            Average::Macro => {
                let classes = hits.len().max(1) as f64;
                hits.into_values().map(score).sum::<f64>() / classes
            }
            Average::Micro => {
                let (mut all, total) = (Hits::default(), self.total());
                all.right = sum(hits.values().map(|hits| hits.right));
                (all.predicted, all.actual) = (total, total);
                score(all)
            }
        }
    }

    /// The fraction of correct predictions; 0 if there are none.
    pub fn accuracy(&self) -> f64 {
        let hits = self.counts.iter().filter(|([truth, prediction], _)| truth == prediction);
        let right = sum(hits.map(|(_, count)| *count));
        right as f64 / self.total().max(1) as f64
    }
}

/// Numbers of rows of a class.
#[derive(Clone, Copy, Default)]
struct Hits {
    right: usize,
    predicted: usize,
    actual: usize,
}

/// The counts of a file may be too large to be added.
fn sum(counts: impl Iterator<Item = usize>) -> usize {
    counts.fold(0, usize::saturating_add)
}

/// A part of a number, 0 of none.
fn share(part: usize, of: usize) -> f64 {
    part as f64 / of.max(1) as f64
}

impl std::fmt::Debug for Confusion {
    /// A summary; `{}` prints the table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confusion")
            .field("classes", &self.classes)
            .field("total", &self.total())
            .field("accuracy", &self.accuracy())
            .finish()
    }
}

impl std::fmt::Display for Confusion {
    /// A table with a row per true class, ending in the fraction of correct predictions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>5}", "")?;
        (0..self.classes).try_for_each(|class| write!(f, "{class:>5}"))?;
        for (class, row) in self.rows().enumerate() {
            write!(f, "\n{class:>5}")?;
            row.iter().try_for_each(|count| write!(f, "{count:>5}"))?;
            let total = sum(row.iter().copied());
            write!(f, "{:>8.1}%", 100.0 * row[class] as f64 / total.max(1) as f64)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_and_prints() {
        let mut confusion = Confusion::new(2);
        for (truth, prediction) in [(0, 0), (0, 1), (1, 1), (1, 1), (2, 0)] {
            confusion.add(truth, prediction);
        }
        assert_eq!(confusion.total(), 4);
        assert_eq!(confusion.accuracy(), 0.75);
        let table = "         0    1\n    0    1    1    50.0%\n    1    0    2   100.0%";
        assert_eq!(confusion.to_string(), table);
        assert_eq!(Confusion::new(0).accuracy(), 0.0);
        let mut vast = Confusion::new(usize::MAX);
        vast.add(1 << 40, 1 << 40);
        assert_eq!((vast.total(), vast.accuracy()), (1, 1.0));
    }
}
