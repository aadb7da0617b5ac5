//! Crops.

use super::{Image, Transform, check::Check, resize::resized, section::Section};
use crate::{
    data::Random,
    error::{Error, OpError},
    functions::PadMode,
    numbers::Must,
};
use std::ops::RangeInclusive;

/// Takes the center of every image. Of an odd margin, the larger half lies below and to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CenterCrop {
    size: [usize; 2],
}

impl CenterCrop {
    /// Takes this many rows and columns.
    pub fn new(size: [usize; 2]) -> Self {
        CenterCrop { size }
    }
}

impl Transform for CenterCrop {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        Padded::none(self.size).check("CenterCrop", extents)
    }

    fn apply(&self, image: Image, _: Option<&mut Random>) -> Result<Image, Error> {
        self.extents(image.extents())?;
        Padded::none(self.size).cropped(&image, None)
    }
}

/// Takes a random section of every image, which may be padded before; its center in evaluation.
///
/// ```
/// use wgrad::{PadMode, data::augment::{RandomCrop, Transform}};
///
/// // As it is common for CIFAR-10.
/// let crop = RandomCrop::new([32, 32]).padding(4, PadMode::Reflect);
/// assert_eq!(crop.extents([3, 32, 32])?, [3, 32, 32]);
/// assert!(crop.extents([3, 20, 20]).is_err());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomCrop {
    padded: Padded,
}

impl RandomCrop {
    /// Takes this many rows and columns.
    pub fn new(size: [usize; 2]) -> Self {
        RandomCrop { padded: Padded::none(size) }
    }

    /// Pads this many pixels on each side before: with a number, or as the mode says.
    pub fn padding(self, padding: usize, mode: impl Into<PadMode>) -> Self {
        RandomCrop { padded: Padded { padding, mode: mode.into(), ..self.padded } }
    }
}

impl Transform for RandomCrop {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        self.padded.check("RandomCrop", extents)
    }

    fn apply(&self, image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        self.extents(image.extents())?;
        self.padded.cropped(&image, random)
    }
}

/// Takes a section of random area and aspect ratio of every image, and resizes it.
///
/// If ten sections did not fit, and in evaluation, it is the largest one in the center that has the
/// aspect ratio of the result.
///
/// # Source
///
/// Szegedy et al. 2015, with the distributions of torchvision's `RandomResizedCrop`.
#[doc(alias = "Inception crop")]
#[derive(Clone, Debug, PartialEq)]
pub struct RandomResizedCrop {
    size: [usize; 2],
    scale: RangeInclusive<f64>,
    ratio: RangeInclusive<f64>,
}

impl RandomResizedCrop {
    /// Resizes to these rows and columns sections of 8% to 100% of the area, with 3/4 to 4/3 as
    /// many columns as rows.
    pub fn new(size: [usize; 2]) -> Self {
        RandomResizedCrop { size, scale: 0.08..=1.0, ratio: 3.0 / 4.0..=4.0 / 3.0 }
    }

    /// Sets the range of the share of the area, in `[0, 1]`.
    pub fn scale(self, scale: RangeInclusive<f64>) -> Self {
        RandomResizedCrop { scale, ..self }
    }

    /// Sets the range of the ratio of columns to rows.
    pub fn ratio(self, ratio: RangeInclusive<f64>) -> Self {
        RandomResizedCrop { ratio, ..self }
    }
}

impl Transform for RandomResizedCrop {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check("RandomResizedCrop", extents);
        check.range("scale", &self.scale, Must::BeFraction)?;
        check.range("ratio", &self.ratio, Must::BePositive)?;
        check.size(self.size)
    }

    fn apply(&self, image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        let [_, rows, columns] = self.extents(image.extents())?;
        let whole = [image.rows(), image.columns()];
        let drawn =
            random.and_then(|random| Section::draw(random, whole, &self.scale, &self.ratio));
        let center = || Section::center(whole, columns as f64 / rows as f64);
        resized(&image, drawn.unwrap_or_else(center), self.size)
    }
}

/// A crop of a padded image.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Padded {
    size: [usize; 2],
    padding: usize,
    mode: PadMode,
}

impl Padded {
    fn none(size: [usize; 2]) -> Self {
        Padded { size, padding: 0, mode: PadMode::Constant(0.0) }
    }

