//! Handwritten digits of 8x8 pixels, small enough to ship with the crate.
//!
//! # Source
//!
//! The test set of *Optical Recognition of Handwritten Digits* (E. Alpaydin, C. Kaynak, 1998) of
//! the UCI Machine Learning Repository, CC BY 4.0.

use super::Labeled;
use crate::{
    array::Array,
    error::{Error, FileError},
};
use std::io::Read;

/// Number of pixels per image.
pub const PIXELS: usize = 64;
/// Number of classes.
pub const CLASSES: usize = 10;

const PACKED: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// Loads the data set: 1,797 images `[n, 64]` in f32, scaled to `[0, 1]`, and their digits.
///
/// # Errors
///
/// [`FileError::Corrupt`] if the crate was built from a damaged file.
#[doc(alias = "load_digits")]
pub fn load() -> Result<Labeled, Error> {
    // 1 MiB is four times the size; a damaged stream must not grow without bound.
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED)
        .take(1 << 20)
        .read_to_string(&mut text)
        .map_err(|error| corrupt(error.to_string()))?;
    parse(&text)
}

/// Parses one image per line: 64 pixels from 0 to 16, then the digit.
fn parse(text: &str) -> Result<Labeled, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let number = |field: &str, most: u8| {
            let number = field.trim().parse().ok().filter(|&number: &u8| number <= most);
            let message = || format!("line {line}: {field:?} is no number from 0 to {most}");
            number.ok_or_else(|| corrupt(message()))
        };
        let fields: Vec<&str> = content.split(',').collect();
        let [image @ .., digit] = fields.as_slice() else {
            return Err(corrupt(format!("line {line} is empty")));
        };
        if image.len() != PIXELS {
            return Err(corrupt(format!("line {line} has {} pixels, not {PIXELS}", image.len())));
        }
        for pixel in image {
            pixels.push(f32::from(number(pixel, 16)?) / 16.0);
        }
        labels.push(u32::from(number(digit, 9)?));
    }
    Labeled::new(Array::new([labels.len(), PIXELS], &pixels)?, Array::new([labels.len()], &labels)?)
}

fn corrupt(message: String) -> Error {
    FileError::Corrupt { path: "data/digits.csv.gz".into(), message }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_the_published_one() -> Result<(), Error> {
        let digits = load()?;
        assert_eq!(digits.inputs().shape().dims(), [1797, 64]);
        let mut counts = [0; CLASSES];
        digits.targets().words().iter().for_each(|&digit| counts[digit as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(digits.inputs().to_f64().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        // The first image begins 0, 0, 5, 13.
        assert_eq!(&digits.inputs().to_f64()[..4], [0.0, 0.0, 5.0 / 16.0, 13.0 / 16.0]);
        Ok(())
    }

    #[test]
    fn the_split_is_stratified_and_loses_nothing() -> Result<(), Error> {
        let digits = load()?;
        let (train, test) = digits.split(0.2)?;
        assert_eq!(train.len() + test.len(), 1797);
        let held = |digit| test.targets().words().iter().filter(|&&label| label == digit).count();
        let counts: Vec<_> = (0..10).map(held).collect();
        assert_eq!(counts, [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]);
        assert_eq!(digits.split(0.2)?.1, test);
        Ok(())
    }

    #[test]
    fn damage_is_an_error() {
        let good = vec!["3"; PIXELS + 1].join(",");
        assert!(parse(&good).is_ok());
        for text in [
            String::new() + "\n",
            good.replacen('3', "17", 1),
            good.replacen('3', "-1", 1),
            good.replacen("3,", "", 1),
            good.clone() + "3",
            good.clone() + ",3",
        ] {
            assert!(matches!(parse(&text), Err(Error::File(FileError::Corrupt { .. }))), "{text}");
        }
    }
}
