//! Transforms of images for training: crops, flips, rotations, colors, erased parts, and mixtures.
//!
//! A [`Transform`] changes one image, [`Compose`] applies several in a row, and [`Augmented`] is a
//! data set whose images are transformed when they are asked for: at random in [`draw`], which a
//! training uses, and without chance in [`get`], which evaluation and prediction use. One list
//! serves for both:
//!
//! ```
//! use wgrad::{
//!     data::augment::{Augmented, Compose, Normalize, RandomCrop, RandomFlip},
//!     prelude::*,
//! };
//!
//! // Gray images of a light spot in the upper or in the lower half.
//! let mut pixels = vec![0.0f32; 32 * 8 * 8];
//! for (image, pixels) in pixels.chunks_exact_mut(64).enumerate() {
//!     let (row, column) = (1 + 5 * (image % 2), image / 2 % 8);
//!     pixels[8 * row + column] = 1.0;
//! }
//! let classes: Vec<u32> = (0..32).map(|image| image % 2).collect();
//! let data = Labeled::new(Array::new([32, 1, 8, 8], &pixels)?, Array::new([32], &classes)?)?;
//!
//! let transforms = Compose::new()
//!     .add(RandomCrop::new([8, 8]).padding(1, 0.0))
//!     .add(RandomFlip::horizontal())
//!     .add(Normalize::new([0.016], [0.125]));
//! let augmented = Augmented::new(&data, transforms, 7)?;
//!
//! let model = Sequential::new().add(Flatten::new()).add(Dense::new(2));
//! let report = Trainer::classifier(&model, Adam::new(0.05))
//!     .epochs(20)
//!     .validate(&augmented)
//!     .fit(&Device::cpu(), &Variables::new(0), &augmented)?;
//! assert!(report.validation.and_then(|measures| measures.get("accuracy")) > Some(0.9));
//! # Ok::<(), Error>(())
//! ```
//!
//! The chance of a row depends only on the seed, the epoch and how often the row was drawn in it, the
//! row and the place of the transform in the list: neither on the other rows of its batch nor on the
//! thread that asks for it.
//!
//! [`MixUp`] and [`CutMix`] mix each image with another one, and their classes with them.
//!
//! [`draw`]: crate::data::Dataset::draw
//! [`get`]: crate::data::Dataset::get

mod affine;
mod augmented;
mod check;
mod color;
mod compose;
mod crop;
mod cut_mix;
mod distributions;
mod erase;
mod flip;
mod image;
mod mix_up;
mod normalize;
mod pairs;
mod resize;
mod section;
#[cfg(test)]
mod tests;

pub use affine::RandomAffine;
pub use augmented::Augmented;
pub use color::{ColorJitter, Grayscale};
pub use compose::Compose;
pub use crop::{CenterCrop, RandomCrop, RandomResizedCrop};
pub use cut_mix::CutMix;
pub use erase::{CutOut, RandomErasing};
pub use flip::RandomFlip;
pub use image::Image;
pub use mix_up::MixUp;
pub use normalize::Normalize;
pub use resize::Resize;

use crate::{data::Random, error::Error};
use std::fmt;

/// A transform of an image: random in training, and without chance in evaluation.
///
/// ```
/// use wgrad::{
///     Error,
///     data::{Random, augment::{Image, Transform}},
/// };
///
/// /// Makes an image darker, by up to half; by a quarter in evaluation.
/// #[derive(Debug)]
/// struct Darken;
///
/// impl Transform for Darken {
///     fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
///         Ok(extents)
///     }
///
///     fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
///         let factor = random.map_or(0.75, |random| random.between(0.5, 1.0)) as f32;
///         image.pixels_mut().iter_mut().for_each(|pixel| *pixel *= factor);
///         Ok(image)
///     }
/// }
///
/// let image = Image::new([1, 1, 2], vec![0.4, 0.8])?;
/// let darker = Darken.apply(image.clone(), Some(&mut Random::new(&[7])))?;
/// assert!(darker.pixels()[1] >= 0.4 && darker.pixels()[1] <= 0.8);
/// assert_eq!(Darken.apply(image, None)?.pixels(), [0.3, 0.6]);
/// # Ok::<(), Error>(())
/// ```
pub trait Transform: fmt::Debug + Send + Sync {
    /// Channels, rows and columns of the result for an image that has these.
    ///
    /// # Errors
    ///
    /// [`VariableError::Array`](crate::VariableError::Array) if such an image cannot be
    /// transformed, or a setting makes no sense.
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error>;

    /// Transforms an image, at random if there is a generator.
    ///
    /// # Errors
    ///
    /// Those of [`extents`](Self::extents);
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    fn apply(&self, image: Image, random: Option<&mut Random>) -> Result<Image, Error>;
}