    fn check(self, transform: &'static str, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check(transform, extents);
        let result = check.size(self.size)?;
        if let PadMode::Constant(value) = self.mode {
            check.pixel("padding value", value)?;
        }
        let [_, rows, columns] = extents;
        let most = match self.mode {
            PadMode::Reflect => rows.min(columns).saturating_sub(1),
            PadMode::Circular => rows.min(columns),
            PadMode::Constant(_) | PadMode::Replicate => usize::MAX,
        };
        if self.padding > most {
            let reason = OpError::Argument("the padding is more than there is to repeat");
            return check.refuse(reason);
        }
        if i32::try_from(self.padding).is_err() {
            return check.refuse(OpError::TooLarge);
        }
        for (span, extent) in self.size.into_iter().zip([rows, columns]) {
            let padded = extent.saturating_add(2 * self.padding);
            if span > padded {
                return check.refuse(OpError::Window { span, padded });
            }
        }
        Ok(result)
    }

    /// A random section, or the center. The padded image is never made.
    fn cropped(self, image: &Image, mut random: Option<&mut Random>) -> Result<Image, Error> {
        // The first index of the section along an axis of the image, negative in the padding.
        let mut first = |extent: usize, size: usize| {
            let free = extent + 2 * self.padding - size;
            let skipped = match random.as_mut() {
                Some(random) => random.below(free + 1),
                None => free / 2,
            };
            skipped as i64 - self.padding as i64
        };
        let [rows, columns] = self.size;
        let (top, left) = (first(image.rows(), rows), first(image.columns(), columns));
        let fill = if let PadMode::Constant(value) = self.mode { value as f32 } else { 0.0 };
        let mut result = Image::full([image.channels(), rows, columns], fill)?;
        // The columns of the result that lie in the image.
        let width = image.columns() as i64;
        let inner = (-left).clamp(0, columns as i64)..(width - left).clamp(0, columns as i64);
        for (plane, result) in image.planes().zip(result.planes_mut()) {
            for (y, result) in (top..).zip(result.chunks_exact_mut(columns)) {
                let Some(y) = self.source(y, image.rows()) else { continue };
                let row = &plane[y * image.columns()..][..image.columns()];
                if !inner.is_empty() {
                    let (start, end) = (inner.start as usize, inner.end as usize);
                    let from = (left + inner.start) as usize;
                    result[start..end].copy_from_slice(&row[from..][..end - start]);
                }
                for (x, pixel) in (0..).zip(result).filter(|(x, _)| !inner.contains(x)) {
                    if let Some(x) = self.source(left + x, image.columns()) {
                        *pixel = row[x];
                    }
                }
            }
        }
        Ok(result)
    }

