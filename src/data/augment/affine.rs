//! Rotation, translation, zoom and shear.

use super::{Image, Transform, check::Check};
use crate::{
    data::Random,
    error::{Error, OpError},
    numbers::Must,
};
use std::ops::RangeInclusive;

/// Rotates, shifts, scales and shears an image at random about its center; does nothing in
/// evaluation.
///
/// All are done at once, by linear interpolation. An image is surrounded by a number, 0 by default.
///
/// ```
/// use wgrad::data::augment::RandomAffine;
///
/// let rotation = RandomAffine::rotation(15.0);
/// let any = RandomAffine::new().degrees(10.0).translate([0.1, 0.1]).scale(0.8..=1.2).shear(5.0);
/// ```
#[doc(alias("RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear"))]
#[derive(Clone, Debug, PartialEq)]
pub struct RandomAffine {
    degrees: f64,
    translate: [f64; 2],
    scale: RangeInclusive<f64>,
    shear: f64,
    fill: f64,
}

impl Default for RandomAffine {
    fn default() -> Self {
        RandomAffine { degrees: 0.0, translate: [0.0; 2], scale: 1.0..=1.0, shear: 0.0, fill: 0.0 }
    }
}

impl RandomAffine {
    /// Leaves every image as it is, until something is set.
    pub fn new() -> Self {
        RandomAffine::default()
    }

    /// Rotates by up to this many degrees, either way.
    pub fn rotation(degrees: f64) -> Self {
        RandomAffine::new().degrees(degrees)
    }

    /// Sets the maximum number of degrees to rotate by, either way.
    pub fn degrees(self, degrees: f64) -> Self {
        RandomAffine { degrees, ..self }
    }

    /// Sets the maximum shift up or down, and left or right, as shares of the numbers of rows and
    /// of columns.
    pub fn translate(self, shares: [f64; 2]) -> Self {
        RandomAffine { translate: shares, ..self }
    }

    /// Sets the range of the factor of rows and columns: above 1, it zooms in.
    pub fn scale(self, scale: RangeInclusive<f64>) -> Self {
        RandomAffine { scale, ..self }
    }

    /// Sets the maximum number of degrees, below 90, to slant columns by, either way.
    pub fn shear(self, degrees: f64) -> Self {
        RandomAffine { shear: degrees, ..self }
    }

    /// Sets the value of the pixels outside an image.
    pub fn fill(self, fill: f64) -> Self {
        RandomAffine { fill, ..self }
    }
}

impl Transform for RandomAffine {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check("RandomAffine", extents);
        check.number("degrees", self.degrees, Must::BeAtLeast0)?;
        self.translate
            .iter()
            .try_for_each(|&share| check.number("translate", share, Must::BeFraction))?;
        check.range("scale", &self.scale, Must::BePositive)?;
        if !(0.0..90.0).contains(&self.shear) {
            let (what, must) = ("shear", "from 0 to below 90");
            return check.refuse(OpError::Number { what, must, is: self.shear });
        }
        check.pixel("fill", self.fill)?;
        Ok(extents)
    }

    fn apply(&self, image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        let [_, rows, columns] = self.extents(image.extents())?;
        let Some(random) = random else { return Ok(image) };
        let mut within = |most: f64| random.between(-most, most);
        let affine = Affine {
            degrees: within(self.degrees),
            shift: [
                within(self.translate[0] * rows as f64),
                within(self.translate[1] * columns as f64),
            ],
            shear: within(self.shear),
            scale: random.between(*self.scale.start(), *self.scale.end()),
        };
        affine.warped(&image, self.fill as f32)
    }
}

/// Scales, shears, rotates clockwise and then shifts down and to the right.
#[derive(Clone, Copy, Debug)]
struct Affine {
    degrees: f64,
    shift: [f64; 2],
    shear: f64,
    scale: f64,
}

impl Affine {
    /// The image that has at each pixel the one of `image` that is moved there.
    fn warped(self, image: &Image, fill: f32) -> Result<Image, Error> {
        let [_, rows, columns] = image.extents();
        let mut result = Image::full(image.extents(), fill)?;
        let (size, pixels) = (rows * columns, result.pixels_mut());
        // The inverse: from a pixel of the result to its source.
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let (slant, shrink) = (self.shear.to_radians().tan(), 1.0 / self.scale);
        let x_by = [(cos - slant * sin) * shrink, (sin + slant * cos) * shrink];
        let y_by = [-sin * shrink, cos * shrink];
        let [middle_y, middle_x] = [rows, columns].map(|extent| (extent as f64 - 1.0) / 2.0);
        for to_y in 0..rows {
            let dy = to_y as f64 - middle_y - self.shift[0];
            for to_x in 0..columns {
                let dx = to_x as f64 - middle_x - self.shift[1];
                let x = x_by[0] * dx + x_by[1] * dy + middle_x;
                let y = y_by[0] * dx + y_by[1] * dy + middle_y;
                let is_near = |at: f64, extent: usize| at > -1.0 && at < extent as f64;
                if !(is_near(x, columns) && is_near(y, rows)) {
                    continue;
                }
                // The index in a channel of each of its four neighbors, and its weight.
                let ((left, right_share), (top, lower_share)) = (split(x), split(y));
                let neighbor = |y: i64, x: i64, weight: f32| {
                    let is_inside =
                        (0..rows as i64).contains(&y) && (0..columns as i64).contains(&x);
                    (is_inside.then(|| y as usize * columns + x as usize), weight)
                };
                let (left_share, upper_share) = (1.0 - right_share, 1.0 - lower_share);
                let neighbors = [
                    neighbor(top, left, upper_share * left_share),
                    neighbor(top, left + 1, upper_share * right_share),
                    neighbor(top + 1, left, lower_share * left_share),
                    neighbor(top + 1, left + 1, lower_share * right_share),
                ];
                for start in (0..image.pixels().len()).step_by(size) {
                    let plane = &image.pixels()[start..][..size];
                    let value = |index: Option<usize>| index.map_or(fill, |index| plane[index]);
                    let terms = neighbors.iter().map(|&(index, weight)| weight * value(index));
                    pixels[start + to_y * columns + to_x] = terms.sum();
                }
            }
        }
        Ok(result)
    }
}

