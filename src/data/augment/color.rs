//! Colors.

use super::{Image, Transform, check::Check};
use crate::{
    data::{Random, permutation},
    error::{Error, OpError},
    numbers::Must,
};

/// The share of red, green and blue in a gray: ITU-R BT.601.
const GRAY: [f32; 3] = [0.299, 0.587, 0.114];

/// Changes brightness, contrast, saturation and hue at random; does nothing in evaluation.
///
/// For pixels in `[0, 1]`: it comes before [`Normalize`](super::Normalize). An amount `a` of one of
/// the first three stands for a factor from `max(0, 1 - a)` to `1 + a`:
///
/// * brightness: the pixels times the factor;
/// * contrast: their distance from the mean gray of the image, times the factor;
/// * saturation: their distance from the gray of the same pixel, times the factor.
///
/// An amount of hue, at most 1/2, is the largest turn of the color circle, either way. The four
/// take place in a random order, and each result is limited to `[0, 1]`.
///
/// An image has one channel or three; saturation and hue need three.
///
/// # Source
///
/// torchvision's `ColorJitter`.
#[doc(alias("RandomBrightness", "RandomContrast", "RandomSaturation", "RandomHue"))]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorJitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
    hue: f64,
}

impl ColorJitter {
    /// Leaves every image as it is, until something is set.
    pub fn new() -> Self {
        ColorJitter::default()
    }

    /// Sets the amount of brightness.
    pub fn brightness(self, amount: f64) -> Self {
        ColorJitter { brightness: amount, ..self }
    }

    /// Sets the amount of contrast.
    pub fn contrast(self, amount: f64) -> Self {
        ColorJitter { contrast: amount, ..self }
    }

    /// Sets the amount of saturation.
    pub fn saturation(self, amount: f64) -> Self {
        ColorJitter { saturation: amount, ..self }
    }

    /// Sets the amount of hue, in `[0, 0.5]`.
    pub fn hue(self, amount: f64) -> Self {
        ColorJitter { hue: amount, ..self }
    }
}

impl Transform for ColorJitter {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        let check = Check("ColorJitter", extents);
        for (what, amount) in [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ] {
            check.number(what, amount, Must::BeAtLeast0)?;
            check.pixel(what, amount)?;
        }
        if !(0.0..=0.5).contains(&self.hue) {
            let (what, must) = ("hue", "in [0, 0.5]");
            return check.refuse(OpError::Number { what, must, is: self.hue });
        }
        match extents[0] {
            3 => Ok(extents),
            1 if self.saturation == 0.0 && self.hue == 0.0 => Ok(extents),
            1 => check.refuse(OpError::Argument("saturation and hue need three channels")),
            _ => check.refuse(OpError::Argument("colors have one channel or three")),
        }
    }

    fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
        self.extents(image.extents())?;
        let Some(random) = random else { return Ok(image) };
        let amounts = [self.brightness, self.contrast, self.saturation, self.hue];
        for change in permutation(amounts.len(), random.next()) {
            let amount = amounts[change];
            if amount == 0.0 {
                continue;
            }
            let factor = random.between((1.0 - amount).max(0.0), 1.0 + amount) as f32;
            match change {
                0 => brighten(&mut image, factor),
                1 => contrast(&mut image, factor),
                2 => saturate(&mut image, factor),
                // Hue is the only one without a factor: its range is around 0.
                _ => turn_hue(&mut image, factor - 1.0),
            }
        }
        Ok(image)
    }
}

/// Makes the only channel of every image the gray of its three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grayscale;

impl Transform for Grayscale {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        match extents {
            [3, rows, columns] => Ok([1, rows, columns]),
            _ => Check("Grayscale", extents)
                .refuse(OpError::Argument("a gray is made from three channels")),
        }
    }

    fn apply(&self, mut image: Image, _: Option<&mut Random>) -> Result<Image, Error> {
        self.extents(image.extents())?;
        for_each_color(&mut image, |color| [gray(color); 3]);
        Ok(image.truncated(1))
    }
}

fn brighten(image: &mut Image, factor: f32) {
    image.pixels_mut().iter_mut().for_each(|pixel| *pixel = (*pixel * factor).clamp(0.0, 1.0));
}

