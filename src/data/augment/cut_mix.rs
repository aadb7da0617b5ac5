//! Images with a section of another one.

use super::{
    image::extents,
    pairs::{Pairs, row_of},
    section::Section,
};
use crate::{
    array::Array,
    data::{Batch, Dataset, Random},
    error::Error,
    shape::Meta,
};

/// A data set of images of which each has a rectangle of a random one of the set, now and then of
/// itself.
///
/// The share of the area that an image should keep has the distribution Beta(alpha, alpha); it is
/// larger where part of the rectangle lies outside. All else is as for [`MixUp`](super::MixUp).
///
/// ```
/// use wgrad::{Array, data::{Dataset, Labeled, augment::CutMix}};
///
/// let pixels: Vec<f32> = (0..2 * 16).map(|pixel| (pixel / 16) as f32).collect();
/// let data = Labeled::new(Array::new([2, 1, 4, 4], &pixels)?, Array::from([0u32, 1]))?;
/// let batch = CutMix::new(data, 2, 1.0, 7)?.draw(&[0, 1], &[3, 3])?;
/// let [inputs, targets] = ["inputs", "targets"].map(|name| batch.get(name).map(Array::to_f64));
/// // Here, the probability of class 1 is the share of light pixels.
/// let light = |image: &[f64]| image.iter().sum::<f64>() / 16.0;
/// assert_eq!(
///     targets.map(|p| vec![p[1], p[3]]),
///     inputs.map(|pixels| pixels.chunks(16).map(light).collect()),
/// );
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Source
///
/// Yun et al. 2019.
#[derive(Debug)]
pub struct CutMix<D>(Pairs<D>);

impl<D: Dataset> CutMix<D> {
    /// Mixes the fields `inputs`, images `[channels, rows, columns]` in f32, and `targets`, a class
    /// in u32; an alpha of 1 is common.
    ///
    /// # Errors
    ///
    /// Those of [`MixUp::new`](super::MixUp::new);
    /// [`VariableError::Array`](crate::VariableError::Array) unless the inputs are images.
    pub fn new(data: D, classes: usize, alpha: f64, seed: u64) -> Result<Self, Error> {
        CutMix::of_fields(["inputs", "targets"], data, classes, alpha, seed)
    }

    /// Mixes the fields of these names.
    ///
    /// # Errors
    ///
    /// Same as [`new`](Self::new).
    pub fn of_fields(
        names: [&str; 2],
        data: D,
        classes: usize,
        alpha: f64,
        seed: u64,
    ) -> Result<Self, Error> {
        extents(&row_of(&data, names[0])?)?;
        Ok(CutMix(Pairs::new("CutMix", names, data, classes, alpha, seed)?))
    }
}

impl<D: Dataset> Dataset for CutMix<D> {
    fn len(&self) -> usize {
        self.0.data().len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        self.0.fields()
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        self.0.get(rows)
    }

    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        self.0.draw(rows, turns, |random, shape, share, own, other| {
            let [_, rows, columns] = *shape else { return share };
            cut(random, [rows, columns], share, own, other)
        })
    }

    fn array(&self, field: &str) -> Option<&Array> {
        self.0.array(field)
    }

    fn description(&self) -> String {
        format!("{}, CutMix of {:?}", self.0.data().description(), self.0)
    }
}

/// Copies a rectangle of `other` that leaves about this share of the area, and returns how much it
/// leaves.
fn cut(
    random: &mut Random,
    [rows, columns]: [usize; 2],
    share: f64,
    own: &mut [f32],
    other: &[f32],
) -> f64 {
    let area = rows * columns;
    if area == 0 {
        return 1.0;
    }
    let side = (1.0 - share).sqrt();
    let size = [rows, columns].map(|extent| (extent as f64 * side) as usize);
    let section = Section::around(random, [rows, columns], size);
    for (own, other) in own.chunks_exact_mut(area).zip(other.chunks_exact(area)) {
        let pairs = section.rows_of_mut(own, columns).zip(section.rows_of(other, columns));
        pairs.for_each(|(own, other)| own.copy_from_slice(other));
    }
    1.0 - (section.rows * section.columns) as f64 / area as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_pixels_left() {
        let (other, mut sum) = ([1.0; 2 * 80 * 100], 0.0);
        let mut random = Random::new(&[4]);
        for _ in 0..4000 {
            let mut own = [0.0; 2 * 80 * 100];
            let wanted = random.unit();
            let share = cut(&mut random, [80, 100], wanted, &mut own, &other);
            let left = own.iter().filter(|&&pixel| pixel == 0.0).count();
            assert_eq!(share, 1.0 - (16_000 - left) as f64 / 16_000.0);
            // A side is rounded down, by less than a pixel.
            assert!(share >= wanted - 1e-12, "{share} {wanted}");
            sum += share;
        }
        // A side of s loses s^2 / 4 on average at the border, and s^2 is distributed evenly: one
        // minus the integral of 2 s (s - s^2 / 4)^2 from 0 to 1 is 0.679. Rounding adds up to
        // 0.007, and five standard deviations, each below 0.3 / sqrt(4000), are 0.024.
        let mean = sum / 4000.0;
        assert!((0.655..0.71).contains(&mean), "{mean}");
        let mut own = [0.5; 4];
        assert_eq!(cut(&mut random, [2, 2], 1.0, &mut own, &[1.0; 4]), 1.0);
        assert_eq!((own, cut(&mut random, [0, 2], 0.5, &mut [], &[])), ([0.5; 4], 1.0));
    }
}
