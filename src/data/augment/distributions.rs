//! Random numbers that are not distributed evenly.
//!
//! Unlike the others of [`Random`], they may differ in their last bits where the logarithms of two
//! systems do.

use crate::data::Random;
use std::f64::consts::TAU;

impl Random {
    /// A number of the standard normal distribution.
    ///
    /// # Source
    ///
    /// Box and Muller 1958.
    #[doc(alias("randn", "gaussian"))]
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.above_zero().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// A number of the beta distribution, from 0 to 1; both parameters are positive.
    pub fn beta(&mut self, alpha: f64, beta: f64) -> f64 {
        let (log_x, log_y) = (self.log_gamma(alpha), self.log_gamma(beta));
        // x / (x + y), also where both are too small for an f64.
        1.0 / (1.0 + (log_y - log_x).exp())
    }

    /// The logarithm of a number of the gamma distribution of this shape, with scale 1.
    ///
    /// # Source
    ///
    /// Marsaglia and Tsang 2000, section 6 for shapes below 1.
    fn log_gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let log = self.above_zero().ln() / shape;
            // Two infinities would have no difference.
            return log.max(f64::MIN / 4.0) + self.log_gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.above_zero().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d.ln() + v.ln();
            }
        }
    }

    /// A number above 0, up to 1.
    fn above_zero(&mut self) -> f64 {
        1.0 - self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        for (alpha, beta) in [(0.2, 0.2), (1.0, 1.0), (0.5, 2.5), (4.0, 4.0), (30.0, 3.0)] {
            let mut random = Random::new(&[5]);
            let shares: Vec<f64> = (0..20_000).map(|_| random.beta(alpha, beta)).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let sum = alpha + beta;
            let (mean, variance) = (alpha / sum, alpha * beta / (sum * sum * (sum + 1.0)));
            let found = shares.iter().sum::<f64>() / 20_000.0;
            let squares = shares.iter().map(|share| (share - mean).powi(2));
            let spread = squares.clone().sum::<f64>() / 20_000.0;
            // Five standard deviations of the means; the fourth moment is measured.
            let bound = 5.0 * (variance / 20_000.0).sqrt();
            assert!((found - mean).abs() < bound, "{alpha} {beta}: {found}");
            let fourth = squares.map(|square| (square - variance).powi(2)).sum::<f64>() / 20_000.0;
            let bound = 5.0 * (fourth / 20_000.0).sqrt();
            assert!((spread - variance).abs() < bound, "{alpha} {beta}: {spread}");
        }
    }

    /// The probabilities below x are `2 / pi asin(sqrt(x))` for 1/2 and `3 x^2 - 2 x^3` for 2.
    #[test]
    fn shares_have_the_beta_distribution() {
        let below = |alpha: f64, x: f64| {
            let mut random = Random::new(&[6]);
            (0..20_000).filter(|_| random.beta(alpha, alpha) < x).count() as f64 / 20_000.0
        };
        for x in [0.01f64, 0.1, 0.3, 0.5, 0.8] {
            for (alpha, expected) in [
                (0.5, x.sqrt().asin() * 2.0 / std::f64::consts::PI),
                (2.0, 3.0 * x * x - 2.0 * x * x * x),
            ] {
                let bound = 5.0 * (expected * (1.0 - expected) / 20_000.0).sqrt();
                assert!((below(alpha, x) - expected).abs() < bound, "{alpha} {x}");
            }
        }
    }

    #[test]
    fn no_parameter_makes_a_share_that_is_no_number() {
        for alpha in [f64::MIN_POSITIVE, 1e-100, 1e-3, 1e6, 1e100] {
            let mut random = Random::new(&[7]);
            for _ in 0..100 {
                let share = random.beta(alpha, alpha);
                assert!((0.0..=1.0).contains(&share), "{alpha}: {share}");
            }
        }
    }
}