fn contrast(image: &mut Image, factor: f32) {
    let shares = if image.channels() == 3 { GRAY } else { [1.0; 3] };
    let mean = |plane: &[f32]| {
        plane.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / plane.len() as f64
    };
    // The mean of a weighted sum is the weighted sum of the means.
    let means = image.planes().map(mean).zip(shares);
    let gray = means.map(|(mean, share)| mean * f64::from(share)).sum::<f64>() as f32;
    let from = (1.0 - factor) * gray;
    image
        .pixels_mut()
        .iter_mut()
        .for_each(|pixel| *pixel = (*pixel * factor + from).clamp(0.0, 1.0));
}

fn saturate(image: &mut Image, factor: f32) {
    for_each_color(image, |color| {
        let from = (1.0 - factor) * gray(color);
        color.map(|part| (part * factor + from).clamp(0.0, 1.0))
    });
}

/// Turns the hue by a share of the circle, from -1/2 to 1/2.
///
/// # Source
///
/// The hexagon of A. R. Smith, *Color Gamut Transform Pairs* (1978). Its conditions compile to selects, so
/// that several pixels are computed at once.
fn turn_hue(image: &mut Image, turn: f32) {
    let turn = turn * 6.0;
    for_each_color(image, |[red, green, blue]| {
        let most = red.max(green).max(blue);
        let range = most - red.min(green).min(blue);
        // A gray has no hue: any will do.
        let unit = if range == 0.0 { 1.0 } else { range };
        let hue = if most == red {
            (green - blue) / unit
        } else if most == green {
            2.0 + (blue - red) / unit
        } else {
            4.0 + (red - green) / unit
        };
        let hue = hue + turn;
        let hue = if hue < 0.0 { hue + 6.0 } else { hue };
        [5.0, 3.0, 1.0].map(|corner| {
            let distance = hue + corner;
            let distance = if distance >= 12.0 { distance - 6.0 } else { distance };
            let distance = if distance >= 6.0 { distance - 6.0 } else { distance };
            most - range * distance.min(4.0 - distance).clamp(0.0, 1.0)
        })
    });
}

fn gray([red, green, blue]: [f32; 3]) -> f32 {
    let [r, g, b] = GRAY;
    r * red + g * green + b * blue
}

