//! Arrays as text.

use super::{
    Array,
    decimal::{Decimal, fixed, scientific},
};
use crate::dtype::DType;
use std::fmt;

/// Number of elements beyond which an array is summarized.
const MOST: usize = 1000;
/// Number of elements of a summary at either end of an axis.
const EDGE: usize = 3;
/// Digits after the point, if none are asked for.
const PLACES: usize = 4;
/// Width in characters at which rows are broken.
const WIDTH: usize = 75;
/// Number of elements that [`Debug`](fmt::Debug) shows.
const FIRST: usize = 8;

impl fmt::Display for Array {
    /// Writes the elements as NumPy does: nested brackets, aligned columns, a common number of
    /// digits after the point, at most four or as many as the precision says, and powers of ten if
    /// magnitudes differ by more than 1000, or one is below 0.0001, or 1e6 or above. Beyond 1000 elements, three at either end of an axis.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims = self.shape().dims();
        let Some((&columns, outer)) = dims.split_last() else {
            return f.write_str(&self.scalar_text(self.words[0], f.precision()));
        };
        if self.words.is_empty() {
            return f.write_str("[]");
        }
        let summary = self.words.len() > MOST;
        let is_cut = |extent: usize| summary && extent > 2 * EDGE;
        let shown: Vec<Vec<usize>> = dims
            .iter()
            .map(|&extent| match is_cut(extent) {
                true => (0..EDGE).chain(extent - EDGE..extent).collect(),
                false => (0..extent).collect(),
            })
            .collect();
        let words = self.shown(&shown);
        let format = Format::of(self.dtype(), &words, f.precision());
        let cells: Vec<String> = words.iter().map(|&word| format.text(word)).collect();
        let row_len = shown[outer.len()].len();
        let indent = " ".repeat(dims.len());
        let mut odometer = vec![0; outer.len()];
        f.write_str(&"[".repeat(dims.len()))?;
        for (number, row) in cells.chunks(row_len).enumerate() {
            if number > 0 {
                let wrapped = advance(&mut odometer, &shown);
                let axis = outer.len() - wrapped - 1;
                let (closed, lines) = ("]".repeat(wrapped + 1), "\n".repeat(wrapped + 1));
                let before = &indent[..axis + 1];
                write!(f, "{closed}{lines}{before}")?;
                if odometer[axis] == EDGE && is_cut(dims[axis]) {
                    write!(f, "...{lines}{before}")?;
                }
                f.write_str(&"[".repeat(wrapped + 1))?;
            }
            write_row(f, row, is_cut(columns), &indent)?;
        }
        f.write_str(&"]".repeat(dims.len()))
    }
}

/// Goes on to the next row, and returns how many axes have begun anew.
fn advance(odometer: &mut [usize], shown: &[Vec<usize>]) -> usize {
    let mut wrapped = 0;
    for axis in (0..odometer.len()).rev() {
        odometer[axis] += 1;
        if odometer[axis] < shown[axis].len() {
            break;
        }
        odometer[axis] = 0;
        wrapped += 1;
    }
    wrapped
}

/// Writes the cells of a row, broken into lines.
fn write_row(f: &mut fmt::Formatter<'_>, cells: &[String], cut: bool, indent: &str) -> fmt::Result {
    let width = WIDTH.saturating_sub(indent.len());
    // Where the line stands, and whether a cell is in it.
    let (mut column, mut begun) = (indent.len(), false);
    for (number, cell) in cells.iter().enumerate() {
        let dots = (cut && number == EDGE).then_some("...");
        for word in dots.into_iter().chain([cell.as_str()]) {
            let space = usize::from(begun);
            if begun && column + space + word.len() > width {
                write!(f, "\n{indent}{word}")?;
                column = indent.len() + word.len();
            } else {
                write!(f, "{:space$}{word}", "")?;
                column += space + word.len();
            }
            begun = true;
        }
    }
    Ok(())
}

