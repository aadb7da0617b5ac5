//! Timing statistics of many runs.

use std::time::Duration;

/// Times of runs, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    sorted: Vec<f64>,
}

impl Times {
    /// Adds a run.
    pub fn push(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = self.sorted.partition_point(|&known| known < seconds);
        self.sorted.insert(place, seconds);
    }

    /// Number of runs.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are no runs.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The minimum.
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The quantile at `share`, interpolated linearly; NaN if there are no runs.
    pub fn quantile(&self, share: f64) -> f64 {
        let Some(last) = self.sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        self.sorted[low] + (self.sorted[high] - self.sorted[low]) * (place - low as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbors() {
        let mut times = Times::default();
        assert!(times.is_empty() && times.median().is_nan());
        for seconds in [4, 1, 3, 2] {
            times.push(Duration::from_secs(seconds));
        }
        assert_eq!((times.len(), times.min(), times.median()), (4, 1.0, 2.5));
        assert_eq!([0.25, 0.75, 1.0].map(|share| times.quantile(share)), [1.75, 3.25, 4.0]);
    }
}