    /// The element of an axis that is found at this index; `None` in a padding of one number.
    fn source(self, index: i64, extent: usize) -> Option<usize> {
        let last = extent as i64 - 1;
        let found = match self.mode {
            _ if (0..=last).contains(&index) => index,
            PadMode::Constant(_) => return None,
            PadMode::Replicate => index.clamp(0, last),
            PadMode::Reflect => last - (last - index.abs()).abs(),
            PadMode::Circular => index.rem_euclid(last + 1),
        };
        Some(found as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::{assert_close, ramp, random};
    use std::collections::BTreeSet;

    /// First, third and last row of `numpy.pad` of the ramp by 2, in modes `constant`, `reflect`,
    /// `edge` and `wrap`.
    #[test]
    fn padding_is_that_of_numpy() -> Result<(), Error> {
        let constant = [[0.5; 8], [0.5, 0.5, 0.0, 0.37, 0.74, 0.1, 0.5, 0.5], [0.5; 8]];
        let reflect = [
            [0.67, 0.30, 0.94, 0.30, 0.67, 0.03, 0.67, 0.30],
            [0.74, 0.37, 0.00, 0.37, 0.74, 0.10, 0.74, 0.37],
            [0.74, 0.37, 0.00, 0.37, 0.74, 0.10, 0.74, 0.37],
        ];
        let edge = [
            [0.00, 0.00, 0.00, 0.37, 0.74, 0.10, 0.10, 0.10],
            [0.00, 0.00, 0.00, 0.37, 0.74, 0.10, 0.10, 0.10],
            [0.94, 0.94, 0.94, 0.30, 0.67, 0.03, 0.03, 0.03],
        ];
        let wrap = [
            [0.20, 0.57, 0.47, 0.84, 0.20, 0.57, 0.47, 0.84],
            [0.74, 0.10, 0.00, 0.37, 0.74, 0.10, 0.00, 0.37],
            [0.20, 0.57, 0.47, 0.84, 0.20, 0.57, 0.47, 0.84],
        ];
        for (mode, expected) in [
            (PadMode::Constant(0.5), constant),
            (PadMode::Reflect, reflect),
            (PadMode::Replicate, edge),
            (PadMode::Circular, wrap),
        ] {
            // As large as the padded image: there is one place for it.
            let padded = RandomCrop::new([7, 8]).padding(2, mode);
            for random in [None, Some(&mut random(1))] {
                let image = padded.apply(ramp([1, 3, 4])?, random)?;
                let row = |row: usize| image.pixels()[8 * row..][..8].to_vec();
                let rows = Image::new([1, 3, 8], [row(0), row(2), row(6)].concat())?;
                assert_close(&rows, [1, 3, 8], expected.as_flattened());
            }
        }
        Ok(())
    }

    #[test]
    fn the_center_has_its_larger_margin_below() -> Result<(), Error> {
        let image = CenterCrop::new([2, 3]).apply(ramp([2, 5, 6])?, None)?;
        let all = ramp([2, 5, 6])?;
        let expected: Vec<f32> = [7, 13, 37, 43]
            .into_iter()
            .flat_map(|start| all.pixels()[start..start + 3].to_vec())
            .collect();
        assert_eq!(image, Image::new([2, 2, 3], expected)?);
        assert_eq!(RandomCrop::new([2, 3]).apply(all, None)?, image);
        Ok(())
    }

    #[test]
    fn every_place_is_as_likely() -> Result<(), Error> {
        // The only light pixel says where a crop lies: 3 x 2 places.
        let mut pixels = vec![0.0; 12];
        pixels[0] = 1.0;
        let image = Image::new([1, 3, 4], pixels)?;
        let crop = RandomCrop::new([5, 7]).padding(2, 0.0);
        let mut counts = [0; 6];
        for key in 0..6000 {
            let crop = crop.apply(image.clone(), Some(&mut random(key)))?;
            let place = crop.pixels().iter().position(|&pixel| pixel == 1.0).expect("it is inside");
            counts[place / 7 * 2 + place % 7 - 1] += 1;
        }
        // Five standard deviations of a binomial: sqrt(6000 / 6 * 5 / 6) is 29.
        assert!(counts.iter().all(|n: &i32| (n - 1000).abs() < 145), "{counts:?}");
        Ok(())
    }

    #[test]
    fn sections_keep_to_their_ranges() {
        let (mut shapes, scale, ratio) = (BTreeSet::new(), 0.2..=0.6, 0.5..=2.0);
        let whole = [60, 80];
        for key in 0..2000 {
            let section = Section::draw(&mut random(key), whole, &scale, &ratio).expect("it fits");
            let Section { top, left, rows, columns } = section;
            assert!(top + rows <= 60 && left + columns <= 80, "{section:?}");
            // Each extent is rounded by up to half a pixel.
            let (rows, columns) = (rows as f64, columns as f64);
            let area = |by: f64| (rows + by) * (columns + by) / 4800.0;
            assert!(area(0.5) >= 0.2 && area(-0.5) <= 0.6, "{section:?}");
            assert!((columns + 0.5) / (rows - 0.5) >= 0.5, "{section:?}");
            assert!((columns - 0.5) / (rows + 0.5) <= 2.0, "{section:?}");
            shapes.insert([section.rows, section.columns]);
        }
        assert!(shapes.len() > 500, "{}", shapes.len());
        assert_eq!(Section::draw(&mut random(1), [2, 90], &(0.9..=1.0), &(1.0..=1.0)), None);
    }

    #[test]
    fn a_section_that_does_not_fit_is_the_center() -> Result<(), Error> {
        let center = |whole, ratio| {
            let Section { top, left, rows, columns } = Section::center(whole, ratio);
            [top, left, rows, columns]
        };
        assert_eq!(center([4, 10], 1.0), [0, 3, 4, 4]);
        assert_eq!(center([10, 4], 0.5), [1, 0, 8, 4]);
        assert_eq!(center([1, 100], 0.001), [0, 49, 1, 1]);
        assert_eq!(center([3, 3], 1e9), [1, 0, 1, 3]);
        let crop = RandomResizedCrop::new([4, 4]).scale(1.0..=1.0).ratio(1.0..=1.0);
        let expected = CenterCrop::new([4, 4]).apply(ramp([1, 4, 10])?, None)?;
        for random in [None, Some(&mut random(3))] {
            assert_eq!(crop.apply(ramp([1, 4, 10])?, random)?, expected);
        }
        Ok(())
    }
}