/// Changes the color of each pixel of an image of three channels.
fn for_each_color(image: &mut Image, change: impl Fn([f32; 3]) -> [f32; 3]) {
    let mut planes = image.planes_mut();
    let (Some(red), Some(green), Some(blue)) = (planes.next(), planes.next(), planes.next()) else {
        return;
    };
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        [*red, *green, *blue] = change([*red, *green, *blue]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::{assert_close, ramp, random};

    fn changed(change: impl Fn(&mut Image)) -> Result<Image, Error> {
        let mut image = ramp([3, 2, 3])?;
        change(&mut image);
        Ok(image)
    }

    /// From numpy, by the formulas of the documentation.
    #[test]
    fn factors_do_what_the_formulas_say() -> Result<(), Error> {
        let gray = Grayscale.apply(ramp([3, 2, 3])?, None)?;
        assert_close(&gray, [1, 2, 3], &[0.163, 0.533, 0.787860, 0.263, 0.633, 0.294990]);
        let brighter = [
            0.0, 0.518, 1.0, 0.14, 0.658, 1.0, 0.28, 0.798, 1.0, 0.42, 0.938, 0.042, 0.56, 1.0,
            0.182, 0.7, 1.0, 0.322,
        ];
        assert_close(&changed(|image| brighten(image, 1.4))?, [3, 2, 3], &brighter);
        let contrasted = [
            0.0, 0.332096, 0.887096, 0.0, 0.482096, 1.0, 0.077096, 0.632096, 1.0, 0.227096,
            0.782096, 0.0, 0.377096, 0.932096, 0.0, 0.527096, 1.0, 0.122096,
        ];
        assert_close(&changed(|image| contrast(image, 1.5))?, [3, 2, 3], &contrasted);
        let pale = [
            0.114100, 0.484100, 0.773502, 0.214100, 0.584100, 0.458493, 0.174100, 0.544100,
            0.833502, 0.274100, 0.644100, 0.215493, 0.234100, 0.604100, 0.590502, 0.334100,
            0.704100, 0.275493,
        ];
        assert_close(&changed(|image| saturate(image, 0.3))?, [3, 2, 3], &pale);
        let vivid = [
            0.0, 0.239600, 0.701712, 0.0, 0.339600, 1.0, 0.229600, 0.599600, 1.0, 0.329600,
            0.699600, 0.0, 0.589600, 0.959600, 0.0, 0.689600, 1.0, 0.178008,
        ];
        assert_close(&changed(|image| saturate(image, 1.8))?, [3, 2, 3], &vivid);
        let mut gray = Image::new([1, 1, 2], vec![0.2, 0.6])?;
        contrast(&mut gray, 0.5);
        assert_close(&gray, [1, 1, 2], &[0.3, 0.5]);
        Ok(())
    }

    /// From Python's `colorsys`, by way of HSV.
    #[test]
    fn hues_are_those_of_colorsys() -> Result<(), Error> {
        let tenth = [
            0.04, 0.41, 0.254, 0.14, 0.51, 0.84, 0.0, 0.37, 0.94, 0.1, 0.47, 0.316, 0.4, 0.77,
            0.13, 0.5, 0.87, 0.03,
        ];
        assert_close(&changed(|image| turn_hue(image, 0.1))?, [3, 2, 3], &tenth);
        let back = [
            0.24, 0.61, 0.94, 0.34, 0.71, 0.03, 0.4, 0.77, 0.13, 0.5, 0.87, 0.311, 0.0, 0.37,
            0.821, 0.1, 0.47, 0.84,
        ];
        assert_close(&changed(|image| turn_hue(image, -0.35))?, [3, 2, 3], &back);
        // A third of the circle exchanges the channels, and no turn is none.
        let third = changed(|image| turn_hue(image, 1.0 / 3.0))?;
        let expected: Vec<f64> = [2, 0, 1]
            .into_iter()
            .flat_map(|channel| {
                (0..6).map(move |pixel| f64::from((6 * channel + pixel) * 37 % 101) / 100.0)
            })
            .collect();
        assert_close(&third, [3, 2, 3], &expected);
        for turn in [0.0, 0.5, -0.5] {
            let twice = changed(|image| {
                turn_hue(image, turn);
                turn_hue(image, turn);
            })?;
            let all =
                ramp([3, 2, 3])?.pixels().iter().map(|&pixel| pixel.into()).collect::<Vec<_>>();
            assert_close(&twice, [3, 2, 3], &all);
        }
        let mut gray = Image::new([3, 1, 2], vec![0.4, 1.0, 0.4, 1.0, 0.4, 1.0])?;
        turn_hue(&mut gray, 0.2);
        assert_close(&gray, [3, 1, 2], &[0.4, 1.0, 0.4, 1.0, 0.4, 1.0]);
        Ok(())
    }

    #[test]
    fn factors_keep_to_their_range() -> Result<(), Error> {
        let image = || Image::new([1, 1, 1], vec![0.5]);
        let jitter = ColorJitter::new().brightness(0.4);
        assert_eq!(jitter.apply(image()?, None)?, image()?);
        let (mut least, mut most) = (f32::INFINITY, 0.0f32);
        for key in 0..1000 {
            let pixel = jitter.apply(image()?, Some(&mut random(key)))?.pixels()[0];
            (least, most) = (least.min(pixel), most.max(pixel));
        }
        assert!((0.3..0.305).contains(&least) && (0.695..=0.7).contains(&most), "{least} {most}");
        // All four, far beyond what is common, still give colors.
        let wild = ColorJitter::new().brightness(9.0).contrast(9.0).saturation(9.0).hue(0.5);
        for key in 0..200 {
            let image = wild.apply(ramp([3, 4, 4])?, Some(&mut random(key)))?;
            assert!(image.pixels().iter().all(|pixel| (0.0..=1.0).contains(pixel)), "{key}");
        }
        Ok(())
    }
}
