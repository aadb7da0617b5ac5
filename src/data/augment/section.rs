//! Rectangular parts of images.

use crate::data::Random;
use std::ops::RangeInclusive;

/// Attempts to draw a section that fits.
const TRIES: usize = 10;

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Section {
    pub top: usize,
    pub left: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Section {
    /// All rows and columns.
    pub fn whole([rows, columns]: [usize; 2]) -> Self {
        Section { top: 0, left: 0, rows, columns }
    }

    /// The largest one in the center of `whole` with this ratio of columns to rows.
    pub fn center(whole: [usize; 2], ratio: f64) -> Self {
        let [height, width] = whole.map(|extent| extent as f64);
        let near = |extent: f64, most: usize| (extent.round() as usize).clamp(1, most);
        let rows = near(height.min(width / ratio), whole[0]);
        let columns = near(width.min(height * ratio), whole[1]);
        let (top, left) = ((whole[0] - rows) / 2, (whole[1] - columns) / 2);
        Section { top, left, rows, columns }
    }

    /// A random one in `whole`, whose share of the area is distributed evenly over `scale`, and the
    /// logarithm of its ratio of columns to rows over that of `ratio`; `None` if ten did not fit.
    pub fn draw(
        random: &mut Random,
        whole: [usize; 2],
        scale: &RangeInclusive<f64>,
        ratio: &RangeInclusive<f64>,
    ) -> Option<Self> {
        let [height, width] = whole.map(|extent| extent as f64);
        (0..TRIES).find_map(|_| {
            let area = height * width * random.between(*scale.start(), *scale.end());
            let ratio = random.between(ratio.start().ln(), ratio.end().ln()).exp();
            let extents = [(area / ratio).sqrt(), (area * ratio).sqrt()];
            let [rows, columns] = extents.map(|extent| extent.round() as usize);
            let fits = (1..=whole[0]).contains(&rows) && (1..=whole[1]).contains(&columns);
            fits.then(|| Section {
                top: random.below(whole[0] - rows + 1),
                left: random.below(whole[1] - columns + 1),
                rows,
                columns,
            })
        })
    }

    /// One of this size around a random pixel of `whole`, without what lies outside.
    pub fn around(random: &mut Random, whole: [usize; 2], size: [usize; 2]) -> Self {
        let mut axis = |extent: usize, size: usize| {
            let center = random.below(extent);
            let (start, end) =
                (center.saturating_sub(size / 2), center.saturating_add(size.div_ceil(2)));
            (start, end.min(extent) - start)
        };
        let (top, rows) = axis(whole[0], size[0]);
        let (left, columns) = axis(whole[1], size[1]);
        Section { top, left, rows, columns }
    }

    /// Its pixels in one channel of an image with this many columns, row by row.
    pub fn rows_of(self, plane: &[f32], columns: usize) -> impl Iterator<Item = &[f32]> {
        let rows = plane.chunks_exact(columns).skip(self.top).take(self.rows);
        rows.map(move |row| &row[self.left..][..self.columns])
    }

    /// The same pixels, to be changed.
    pub fn rows_of_mut(
        self,
        plane: &mut [f32],
        columns: usize,
    ) -> impl Iterator<Item = &mut [f32]> {
        let rows = plane.chunks_exact_mut(columns).skip(self.top).take(self.rows);
        rows.map(move |row| &mut row[self.left..][..self.columns])
    }
}