/// The largest whole number up to `at`, which is above -1, and the rest.
fn split(at: f64) -> (i64, f32) {
    // Rounding down is a call where a processor need not have the instruction; this is none.
    let whole = (at + 1.0) as i64 - 1;
    (whole, (at - whole as f64) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::{assert_close, ramp, random};

    const NOTHING: Affine = Affine { degrees: 0.0, shift: [0.0; 2], shear: 0.0, scale: 1.0 };

    /// From Pillow, of the ramp in the center of a canvas of 0.25: `rotate(-30, BILINEAR)`, and
    /// `transform(AFFINE, BILINEAR)` by the inverse, from numpy, of the product of the four
    /// matrices.
    #[test]
    fn pixels_are_those_of_pillow() -> Result<(), Error> {
        let image = ramp([1, 4, 5])?;
        let rotated = Affine { degrees: 30.0, ..NOTHING }.warped(&image, 0.25)?;
        let expected = [
            0.537895, 0.459036, 0.428336, 0.541421, 0.222164, 0.648339, 0.177868, 0.466112,
            0.602127, 0.302014, 0.667986, 0.367873, 0.503888, 0.792132, 0.321661, 0.372288,
            0.288032, 0.541664, 0.510965, 0.205541,
        ];
        assert_close(&rotated, [1, 4, 5], &expected);
        let affine = Affine { degrees: -25.0, shift: [0.5, -1.25], shear: 10.0, scale: 1.3 };
        let expected = [
            0.620800, 0.440694, 0.478988, 0.319770, 0.253220, 0.510398, 0.688551, 0.811465,
            0.273331, 0.216773, 0.317080, 0.540973, 0.764866, 0.447272, 0.440406, 0.123763,
            0.351464, 0.571549, 0.759722, 0.653051,
        ];
        assert_close(&affine.warped(&image, 0.25)?, [1, 4, 5], &expected);
        Ok(())
    }

    #[test]
    fn whole_pixels_are_moved_exactly() -> Result<(), Error> {
        let image = ramp([2, 3, 3])?;
        assert_eq!(NOTHING.warped(&image, 0.5)?, image);
        assert_eq!(RandomAffine::new().apply(image.clone(), Some(&mut random(1)))?, image);
        let moved = Affine { shift: [1.0, -2.0], ..NOTHING }.warped(&image, 0.5)?;
        let plane = [0.5, 0.5, 0.5, 0.74, 0.5, 0.5, 0.84, 0.5, 0.5];
        assert_close(&Image::new([1, 3, 3], moved.pixels()[..9].to_vec())?, [1, 3, 3], &plane);
        // Far away from the image, however far.
        for scale in [1e-300, 1e300] {
            let warped = Affine { shift: [1e9, 1e9], scale, ..NOTHING }.warped(&image, 0.5)?;
            assert!(warped.pixels().iter().all(|pixel| pixel.is_finite()), "{scale}");
        }
        Ok(())
    }

    #[test]
    fn shifts_keep_to_their_range_and_evaluation_has_none() -> Result<(), Error> {
        let mut pixels = vec![0.0; 400];
        pixels[210] = 1.0;
        let image = Image::new([1, 20, 20], pixels)?;
        let translate = RandomAffine::new().translate([0.1, 0.2]);
        assert_eq!(translate.apply(image.clone(), None)?, image);
        let mut rows = [0; 20];
        for key in 0..500 {
            let moved = translate.apply(image.clone(), Some(&mut random(key)))?;
            for (place, _) in moved.pixels().iter().enumerate().filter(|&(_, &pixel)| pixel > 0.0) {
                assert!((8..=12).contains(&(place / 20)) && (6..=14).contains(&(place % 20)));
                rows[place / 20] += 1;
            }
        }
        assert!(rows[8..=12].iter().all(|&count| count > 50), "{rows:?}");
        Ok(())
    }
}
