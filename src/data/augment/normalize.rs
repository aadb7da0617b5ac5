//! Normalization.

use super::{Image, Transform, check::Check};
use crate::{
    data::Random,
    error::{Error, OpError},
    numbers::Must,
};

/// Subtracts a mean from each channel and divides it by a standard deviation, in training and in
/// evaluation.
#[doc(alias = "Normalization")]
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalize {
    /// Normalizes by a mean and a standard deviation for each channel.
    pub fn new(mean: impl Into<Vec<f32>>, std: impl Into<Vec<f32>>) -> Self {
        Normalize { mean: mean.into(), std: std.into() }
    }
}

impl Transform for Normalize {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let (check, lhs) = (Check("Normalize", extents), extents[0]);
        for (what, numbers, must) in [
            ("channels and means", &self.mean, Must::BeFinite),
            ("channels and standard deviations", &self.std, Must::BePositive),
        ] {
            let rhs = numbers.len();
            if lhs != rhs {
                return check.refuse(OpError::Extents { what, lhs, rhs });
            }
            let what = if must == Must::BeFinite { "mean" } else { "standard deviation" };
            numbers.iter().try_for_each(|&is| check.number(what, is.into(), must))?;
        }
        Ok(extents)
    }

    fn apply(&self, mut image: Image, _: Option<&mut Random>) -> Result<Image, Error> {
        self.extents(image.extents())?;
        for (plane, (mean, std)) in image.planes_mut().zip(self.mean.iter().zip(&self.std)) {
            plane.iter_mut().for_each(|pixel| *pixel = (*pixel - mean) / std);
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::random;

    #[test]
    fn each_channel_has_its_own_numbers() -> Result<(), Error> {
        let normalize = Normalize::new([0.5, 0.25], [0.5, 2.0]);
        for random in [None, Some(&mut random(1))] {
            let image = Image::new([2, 1, 2], vec![0.0, 1.0, 0.25, 4.25])?;
            assert_eq!(normalize.apply(image, random)?.pixels(), [-1.0, 1.0, 0.0, 2.0]);
        }
        Ok(())
    }
}
