//! Confusion matrices.

use std::collections::BTreeMap;

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
        if truth < self.classes && prediction < self.classes {
            *self.counts.entry([truth, prediction]).or_default() += 1;
        }
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
        self.counts.values().sum()
    }

    /// The fraction of correct predictions; 0 if there are none.
    pub fn accuracy(&self) -> f64 {
        let hits = self.counts.iter().filter(|([truth, prediction], _)| truth == prediction);
        let right: usize = hits.map(|(_, count)| count).sum();
        right as f64 / self.total().max(1) as f64
    }
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
            let total: usize = row.iter().sum();
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
