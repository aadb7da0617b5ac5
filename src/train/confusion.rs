//! Which class was taken for which.

/// Counts of predictions, by true class and by predicted class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// Row-major: `counts[truth * classes + prediction]`.
    counts: Vec<usize>,
}

impl Confusion {
    /// Without any predictions yet.
    pub fn new(classes: usize) -> Self {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one prediction; a class that does not exist is not counted.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        if truth < self.classes && prediction < self.classes {
            self.counts[truth * self.classes + prediction] += 1;
        }
    }

    /// For each true class, how often each class was predicted.
    pub fn rows(&self) -> impl Iterator<Item = &[usize]> {
        self.counts.chunks(self.classes.max(1))
    }

    /// Number of predictions.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The share that was right; 0 of none.
    pub fn accuracy(&self) -> f64 {
        let right: usize = self.rows().enumerate().map(|(class, row)| row[class]).sum();
        right as f64 / self.total().max(1) as f64
    }
}

impl std::fmt::Display for Confusion {
    /// A table with a row for each true class, ending in the share of it that was right.
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
    }
}
