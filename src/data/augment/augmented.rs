//! Data sets whose images are transformed.

use super::{
    Image, Transform,
    image::{extents, len, refused},
    pairs::row_of,
};
use crate::{
    array::Array,
    data::{Batch, Dataset, Random},
    dtype::DType,
    error::{Error, OpError},
    memory,
    shape::Meta,
};
use std::fmt;

/// A data set with transformed images: at random when it is [drawn](Dataset::draw) from, without
/// chance in [`get`](Dataset::get). Nothing is kept: an image is transformed each time.
///
/// ```
/// use wgrad::{Array, data::{ArrayDataset, Dataset, augment::{Augmented, RandomFlip}}};
///
/// let images = Array::new([4, 1, 1, 2], &[0.0f32, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])?;
/// let data = ArrayDataset::new([("inputs", images)])?;
/// let augmented = Augmented::new(&data, RandomFlip::horizontal(), 7)?;
/// assert_eq!(augmented.get(&[0, 1])?, data.get(&[0, 1])?);
/// // Epoch 5 has its own images, and the same ones in any batch.
/// let batch = augmented.draw(&[1, 2, 3], &[5; 3])?;
/// let images = batch.get("inputs").map(|images| images.slice(0, 1..2)).transpose()?;
/// assert_eq!(images.as_ref(), augmented.draw(&[2], &[5])?.get("inputs"));
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Augmented<D> {
    data: D,
    field: String,
    transform: Box<dyn Transform>,
    seed: u64,
    /// Extents of the results.
    extents: [usize; 3],
}

impl<D: Dataset> Augmented<D> {
    /// Transforms the field `inputs`: images `[channels, rows, columns]` in f32.
    ///
    /// # Errors
    ///
    /// [`DataError::NoField`](crate::DataError::NoField);
    /// [`VariableError`](crate::VariableError) if the field does not hold images, or they cannot be
    /// transformed: see [`Transform::extents`].
    pub fn new(data: D, transform: impl Transform + 'static, seed: u64) -> Result<Self, Error> {
        Augmented::of_field("inputs", data, transform, seed)
    }

    /// Transforms the field of this name.
    ///
    /// # Errors
    ///
    /// Same as [`new`](Self::new).
    pub fn of_field(
        field: &str,
        data: D,
        transform: impl Transform + 'static,
        seed: u64,
    ) -> Result<Self, Error> {
        let extents = transform.extents(extents(&row_of(&data, field)?)?)?;
        let transform = Box::new(transform);
        Ok(Augmented { data, field: field.to_owned(), transform, seed, extents })
    }

    /// Transforms all images of a batch, at random if they have turns.
    fn transformed(
        &self,
        images: Array,
        rows: &[usize],
        turns: Option<&[u64]>,
    ) -> Result<Array, Error> {
        let dims = images.shape().dims();
        let from = extents(&Meta::new(dims.get(1..).unwrap_or_default(), images.dtype()))?;
        let to = self.transform.extents(from)?;
        let size =
            |extents| len(extents).ok_or_else(|| refused("Augmented", to, OpError::TooLarge));
        let mut result: Vec<f32> = memory::room(rows.len().saturating_mul(size(to)?))?;
        let images: Vec<f32> = images.into_vec()?;
        // The memory of one image becomes that of the next.
        let mut pixels = Vec::new();
        for (index, image) in images.chunks_exact(size(from)?.max(1)).enumerate() {
            pixels.clear();
            pixels.extend_from_slice(image);
            let key = |&turn: &u64| Some(Random::new(&[self.seed, turn, *rows.get(index)? as u64]));
            let mut random = turns.and_then(|turns| turns.get(index)).and_then(key);
            let image = self.transform.apply(Image::new(from, pixels)?, random.as_mut())?;
            if image.extents() != to {
                let reason = OpError::Target(to.into());
                return Err(refused("Augmented", image.extents(), reason));
            }
            result.extend_from_slice(image.pixels());
            pixels = image.into_pixels();
        }
        let [channels, height, width] = to;
        Array::from_vec([rows.len(), channels, height, width], result)
    }

    fn batch(&self, batch: Batch, rows: &[usize], turns: Option<&[u64]>) -> Result<Batch, Error> {
        let fields = batch.fields.into_iter().map(|(name, array)| {
            let array = match name == self.field {
                true => self.transformed(array, rows, turns)?,
                false => array,
            };
            Ok((name, array))
        });
        Ok(Batch { fields: fields.collect::<Result<_, Error>>()? })
    }
}

impl<D: Dataset> Dataset for Augmented<D> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn fields(&self) -> Vec<(String, Meta)> {
        let mut fields = self.data.fields();
        for (_, row) in fields.iter_mut().filter(|(name, _)| *name == self.field) {
            *row = Meta::new(self.extents, DType::F32);
        }
        fields
    }

    fn get(&self, rows: &[usize]) -> Result<Batch, Error> {
        self.batch(self.data.get(rows)?, rows, None)
    }

    fn draw(&self, rows: &[usize], turns: &[u64]) -> Result<Batch, Error> {
        self.batch(self.data.draw(rows, turns)?, rows, Some(turns))
    }

    fn array(&self, field: &str) -> Option<&Array> {
        if field == self.field { None } else { self.data.array(field) }
    }

    fn description(&self) -> String {
        let Augmented { data, field, transform, seed, .. } = self;
        format!("{}, {field} by {transform:?} with seed {seed}", data.description())
    }
}

impl<D> fmt::Debug for Augmented<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Augmented")
            .field("field", &self.field)
            .field("transform", &self.transform)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
