//! Tables in memory.

use super::{Cell, Column, column, message::corrupt};
use crate::{
    brief::Brief,
    data::Split,
    error::{Error, FileError, VariableError},
    shape::Shape,
};
use std::{fmt, path::PathBuf};

/// Rows of named columns, each of numbers or of categories: a CSV file in memory.
///
/// ```
/// use wgrad::{data::table::{Cell, Encoding, Table}, prelude::*};
///
/// let mut text = String::from("area,district,id,price\n");
/// for id in 0..96 {
///     let (area, (district, base)) = (40 + id % 50, [("north", 90), ("south", 20)][id % 2]);
///     text += &format!("{area},{district},{id:04},{}\n", base + 3 * area);
/// }
/// let path = std::env::temp_dir().join(format!("wgrad-houses-{}.csv", std::process::id()));
/// std::fs::write(&path, text).expect("a temporary file can be written");
///
/// let houses = Table::reader().ignore("id").read(&path)?;
/// let (train, test) = houses.split(0.25)?;
/// // Means, standard deviations and categories are those of the rows to train on.
/// let encoding = Encoding::fit(&train, "price")?;
/// assert_eq!(encoding.feature_names(), ["area", "district=north", "district=south"]);
///
/// let line = Dense::new(1);
/// let variables = Variables::new(0);
/// let mut trainer = Trainer::new(
///     |cx, batch| {
///         let y = line.forward(&mut cx.child("line"), batch.get("inputs"));
///         Loss::new(nn::mean_squared_error(y, batch.get("targets")))
///     },
///     Sgd::new(0.1),
/// )
/// .predictor(|cx, batch| vec![("y", line.forward(&mut cx.child("line"), batch.get("inputs")))])
/// .epochs(200);
/// let device = Device::cpu();
/// trainer.fit(&device, &variables, &encoding.encode(&train)?)?;
///
/// // In the unit of the file again.
/// let predicted = trainer.predict(&device, &variables, &encoding.encode(&test)?)?;
/// let predicted = encoding.decode(predicted.get("y").expect("the predictor returns it"))?;
/// for (row, predicted) in predicted.iter().enumerate() {
///     let price = test.column("price")?.number(row).expect("no price is missing");
///     assert!(matches!(predicted, Cell::Number(x) if (x - price).abs() < 1.0));
/// }
/// # std::fs::remove_file(path).expect("it was written");
/// # Ok::<(), Error>(())
/// ```
#[doc(alias("DataFrame", "read_csv", "CSV"))]
#[derive(Clone)]
pub struct Table {
    /// The file, for messages.
    pub(super) path: PathBuf,
    /// Names are distinct, and all have as many cells as there are lines.
    pub(super) columns: Vec<Column>,
    /// For each row, the line on which it begins, from 1.
    pub(super) lines: Vec<u64>,
}

impl Table {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The columns, in the order of the file, without those that were ignored.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of this name.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] if there is none; it lists the first ones that there are.
    pub fn column(&self, name: &str) -> Result<&Column, Error> {
        let found = self.columns.iter().find(|column| column.name() == name);
        found.ok_or_else(|| {
            let names = Brief::new(self.columns.iter().map(Column::name));
            self.refused(format!("there is no column {name:?}: there are {names:?}"))
        })
    }

    /// The line of the file on which a row begins, from 1.
    pub fn line(&self, row: usize) -> Option<u64> {
        self.lines.get(row).copied()
    }

    /// Selects the rows with these indices, in that order.
    ///
    /// # Errors
    ///
    /// [`VariableError::Row`] if there is no such row;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias("iloc", "Subset"))]
    pub fn rows(&self, indices: &[usize]) -> Result<Self, Error> {
        if let Some(&row) = indices.iter().find(|&&row| row >= self.len()) {
            let shape = Shape::from([self.len(), self.columns.len()]);
            return Err(VariableError::Row { row, shape }.into());
        }
        let columns = self.columns.iter().map(|column| column.rows(indices));
        Ok(Table {
            path: self.path.clone(),
            columns: columns.collect::<Result<_, _>>()?,
            lines: column::chosen(&self.lines, indices)?,
        })
    }

    /// Holds out a fraction of the rows: returns the rest and the rows held out, both in their
    /// order.
    ///
    /// The same rows are held out in every run, regardless of the training seed, so that results
    /// are comparable. Other parts, and folds, are [`rows`](Self::rows) of a [`Split`].
    ///
    /// # Errors
    ///
    /// [`DataError::Fractions`](crate::DataError::Fractions) unless the fraction is from 0 to 1;
    /// [`DeviceError::OutOfMemory`](crate::DeviceError::OutOfMemory).
    #[doc(alias("random_split", "train_test_split"))]
    pub fn split(&self, fraction: f64) -> Result<(Self, Self), Error> {
        let [held, rest] = Split::rows(self.len()).parts([fraction, 1.0 - fraction])?;
        Ok((self.rows(&rest)?, self.rows(&held)?))
    }

    /// Leaves out the rows that have no value in this column.
    ///
    /// # Errors
    ///
    /// Those of [`column`](Self::column) and [`rows`](Self::rows).
    #[doc(alias = "dropna")]
    pub fn drop_missing(&self, column: &str) -> Result<Self, Error> {
        let cells = self.column(column)?.cells().enumerate();
        let known = cells.filter(|(_, cell)| *cell != Cell::Missing).map(|(row, _)| row);
        self.rows(&known.collect::<Vec<_>>())
    }

    /// A request that this table cannot fulfill.
    pub(super) fn refused(&self, message: String) -> Error {
        FileError::Io { path: self.path.clone(), message }.into()
    }

    /// A cell that is wrong.
    pub(super) fn wrong(&self, row: usize, column: &str, message: &str) -> Error {
        let line = self.line(row).unwrap_or_default();
        corrupt(&self.path, format!("line {line}, column {column:?}: {message}"))
    }
}

impl PartialEq for Table {
    /// Whether the columns are the same, in names, kinds and cells; the files may differ.
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns
    }
}

impl fmt::Debug for Table {
    /// A summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns.iter().map(|c| format!("{}: {}", c.name(), c.kind()));
        f.debug_struct("Table")
            .field("path", &self.path)
            .field("len", &self.len())
            .field("columns", &Brief::new(columns))
            .finish()
    }
}
