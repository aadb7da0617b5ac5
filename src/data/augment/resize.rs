//! Resizing.

use super::{Image, Transform, check::Check, section::Section};
use crate::{
    data::{
        Random,
        taps::{Taps, taps},
    },
    error::Error,
    memory,
};

/// Resizes every image: by linear interpolation where it is enlarged, and by averages where it is
/// reduced, as Pillow and `antialias=True` do.
///
/// The aspect ratio is not kept.
#[doc(alias = "Resizing")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    size: [usize; 2],
}

impl Resize {
    /// Resizes to these rows and columns.
    pub fn new(size: [usize; 2]) -> Self {
        Resize { size }
    }
}

impl Transform for Resize {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        Check("Resize", extents).size(self.size)
    }

    fn apply(&self, image: Image, _: Option<&mut Random>) -> Result<Image, Error> {
        let extents = self.extents(image.extents())?;
        if image.extents() == extents {
            return Ok(image);
        }
        resized(&image, Section::whole([image.rows(), image.columns()]), self.size)
    }
}

/// A section of an image, resized to a size without an extent of 0.
pub(super) fn resized(
    image: &Image,
    section: Section,
    [rows, columns]: [usize; 2],
) -> Result<Image, Error> {
    let vertical = taps(section.rows, rows);
    let horizontal = taps(section.columns, columns);
    let mut result = Image::full([image.channels(), rows, columns], 0.0)?;
    let mut row: Vec<f32> = memory::room(section.columns)?;
    for (plane, result) in image.planes().zip(result.planes_mut()) {
        for (Taps { first, weights }, result) in
            vertical.iter().zip(result.chunks_exact_mut(columns))
        {
            // Rows first, since whole rows can be added.
            row.clear();
            row.resize(section.columns, 0.0);
            let source = section.rows_of(plane, image.columns()).skip(*first);
            for (pixels, weight) in source.zip(weights) {
                row.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum += pixel * weight);
            }
            for (Taps { first, weights }, pixel) in horizontal.iter().zip(result) {
                let terms = row[*first..].iter().zip(weights);
                *pixel = terms.fold(0.0, |sum, (pixel, weight)| sum + pixel * weight);
            }
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::tests::{assert_close, ramp};

    /// From Pillow: `Image.fromarray(image, "F").resize((columns, rows), Image.BILINEAR)`.
    #[test]
    fn pixels_are_those_of_pillow() -> Result<(), Error> {
        let image = Resize::new([3, 4]).apply(ramp([1, 5, 7])?, None)?;
        let expected = [
            0.417483, 0.506000, 0.373029, 0.525306, 0.430688, 0.562933, 0.471644, 0.627831,
            0.436258, 0.623714, 0.461886, 0.482245,
        ];
        assert_close(&image, [1, 3, 4], &expected);
        let image = Resize::new([7, 3]).apply(ramp([1, 5, 7])?, None)?;
        let expected = [
            0.317143, 0.397059, 0.532143, 0.519184, 0.417227, 0.486837, 0.606837, 0.459412,
            0.512653, 0.447143, 0.527059, 0.662143, 0.390510, 0.509832, 0.605510, 0.457551,
            0.543529, 0.487041, 0.577143, 0.597647, 0.359286,
        ];
        assert_close(&image, [1, 7, 3], &expected);
        // The section is cropped before: no pixel beside it counts.
        let section = Section { top: 1, left: 2, rows: 3, columns: 4 };
        let expected = [
            0.513750, 0.507625, 0.374375, 0.354750, 0.613750, 0.595000, 0.588875, 0.455625,
            0.436000, 0.695000,
        ];
        assert_close(&resized(&ramp([1, 5, 7])?, section, [2, 5])?, [1, 2, 5], &expected);
        Ok(())
    }

    #[test]
    fn channels_are_resized_on_their_own() -> Result<(), Error> {
        let all = Resize::new([4, 6]).apply(ramp([3, 5, 7])?, None)?;
        for (plane, resized) in ramp([3, 5, 7])?.planes().zip(all.planes()) {
            let alone = Image::new([1, 5, 7], plane.to_vec())?;
            assert_eq!(Resize::new([4, 6]).apply(alone, None)?.pixels(), resized);
        }
        let same = Resize::new([5, 7]).apply(ramp([3, 5, 7])?, None)?;
        assert_eq!(same, ramp([3, 5, 7])?);
        let whole = Section::whole([5, 7]);
        assert_eq!(resized(&same, whole, [5, 7])?, same, "a filter of one tap changes nothing");
        Ok(())
    }
}
