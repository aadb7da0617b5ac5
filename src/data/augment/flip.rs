//! Flips.

use super::{Image, Transform, check::Check};
use crate::{data::Random, error::Error, numbers::Must};

/// Mirrors an image with a probability, 1/2 by default; never in evaluation.
#[doc(alias("RandomHorizontalFlip", "RandomVerticalFlip"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomFlip {
    is_horizontal: bool,
    probability: f64,
}

impl RandomFlip {
    /// Swaps left and right.
    pub fn horizontal() -> Self {
        RandomFlip { is_horizontal: true, probability: 0.5 }
    }

    /// Swaps top and bottom.
    pub fn vertical() -> Self {
        RandomFlip { is_horizontal: false, probability: 0.5 }
    }

    /// Sets the probability.
    pub fn probability(self, probability: f64) -> Self {
        RandomFlip { probability, ..self }
    }
}

impl Transform for RandomFlip {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        Check("RandomFlip", extents).number("probability", self.probability, Must::BeFraction)?;
        Ok(extents)
    }

    fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        let [_, rows, columns] = self.extents(image.extents())?;
        if !random.is_some_and(|random| random.chance(self.probability)) {
            return Ok(image);
        }
        if self.is_horizontal {
            image.pixels_mut().chunks_exact_mut(columns).for_each(<[f32]>::reverse);
            return Ok(image);
        }
        for plane in image.planes_mut() {
            let (top, bottom) = plane.split_at_mut(rows / 2 * columns);
            let pairs = top.chunks_exact_mut(columns).zip(bottom.rchunks_exact_mut(columns));
            pairs.for_each(|(upper, lower)| upper.swap_with_slice(lower));
        }
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::{ramp, random};

    #[test]
    fn rows_or_columns_are_in_the_opposite_order() -> Result<(), Error> {
        let image = || Image::new([2, 3, 2], (0u8..12).map(f32::from).collect());
        let flipped = |flip: RandomFlip| {
            let image = flip.probability(1.0).apply(image()?, Some(&mut random(1)))?;
            Ok::<_, Error>(image.into_pixels())
        };
        let horizontal = [1., 0., 3., 2., 5., 4., 7., 6., 9., 8., 11., 10.];
        assert_eq!(flipped(RandomFlip::horizontal())?, horizontal);
        let vertical = [4., 5., 2., 3., 0., 1., 10., 11., 8., 9., 6., 7.];
        assert_eq!(flipped(RandomFlip::vertical())?, vertical);
        assert_eq!(RandomFlip::vertical().probability(1.0).apply(image()?, None)?, image()?);
        Ok(())
    }

    #[test]
    fn the_probability_is_the_given_one() -> Result<(), Error> {
        let flip = RandomFlip::horizontal().probability(0.3);
        let mut count = 0;
        for key in 0..10_000 {
            let flipped = flip.apply(ramp([1, 1, 2])?, Some(&mut random(key)))?;
            count += i32::from(flipped != ramp([1, 1, 2])?);
        }
        // Five standard deviations of a binomial: sqrt(10000 * 0.3 * 0.7) is 46.
        assert!((count - 3000).abs() < 230, "{count}");
        Ok(())
    }
}
