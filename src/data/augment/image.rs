//! Images, one at a time.

use crate::{
    array::Array,
    dtype::DType,
    error::{Error, OpError, VariableError},
    memory,
    shape::Meta,
};
use std::fmt;

/// An image `[channels, rows, columns]` in f32; none of these extents is 0.
///
/// ```
/// use wgrad::data::augment::Image;
///
/// let mut image = Image::new([1, 2, 3], vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5])?;
/// image.pixels_mut().iter_mut().for_each(|pixel| *pixel = 1.0 - *pixel);
/// assert_eq!((image.rows(), image.columns()), (2, 3));
/// assert_eq!(image.into_array()?.shape().dims(), [1, 2, 3]);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Image {
    extents: [usize; 3],
    pixels: Vec<f32>,
}

impl Image {
    /// Creates an image from its pixels, in row-major order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Length`] unless there are as many pixels as the extents say;
    /// [`VariableError::Array`] if one of them is 0.
    pub fn new(extents: [usize; 3], pixels: Vec<f32>) -> Result<Self, Error> {
        if extents.contains(&0) {
            return Err(refused("Image", extents, OpError::Empty));
        }
        if len(extents) != Some(pixels.len()) {
            let (len, shape) = (pixels.len(), extents.into());
            return Err(VariableError::Length { len, shape }.into());
        }
        Ok(Image { extents, pixels })
    }

    /// An image of one value; no extent is 0.
    pub(super) fn full(extents: [usize; 3], value: f32) -> Result<Self, Error> {
        let len = len(extents).ok_or_else(|| refused("Image", extents, OpError::TooLarge))?;
        let mut pixels = memory::room(len)?;
        pixels.resize(len, value);
        Ok(Image { extents, pixels })
    }

    /// Takes an array `[channels, rows, columns]` in f32: as `images::read` returns it.
    ///
    /// # Errors
    ///
    /// [`VariableError::ElementType`], and [`VariableError::Array`] unless it has three axes and
    /// none of its extents is 0.
    pub fn from_array(array: Array) -> Result<Self, Error> {
        let extents = extents(array.meta())?;
        Image::new(extents, array.into_vec()?)
    }

    /// The pixels as an array of the same extents.
    ///
    /// # Errors
    ///
    /// None in practice: there are as many pixels as the extents say.
    pub fn into_array(self) -> Result<Array, Error> {
        Array::from_vec(self.extents, self.pixels)
    }

    /// Numbers of channels, rows and columns.
    pub fn extents(&self) -> [usize; 3] {
        self.extents
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.extents[0]
    }

    /// Number of rows: the height.
    pub fn rows(&self) -> usize {
        self.extents[1]
    }

    /// Number of columns: the width.
    pub fn columns(&self) -> usize {
        self.extents[2]
    }

    /// All pixels in row-major order: one channel after another.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// All pixels, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [f32] {
        &mut self.pixels
    }

    /// All pixels, without a copy.
    pub fn into_pixels(self) -> Vec<f32> {
        self.pixels
    }

    /// The pixels of each channel.
    pub fn planes(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.pixels.chunks_exact(self.rows() * self.columns())
    }

    /// The pixels of each channel, to be changed.
    pub fn planes_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        let len = self.rows() * self.columns();
        self.pixels.chunks_exact_mut(len)
    }

    /// The first `channels` channels.
    pub(super) fn truncated(mut self, channels: usize) -> Self {
        let [all, rows, columns] = self.extents;
        self.extents[0] = all.min(channels);
        self.pixels.truncate(self.extents[0] * rows * columns);
        self
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("extents", &self.extents).finish_non_exhaustive()
    }
}

/// The extents of an image of this shape and type.
pub(super) fn extents(meta: &Meta) -> Result<[usize; 3], Error> {
    let (expected, is) = (DType::F32, meta.dtype);
    if is != expected {
        return Err(VariableError::ElementType { of: "the images hold", expected, is }.into());
    }
    let extents = meta.shape.dims().try_into().map_err(|_| VariableError::Array {
        function: "Image",
        operands: vec![meta.clone()],
        reason: OpError::Argument("an image is [channels, rows, columns]"),
    });
    Ok(extents?)
}

/// Number of pixels, or `None` on overflow.
pub(super) fn len(extents: [usize; 3]) -> Option<usize> {
    extents.into_iter().try_fold(1usize, |len, extent| len.checked_mul(extent))
}

/// The error of a transform that does not apply to an image of these extents.
pub(super) fn refused(function: &'static str, extents: [usize; 3], reason: OpError) -> Error {
    let operands = vec![Meta::new(extents, DType::F32)];
    VariableError::Array { function, operands, reason }.into()
}
