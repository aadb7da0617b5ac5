//! Options of reading a table.

use super::{ColumnKind, Table, text};
use crate::error::Error;
use std::path::Path;

/// Maximum number of cells unless said otherwise: 2 GiB of numbers.
const MAX_CELLS: usize = 1 << 28;

/// Options of reading a [`Table`].
///
/// A column has numbers if every cell that is not missing is a finite number, and categories
/// otherwise. Numbers are f64, so that integers past 2^53 are rounded. Missing is an empty cell,
/// and one of `NA`, `N/A`, `n/a`, `#N/A`, `<NA>`, `NaN`, `nan`, `null`, `NULL`, `None` and `?`.
/// Spaces around a cell are no part of it, and empty lines are skipped.
///
/// ```
/// use wgrad::data::table::{Cell, ColumnKind, Table};
///
/// let path = std::env::temp_dir().join(format!("wgrad-reader-{}.csv", std::process::id()));
/// std::fs::write(&path, "id;zip;rent\n1;04109;820\n2;04277;-999\n").expect("it can be written");
/// let table = Table::reader().as_category("zip").ignore("id").missing("-999").read(&path)?;
/// assert_eq!(table.columns().len(), 2);
/// assert_eq!(table.column("zip")?.get(0), Some(Cell::Category("04109")));
/// assert_eq!(table.column("rent")?.kind(), ColumnKind::Number);
/// assert_eq!(table.column("rent")?.missing(), 1);
/// # std::fs::remove_file(path).expect("it was written");
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("read_csv", "na_values", "usecols"))]
#[derive(Clone, Debug, PartialEq)]
pub struct TableReader {
    pub(super) delimiter: Option<char>,
    pub(super) header: Option<bool>,
    /// Words beside those of [`is_missing`].
    missing: Vec<String>,
    /// The last one for a name counts.
    pub(super) said: Vec<Said>,
    pub(super) max_cells: usize,
}

/// An option for a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub column: String,
    pub choice: Choice,
    /// Whether there must be such a column.
    pub by_caller: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Choice {
    Kind(ColumnKind),
    Ignore,
}

impl Table {
    /// Reads a file with a header, as a [`TableReader`] does without further options.
    ///
    /// # Errors
    ///
    /// Those of [`TableReader::read`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        Table::reader().read(path)
    }

    /// Options of reading: the delimiter, the header, missing values, kinds of columns.
    pub fn reader() -> TableReader {
        TableReader::new()
    }
}

impl Default for TableReader {
    fn default() -> Self {
        let (missing, said) = (vec![], vec![]);
        TableReader { delimiter: None, header: None, missing, said, max_cells: MAX_CELLS }
    }
}

impl TableReader {
    /// Reads files with a header, with any of the delimiters `,` `;` `|` and tab.
    pub fn new() -> Self {
        TableReader::default()
    }

    /// Sets the delimiter, an ASCII character; otherwise it is the one by which all of the first
    /// rows have as many fields.
    #[doc(alias = "sep")]
    pub fn delimiter(self, delimiter: char) -> Self {
        TableReader { delimiter: Some(delimiter), ..self }
    }

    /// Sets whether the first line has the names of the columns; without, these are `0`, `1` and so
    /// on. By default it has, and one with a decimal fraction, or with numbers only, is an error: the
    /// file then probably has no header.
    pub fn header(self, header: bool) -> Self {
        TableReader { header: Some(header), ..self }
    }

    /// Adds a word for missing values.
    #[doc(alias = "na_values")]
    pub fn missing(mut self, word: impl Into<String>) -> Self {
        self.missing.push(word.into());
        self
    }

    /// Reads a column as categories, even if all of them are numbers: codes, such as zip codes.
    #[doc(alias = "dtype")]
    pub fn as_category(self, column: impl Into<String>) -> Self {
        self.say(column, Choice::Kind(ColumnKind::Category), true)
    }

    /// Reads a column as numbers: a cell that is none is an error.
    pub fn as_number(self, column: impl Into<String>) -> Self {
        self.say(column, Choice::Kind(ColumnKind::Number), true)
    }

    /// Leaves out a column; `""` those without name.
    pub fn ignore(self, column: impl Into<String>) -> Self {
        self.say(column, Choice::Ignore, true)
    }

    /// Sets the maximum number of cells, ignored columns not included: 2^28 unless this says
    /// otherwise. A number takes 8 bytes, a category 4, and each distinct one about 60 more.
    pub fn max_cells(self, max_cells: usize) -> Self {
        TableReader { max_cells, ..self }
    }

    /// Reads a column as of this kind, if there is one.
    pub(super) fn expect(self, column: &str, kind: ColumnKind) -> Self {
        self.say(column, Choice::Kind(kind), false)
    }

    fn say(mut self, column: impl Into<String>, choice: Choice, by_caller: bool) -> Self {
        self.said.push(Said { column: column.into(), choice, by_caller });
        self
    }

    /// Reads a file, plain or compressed by gzip.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`](crate::FileError::Io) if it cannot be read, or an option does not fit it;
    /// [`FileError::Corrupt`](crate::FileError::Corrupt), with the line, if it is not UTF-8 or
    /// longer than 4 GiB, if it has more than 65,536 columns, if names are
    /// empty or occur twice, if rows differ in their number of
    /// fields, if a quote is not closed, if there are no rows, if there are more cells than
    /// [allowed](Self::max_cells), or if a column [of numbers](Self::as_number) has something else.
    pub fn read(&self, path: &Path) -> Result<Table, Error> {
        self.parse(path, &text::read(path)?)
    }

    /// The option for a column, if there is one.
    pub(super) fn choice(&self, column: &str) -> Option<Choice> {
        self.said.iter().rev().find(|said| said.column == column).map(|said| said.choice)
    }

    /// The value of a cell, unless it is missing.
    pub(super) fn value<'c>(&self, cell: &'c str) -> Option<&'c str> {
        let cell = cell.trim();
        let is_missing = is_missing(cell) || self.missing.iter().any(|word| word == cell);
        (!is_missing).then_some(cell)
    }
}

/// Whether a cell is one of the words that are always missing values.
fn is_missing(cell: &str) -> bool {
    // Several times as fast as a search in a list.
    matches!(
        cell,
        "" | "NA"
            | "N/A"
            | "n/a"
            | "#N/A"
            | "<NA>"
            | "NaN"
            | "nan"
            | "null"
            | "NULL"
            | "None"
            | "?"
    )
}
