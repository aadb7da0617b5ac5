//! A column of inputs: the features that it becomes.

use super::{
    Cell, Column, Table,
    column::{Cells, ColumnKind},
    message::shown,
    moments::Moments,
};
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Maximum number of categories of a column: each is a feature.
pub(super) const MAX_CATEGORIES: usize = 1000;

/// A column of inputs, as the rows to train on are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub name: String,
    pub features: Features,
    /// Whether one more feature is 1 where the value is missing.
    pub indicator: bool,
}

/// The features of a value that is not missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Features {
    /// One, standardized.
    Number { mean: f64, std: f64 },
    /// One for each category, in order of name.
    Category(Vec<String>),
}

impl Input {
    /// Learns a column.
    pub fn fit(table: &Table, column: &Column) -> Result<Self, Error> {
        let name = column.name();
        let refused = |what: &str| {
            let message = format!("column {name:?} {what}: leave it out by `ignore({name:?})`");
            table.refused(message)
        };
        let missing = column.missing();
        if missing == column.len() {
            return Err(refused("has no values"));
        }
        let features = match column.kind() {
            ColumnKind::Number => {
                let Moments { mean, std } = Moments::of(column.numbers())
                    .ok_or_else(|| refused("has numbers whose squares are out of range of f64"))?;
                Features::Number { mean, std }
            }
            ColumnKind::Category => {
                let names: Vec<String> =
                    column.categories().iter().map(|&(name, _)| name.to_owned()).collect();
                if names.len() > MAX_CATEGORIES {
                    let most = format!(
                        "has {} categories, and may have {MAX_CATEGORIES}; it looks like an id",
                        names.len()
                    );
                    return Err(refused(&most));
                }
                Features::Category(names)
            }
        };
        Ok(Input { name: name.to_owned(), features, indicator: missing > 0 })
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        let values = match &self.features {
            Features::Number { .. } => 1,
            Features::Category(names) => names.len(),
        };
        values + usize::from(self.indicator)
    }

    pub fn kind(&self) -> ColumnKind {
        match self.features {
            Features::Number { .. } => ColumnKind::Number,
            Features::Category(_) => ColumnKind::Category,
        }
    }

    /// The names of the features.
    pub fn names(&self) -> Vec<String> {
        let name = &self.name;
        let mut names = match &self.features {
            Features::Number { .. } => vec![name.clone()],
            Features::Category(names) => names.iter().map(|n| format!("{name}={n}")).collect(),
        };
        names.extend(self.indicator.then(|| format!("{name} is missing")));
        names
    }

    /// Writes the features of each row to its words, from feature `at` on; they are 0 before.
    pub fn write<'a>(
        &self,
        table: &Table,
        at: usize,
        rows: impl Iterator<Item = &'a mut [u32]>,
    ) -> Result<(), Error> {
        let column = table.column(&self.name)?;
        let wrong = |row, message: &str| table.wrong(row, &self.name, message);
        for (row, (value, words)) in self.values(table, column)?.zip(rows).enumerate() {
            let (feature, value) = match value {
                // Without indicator nothing changes.
                Value::Missing => (at + self.width() - 1, f32::from(u8::from(self.indicator))),
                Value::Unknown => continue,
                Value::Number(x) => (at, x as f32),
                Value::Category(index) => (at + index, 1.0),
            };
            if !value.is_finite() {
                return Err(wrong(row, "the number, standardized, is out of range of f32"));
            }
            if let Some(word) = words.get_mut(feature) {
                *word = value.to_bits();
            }
        }
        Ok(())
    }

    /// The values of a column.
    fn values<'a>(
        &'a self,
        table: &Table,
        column: &'a Column,
    ) -> Result<Box<dyn Iterator<Item = Value> + 'a>, Error> {
        match (&self.features, &column.cells) {
            (&Features::Number { mean, std }, Cells::Numbers(numbers)) => {
                let moments = Moments { mean, std };
                Ok(Box::new(numbers.iter().map(move |&x| match x.is_nan() {
                    true => Value::Missing,
                    false => Value::Number(moments.standardized(x)),
                })))
            }
            (Features::Category(known), Cells::Categories { codes, names }) => {
                // Each name is looked up once.
                let index = |name: &str| known.binary_search_by(|k| k.as_str().cmp(name)).ok();
                let value = |name: &str| index(name).map_or(Value::Unknown, Value::Category);
                let values: Vec<Value> = names.iter().map(|name| value(name)).collect();
                Ok(Box::new(codes.iter().map(move |&code| {
                    values.get(code as usize).copied().unwrap_or(Value::Missing)
                })))
            }
            // A column without values is of no kind.
            _ => match column.cells().position(|cell| cell != Cell::Missing) {
                None => Ok(Box::new(column.cells().map(|_| Value::Missing))),
                Some(row) => Err(other_kind(table, row, column, self.kind())),
            },
        }
    }
}

/// A value of a column, as an [`Input`] knows it.
#[derive(Clone, Copy)]
enum Value {
    Missing,
    /// A category that the rows to train on lack.
    Unknown,
    /// Standardized.
    Number(f64),
    /// Index of a category.
    Category(usize),
}

/// A column was read as the other kind than that of the rows to train on.
pub(super) fn other_kind(table: &Table, row: usize, column: &Column, kind: ColumnKind) -> Error {
    let found = column.get(row).map(|cell| cell.to_string()).unwrap_or_default();
    let message = format!(
        "expected a {kind}, as in the rows to train on, found the {} {}: read the file by \
         `Encoding::reader`",
        column.kind(),
        shown(&found)
    );
    table.wrong(row, column.name(), &message)
}
