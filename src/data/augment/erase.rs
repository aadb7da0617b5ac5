//! Erased sections.

use super::{Image, Transform, check::Check, section::Section};
use crate::{
    data::Random,
    error::{Error, OpError},
    numbers::Must,
};
use std::ops::RangeInclusive;

/// Maximum number of holes: more would only take time.
const MAX_HOLES: usize = 1 << 16;

/// Erases a random section of an image, with a probability, 1/2 by default; never in evaluation.
///
/// # Source
///
/// Zhong et al. 2017, with the distributions of torchvision's `RandomErasing`: nothing is erased if
/// ten sections did not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomErasing {
    probability: f64,
    scale: RangeInclusive<f64>,
    ratio: RangeInclusive<f64>,
    /// `None` for noise.
    value: Option<f64>,
}

impl Default for RandomErasing {
    fn default() -> Self {
        RandomErasing { probability: 0.5, scale: 0.02..=0.33, ratio: 0.3..=3.3, value: Some(0.0) }
    }
}

impl RandomErasing {
    /// Fills with 0 sections of 2% to 33% of the area, with 0.3 to 3.3 times as many columns as
    /// rows.
    pub fn new() -> Self {
        RandomErasing::default()
    }

    /// Sets the probability.
    pub fn probability(self, probability: f64) -> Self {
        RandomErasing { probability, ..self }
    }

    /// Sets the range of the share of the area, in `[0, 1]`.
    pub fn scale(self, scale: RangeInclusive<f64>) -> Self {
        RandomErasing { scale, ..self }
    }

    /// Sets the range of the ratio of columns to rows.
    pub fn ratio(self, ratio: RangeInclusive<f64>) -> Self {
        RandomErasing { ratio, ..self }
    }

    /// Sets the value of the erased pixels.
    pub fn value(self, value: f64) -> Self {
        RandomErasing { value: Some(value), ..self }
    }

    /// Replaces the erased pixels with numbers of the standard normal distribution.
    pub fn noise(self) -> Self {
        RandomErasing { value: None, ..self }
    }
}

impl Transform for RandomErasing {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check("RandomErasing", extents);
        check.number("probability", self.probability, Must::BeFraction)?;
        check.range("scale", &self.scale, Must::BeFraction)?;
        check.range("ratio", &self.ratio, Must::BePositive)?;
        check.pixel("value", self.value.unwrap_or_default())?;
        Ok(extents)
    }

    fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        let [_, rows, columns] = self.extents(image.extents())?;
        let Some(random) = random else { return Ok(image) };
        if !random.chance(self.probability) {
            return Ok(image);
        }
        if let Some(section) = Section::draw(random, [rows, columns], &self.scale, &self.ratio) {
            erase(&mut image, section, || self.value.unwrap_or_else(|| random.normal()) as f32);
        }
        Ok(image)
    }
}

/// Erases squares at random places of every image; none in evaluation.
///
/// The center of a square is any pixel: at the border, part of the square lies outside.
///
/// # Source
///
/// DeVries and Taylor 2017.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutOut {
    side: usize,
    holes: usize,
    value: f64,
}

impl CutOut {
    /// Fills with 0 one square of this side, in pixels.
    pub fn new(side: usize) -> Self {
        CutOut { side, holes: 1, value: 0.0 }
    }

    /// Sets the number of squares, which may overlap.
    pub fn holes(self, holes: usize) -> Self {
        CutOut { holes, ..self }
    }

    /// Sets the value of the erased pixels.
    pub fn value(self, value: f64) -> Self {
        CutOut { value, ..self }
    }
}

impl Transform for CutOut {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check("CutOut", extents);
        check.number("side", self.side as f64, Must::BePositive)?;
        check.number("holes", self.holes as f64, Must::BePositive)?;
        if self.holes > MAX_HOLES {
            return check.refuse(OpError::TooLarge);
        }
        check.pixel("value", self.value)?;
        Ok(extents)
    }

    fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        let [_, rows, columns] = self.extents(image.extents())?;
        let Some(random) = random else { return Ok(image) };
        for _ in 0..self.holes {
            let size = [self.side; 2];
            let section = Section::around(random, [rows, columns], size);
            erase(&mut image, section, || self.value as f32);
        }
        Ok(image)
    }
}

