//! Mean and standard deviation.

/// Mean and standard deviation of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    /// With the number of values as divisor; 0 if all are equal.
    pub std: f64,
}

impl Moments {
    /// Those of finite numbers; `None` without numbers, or if they are so large or so close to each
    /// other that f64 cannot hold their squares.
    ///
    /// # Source
    ///
    /// T. F. Chan, G. H. Golub, R. J. LeVeque, *Algorithms for computing the sample variance:
    /// analysis and recommendations* (1983): the corrected two-pass algorithm.
    pub fn of(numbers: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let count = numbers.clone().count() as f64;
        let first = numbers.clone().next()?;
        // Rounding of the mean must not make equal values differ from it.
        if numbers.clone().all(|x| x == first) {
            return Some(Moments { mean: first + 0.0, std: 0.0 });
        }
        let near = numbers.clone().sum::<f64>() / count;
        let (sum, squares) = numbers
            .map(|x| x - near)
            .fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
        let mean = near + sum / count;
        let std = ((squares - sum * sum / count) / count).sqrt();
        (mean.is_finite() && std.is_normal()).then_some(Moments { mean, std })
    }

    /// The number of standard deviations from the mean; 0 if there are none.
    pub fn standardized(&self, x: f64) -> f64 {
        if self.std == 0.0 { 0.0 } else { (x - self.mean) / self.std }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_means_do_not_hide_small_deviations() {
        // 1e9 + {4, 7, 13, 16}: mean 1e9 + 10, variance 22.5.
        let numbers = [4.0, 7.0, 13.0, 16.0].map(|x| 1e9 + x);
        let Moments { mean, std } = Moments::of(numbers.into_iter()).expect("there are four");
        assert_eq!(mean, 1e9 + 10.0);
        // Deviations are exact here: rounding is that of one root.
        assert!((std - 22.5f64.sqrt()).abs() <= f64::EPSILON * 5.0, "{std}");
    }

    #[test]
    fn equal_numbers_are_their_mean() {
        let tenths = Moments::of([0.1; 7].into_iter());
        assert_eq!(tenths, Some(Moments { mean: 0.1, std: 0.0 }));
        assert_eq!(tenths.map(|moments| moments.standardized(3.0)), Some(0.0));
    }

    #[test]
    fn numbers_past_the_range_have_none() {
        for numbers in [vec![], vec![1e308, -1e308], vec![1e308, 1.7e308], vec![1e-300, 2e-300]] {
            assert_eq!(Moments::of(numbers.iter().copied()), None, "{numbers:?}");
        }
    }
}