impl Array {
    /// The words at these indices of each axis.
    fn shown(&self, shown: &[Vec<usize>]) -> Vec<u32> {
        let strides = self.shape().strides();
        let mut places = vec![0];
        for (indices, stride) in shown.iter().zip(strides) {
            places = places
                .iter()
                .flat_map(|place| indices.iter().map(move |index| place + index * stride))
                .collect();
        }
        places.into_iter().map(|place| self.words[place]).collect()
    }

    /// A number on its own, with all its digits unless the precision says how many.
    fn scalar_text(&self, word: u32, precision: Option<usize>) -> String {
        let value = self.dtype().from_word(word);
        match (self.dtype(), precision) {
            (DType::Bool, _) => (word != 0).to_string(),
            (DType::I32 | DType::U32, _) => value.to_string(),
            _ if !value.is_finite() => word_for(value).to_owned(),
            (dtype, None) => Decimal::of(dtype, value).plain(),
            (_, Some(places)) => format!("{value:.places$}"),
        }
    }
}

impl fmt::Debug for Array {
    /// Writes type and first elements: `Array([3] f32: 1.0, 2.0, 3.0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({}", self.meta)?;
        for (number, &word) in self.words.iter().take(FIRST).enumerate() {
            let before = if number == 0 { ": " } else { ", " };
            write!(f, "{before}{}", self.scalar_text(word, None))?;
        }
        f.write_str(if self.words.len() > FIRST { ", …)" } else { ")" })
    }
}

/// The text of infinities and NaN.
fn word_for(value: f64) -> &'static str {
    match value {
        _ if value.is_nan() => "nan",
        _ if value > 0.0 => "inf",
        _ => "-inf",
    }
}

/// How the elements of an array are written, each to the same width.
struct Format {
    dtype: DType,
    style: Style,
    width: usize,
}

#[derive(Clone, Copy)]
enum Style {
    Whole,
    Fixed { places: usize },
    Scientific { places: usize },
}

impl Format {
    /// The format that fits these words.
    fn of(dtype: DType, words: &[u32], precision: Option<usize>) -> Self {
        let style = match dtype.is_float() {
            true => Style::of(dtype, words, precision),
            false => Style::Whole,
        };
        let mut format = Format { dtype, style, width: 0 };
        format.width = words.iter().map(|&word| format.unpadded(word).len()).max().unwrap_or(0);
        format
    }

    fn text(&self, word: u32) -> String {
        format!("{:>1$}", self.unpadded(word), self.width)
    }

    fn unpadded(&self, word: u32) -> String {
        let value = self.dtype.from_word(word);
        match self.style {
            _ if !value.is_finite() => word_for(value).to_owned(),
            Style::Whole if self.dtype == DType::Bool => (word != 0).to_string(),
            Style::Whole => value.to_string(),
            Style::Fixed { places } => fixed(value, places),
            Style::Scientific { places } => scientific(value, places),
        }
    }
}

impl Style {
    /// The style of floats.
    fn of(dtype: DType, words: &[u32], precision: Option<usize>) -> Self {
        let finite =
            || words.iter().map(|&word| dtype.from_word(word)).filter(|value| value.is_finite());
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for size in finite().map(f64::abs).filter(|&size| size > 0.0) {
            (least, most) = (least.min(size), most.max(size));
        }
        // The digits of whole numbers up to here are all significant.
        let large = if dtype == DType::F16 { 1e3 } else { 1e6 };
        let spread = || dtype.round(most / least) > 1000.0;
        let is_scientific = most >= large || most > 0.0 && (least < dtype.round(1e-4) || spread());
        let places = |of: fn(&Decimal, usize) -> usize| {
            let places = finite().map(|value| of(&Decimal::of(dtype, value), PLACES)).max();
            precision.or(places).unwrap_or(0)
        };
        match is_scientific {
            true => Style::Scientific { places: places(Decimal::scientific_places) },
            false => Style::Fixed { places: places(Decimal::places) },
        }
    }
}
