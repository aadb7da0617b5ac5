//! A column of a table, and its cells.

use crate::error::{DeviceError, Error};
use std::{collections::HashSet, fmt, sync::Arc};

/// The code of a cell without category.
pub(super) const MISSING: u32 = u32::MAX;

/// Whether a column has numbers or texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Numbers: every cell that is not missing is one.
    Number,
    /// Texts.
    Category,
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnKind::Number => "number",
            ColumnKind::Category => "category",
        })
    }
}

/// A cell of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    /// A finite number.
    Number(f64),
    /// A text.
    Category(&'a str),
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Missing => Ok(()),
            Cell::Number(x) => x.fmt(f),
            Cell::Category(text) => text.fmt(f),
        }
    }
}

/// A column of a [`Table`](super::Table).
#[derive(Clone)]
pub struct Column {
    pub(super) name: String,
    pub(super) cells: Cells,
    /// The first text after numbers, and its line.
    pub(super) text_at: Option<(u64, String)>,
}

/// The cells of a column.
#[derive(Clone)]
pub(super) enum Cells {
    /// NaN for those that are missing.
    Numbers(Vec<f64>),
    /// [`MISSING`], or indices into names, which are distinct and in order.
    Categories { codes: Vec<u32>, names: Arc<[Box<str>]> },
}

impl Column {
    /// Its name in the header; its index, from 0, in a file without.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has numbers or texts.
    pub fn kind(&self) -> ColumnKind {
        match self.cells {
            Cells::Numbers(_) => ColumnKind::Number,
            Cells::Categories { .. } => ColumnKind::Category,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.len(),
            Cells::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of cells without value.
    #[doc(alias("isna", "isnull"))]
    pub fn missing(&self) -> usize {
        self.cells().filter(|cell| *cell == Cell::Missing).count()
    }

    /// Number of values that differ.
    #[doc(alias = "nunique")]
    pub fn distinct(&self) -> usize {
        match &self.cells {
            Cells::Numbers(_) => {
                // The two zeros are one number.
                let numbers = self.numbers().map(|x| (x + 0.0).to_bits());
                numbers.collect::<HashSet<_>>().len()
            }
            Cells::Categories { .. } => self.categories().len(),
        }
    }

    /// A number for each row that is the same where the values are, in order of value, to
    /// [split](crate::data::Split) by; that of rows without value is `u32::MAX`.
    #[doc(alias = "factorize")]
    pub fn codes(&self) -> Vec<u32> {
        let code = |position: Result<usize, usize>| position.map_or(MISSING, |code| code as u32);
        match &self.cells {
            Cells::Numbers(numbers) => {
                // The two zeros are one number.
                let mut distinct: Vec<f64> = self.numbers().map(|x| x + 0.0).collect();
                distinct.sort_unstable_by(f64::total_cmp);
                distinct.dedup();
                let find = |x: &f64| code(distinct.binary_search_by(|y| y.total_cmp(&(x + 0.0))));
                numbers.iter().map(find).collect()
            }
            Cells::Categories { codes, .. } => codes.clone(),
        }
    }

    /// The line and the text of the first cell that is no number, in a column of categories that
    /// has numbers before it: a typing error, or a word for missing values.
    pub fn first_text(&self) -> Option<(u64, &str)> {
        self.text_at.as_ref().map(|(line, text)| (*line, text.as_str()))
    }

    /// The cell of a row; `None` if there is no such row.
    pub fn get(&self, row: usize) -> Option<Cell<'_>> {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.get(row).map(|&x| number(x)),
            Cells::Categories { codes, names } => codes.get(row).map(|&code| text(names, code)),
        }
    }

    /// The number in a row, if there is one.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self.get(row) {
            Some(Cell::Number(x)) => Some(x),
            _ => None,
        }
    }

    /// The cells from the first row to the last.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let (numbers, codes, names) = match &self.cells {
            Cells::Numbers(numbers) => (&**numbers, &[][..], &[][..]),
            Cells::Categories { codes, names } => (&[][..], &**codes, &**names),
        };
        let texts = codes.iter().map(|&code| text(names, code));
        numbers.iter().map(|&x| number(x)).chain(texts)
    }

    /// The numbers that are not missing.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> + Clone {
        let numbers = match &self.cells {
            Cells::Numbers(numbers) => &**numbers,
            Cells::Categories { .. } => &[],
        };
        numbers.iter().copied().filter(|x| !x.is_nan())
    }

    /// The categories that occur, in order of name, and how often each does.
    pub(super) fn categories(&self) -> Vec<(&str, usize)> {
        let Cells::Categories { codes, names } = &self.cells else { return vec![] };
        let mut counts = vec![0; names.len()];
        for &code in codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        let counted = names.iter().map(|name| &**name).zip(counts);
        counted.filter(|&(_, count)| count > 0).collect()
    }

    /// The rows with these indices; others are left out.
    pub(super) fn rows(&self, indices: &[usize]) -> Result<Column, Error> {
        let cells = match &self.cells {
            Cells::Numbers(numbers) => Cells::Numbers(chosen(numbers, indices)?),
            Cells::Categories { codes, names } => {
                Cells::Categories { codes: chosen(codes, indices)?, names: names.clone() }
            }
        };
        Ok(Column { name: self.name.clone(), cells, text_at: self.text_at.clone() })
    }
}

impl PartialEq for Column {
    /// Whether name, kind and cells are the same.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.kind() == other.kind() && self.cells().eq(other.cells())
    }
}

impl fmt::Debug for Column {
    /// A summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column")
            .field("name", &self.name)
            .field("kind", &self.kind())
            .field("len", &self.len())
            .field("missing", &self.missing())
            .finish()
    }
}

fn number<'a>(x: f64) -> Cell<'a> {
    if x.is_nan() { Cell::Missing } else { Cell::Number(x) }
}

fn text(names: &[Box<str>], code: u32) -> Cell<'_> {
    names.get(code as usize).map_or(Cell::Missing, |name| Cell::Category(name))
}

/// The elements with these indices; others are left out.
pub(super) fn chosen<T: Copy>(elements: &[T], indices: &[usize]) -> Result<Vec<T>, DeviceError> {
    let mut chosen = crate::memory::room(indices.len())?;
    chosen.extend(indices.iter().filter_map(|&index| elements.get(index).copied()));
    Ok(chosen)
}