/// Replaces the pixels of a section in every channel.
fn erase(image: &mut Image, section: Section, mut value: impl FnMut() -> f32) {
    let columns = image.columns();
    for plane in image.planes_mut() {
        for row in section.rows_of_mut(plane, columns) {
            row.iter_mut().for_each(|pixel| *pixel = value());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::random;

    fn white() -> Result<Image, Error> {
        Image::full([2, 30, 40], 1.0)
    }

    /// Rows and columns of the rectangle of erased pixels, if there is one.
    fn erased(image: &Image) -> Option<[RangeInclusive<usize>; 2]> {
        let places = image.pixels().iter().enumerate().filter(|&(_, &pixel)| pixel != 1.0);
        let places: Vec<[usize; 2]> =
            places.map(|(place, _)| [place % 1200 / 40, place % 40]).collect();
        let span = |axis: usize| {
            let along = || places.iter().map(|place| place[axis]);
            Some(along().min()?..=along().max()?)
        };
        let spans = [span(0)?, span(1)?];
        let [rows, columns] = spans.each_ref().map(|span| span.clone().count());
        assert_eq!(2 * rows * columns, places.len(), "a rectangle in both channels");
        Some(spans)
    }

    #[test]
    fn sections_keep_to_their_ranges() -> Result<(), Error> {
        let erasing = RandomErasing::new().probability(0.7).scale(0.1..=0.2).ratio(0.5..=1.5);
        assert_eq!(erasing.apply(white()?, None)?, white()?);
        let mut count = 0;
        for key in 0..4000 {
            let image = erasing.apply(white()?, Some(&mut random(key)))?;
            let Some(spans) = erased(&image) else { continue };
            let [rows, columns] = spans.map(|span| span.count() as f64);
            // Each extent is rounded by up to half a pixel.
            assert!((rows + 0.5) * (columns + 0.5) >= 120.0, "{rows} {columns}");
            assert!((rows - 0.5) * (columns - 0.5) <= 240.0, "{rows} {columns}");
            assert!((columns + 0.5) / (rows - 0.5) >= 0.5, "{rows} {columns}");
            assert!((columns - 0.5) / (rows + 0.5) <= 1.5, "{rows} {columns}");
            count += 1;
        }
        // Five standard deviations of a binomial: sqrt(4000 * 0.7 * 0.3) is 29.
        assert!((count - 2800i32).abs() < 145, "{count}");
        Ok(())
    }

    #[test]
    fn noise_is_normal() -> Result<(), Error> {
        let erasing = RandomErasing::new().probability(1.0).scale(1.0..=1.0).ratio(1.0..=1.0);
        let image = Image::full([1, 100, 100], 7.0)?;
        let filled = erasing.clone().value(0.25).apply(image.clone(), Some(&mut random(1)))?;
        assert_eq!(filled, Image::full([1, 100, 100], 0.25)?);
        let noise = erasing.noise().apply(image, Some(&mut random(1)))?;
        let moment = |power| {
            noise.pixels().iter().map(|&pixel| f64::from(pixel).powi(power)).sum::<f64>() / 1e4
        };
        // Five standard deviations of the means of 10,000 numbers: 1, sqrt(2) and sqrt(96) each /
        // 100.
        let close = |moment: f64, expected: f64, bound: f64| {
            (moment - expected).abs() < 5.0 * bound / 100.0
        };
        assert!(close(moment(1), 0.0, 1.0) && close(moment(2), 1.0, 2f64.sqrt()));
        assert!(close(moment(4), 3.0, 96f64.sqrt()), "{}", moment(4));
        Ok(())
    }

    #[test]
    fn squares_are_cut_by_the_border() -> Result<(), Error> {
        for side in [1, 6, 7, 1000] {
            let cut = CutOut::new(side);
            assert_eq!(cut.apply(white()?, None)?, white()?);
            let mut least = usize::MAX;
            for key in 0..2000 {
                let image = cut.apply(white()?, Some(&mut random(key)))?;
                let [rows, columns] = erased(&image).expect("there is always a square");
                for (span, extent) in [(rows, 30), (columns, 40)] {
                    let len = span.clone().count();
                    let touches = *span.start() == 0 || *span.end() == extent - 1;
                    assert!(len == side || touches && len < side, "{side}: {span:?}");
                    least = least.min(len);
                }
            }
            // The center is in the image: half of the side is, without it if that is even.
            assert_eq!(least, if side == 1000 { 30 } else { side.div_ceil(2) }, "{side}");
        }
        let holes = CutOut::new(2).holes(5).value(0.5).apply(white()?, Some(&mut random(2)))?;
        let count = holes.pixels().iter().filter(|&&pixel| pixel == 0.5).count();
        assert!(count > 8 && count <= 40, "{count}");
        Ok(())
    }
}
